"""mIoU and its relatives as a metric of MMEngine's evaluators, from one confusion matrix."""

from pathlib import Path

import cv2
import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmengine.registry import METRICS

from projects.false.common.errors import InputError

from .scores import confusion_matrix, score_table, scores


@METRICS.register_module()
class LandCoverMetric(BaseMetric):
    """mIoU, per-class IoU, overall accuracy, F1, precision, recall and kappa of a segmentation.

    Values are percentages of one confusion matrix over all images and processes; an image that a sampler hands out
    twice, so that all processes get the same number, counts once. Predictions or labels out of range are an error;
    the ignore index is left out.

    Args:
        ignore_index: Label of pixels that do not count.
        output_dir: Where to write predicted index masks as PNG; None writes none.
        keep_results: As mmseg's own tools set it; has no effect.
        kwargs: As of MMEngine's BaseMetric.
    """

    def __init__(
        self, ignore_index: int = 255, output_dir: str | None = None, keep_results: bool = False, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index
        self.output_dir = Path(output_dir) if output_dir else None
        self.matrix: np.ndarray | None = None
        self._written: dict[str, str] = {}  # image of every prediction

    def process(self, data_batch: dict, data_samples: list[dict]) -> None:
        """Add the confusion matrices of a batch."""
        classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            prediction = sample['pred_sem_seg']['data'].squeeze(0).cpu().numpy()
            if self.output_dir:
                self._write(prediction, sample['img_path'])
            label = sample['gt_sem_seg']['data'].squeeze(0).cpu().numpy()
            image, mask = sample['img_path'], sample.get('seg_map_path', sample['img_path'])
            names = (f'{mask}: the label', f'{image}: the prediction')
            self.results.append(confusion_matrix(label, prediction, classes, self.ignore_index, names))

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Sum up and name the scores, in percent: ``mIoU``, ``OA``, ``kappa``, means of the others, ``IoU.<class>``."""
        self.matrix = np.sum(results, axis=0)
        found, classes = scores(self.matrix), self.dataset_meta['classes']
        MMLogger.get_current_instance().info('\n' + score_table(found, classes))
        named = {
            'mIoU': found.miou,
            'OA': found.overall_accuracy,
            'mF1': found.mean_f1,
            'mPrecision': found.mean_precision,
            'mRecall': found.mean_recall,
            'kappa': found.kappa,
            **{f'IoU.{name}': value for name, value in zip(classes, found.iou, strict=True)},
        }
        return {name: round(100 * float(value), 4) for name, value in named.items()}

    def _write(self, prediction: np.ndarray, image_path: str) -> None:
        self.output_dir.mkdir(parents=True, exist_ok=True)
        path = self.output_dir / f'{Path(image_path).stem}.png'
        if self._written.setdefault(path.name, image_path) != image_path:
            raise InputError(
                f'{path}: would be the prediction of {self._written[path.name]} and of {image_path}; '
                'rename one, or test them by lists of their own'
            )
        if not cv2.imwrite(str(path), prediction.astype(np.uint8)):
            raise InputError(f'{path}: cannot be written; check space and permissions')
