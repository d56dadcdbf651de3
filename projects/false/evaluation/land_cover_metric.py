"""mIoU and its relatives as a metric for MMEngine's evaluators."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmengine.registry import METRICS

from projects.false.common.errors import InputError
from projects.false.patch_folder.places import name_of_patch

from .scores import confusion_matrix, score_table, scores


@METRICS.register_module()
class LandCoverMetric(BaseMetric):
    """Compute mIoU, per-class IoU, overall accuracy, F1, precision, recall and kappa of a segmentation.

    Values are percentages from one confusion matrix over all images and processes. An image that a sampler repeats to
    give all processes the same number counts once. Predictions or labels out of range are an error; pixels with the
    ignore index are left out.

    Args:
        ignore_index: Label of pixels that do not count.
        output_dir: Folder for the predicted index masks (PNG); None writes none. A mask has the path that its image has
            below the folder ``images``.
        keep_results: Accepted because mmseg's own tools set it; has no effect.
        kwargs: Arguments of MMEngine's BaseMetric.
    """

    def __init__(
        self, ignore_index: int = 255, output_dir: str | None = None, keep_results: bool = False, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index
        self.output_dir = Path(output_dir) if output_dir else None
        self.matrix: np.ndarray | None = None
        self._written: dict[str, str] = {}  # image of every prediction, by the name of its file

    def check_dataset(self, dataset: Any) -> None:
        """Refuse, before a test, images whose predictions would be one file; equal on all processes.

        Args:
            dataset: The data set of the test.

        Raises:
            InputError: Two images have the same name.
        """
        if self.output_dir:
            taken: dict[str, str] = {}
            for index in range(len(dataset)):
                _claim(taken, dataset.get_data_info(index)['img_path'], self.output_dir)

    def process(self, data_batch: dict, data_samples: list[dict]) -> None:
        """Add the confusion matrices of a batch."""
        classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            prediction = sample['pred_sem_seg']['data'].squeeze(0).cpu().numpy()
            if self.output_dir:
                self._write(prediction, sample['img_path'], self.output_dir)
            label = sample['gt_sem_seg']['data'].squeeze(0).cpu().numpy()
            image, mask = sample['img_path'], sample.get('seg_map_path', sample['img_path'])
            names = (f'{mask}: the label', f'{image}: the prediction')
            self.results.append(confusion_matrix(label, prediction, classes, self.ignore_index, names))

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the scores of ``size`` images, after checking the predictions of all processes.

        Raises:
            InputError: Two processes wrote their predictions to one file.
        """
        if self.output_dir:
            for images in all_gather_object(self._written):
                for image in images.values():
                    _claim(self._written, image, self.output_dir)
        found: dict[str, float] = super().evaluate(size)
        return found

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Return the scores of all images in percent: ``mIoU``, ``OA``, ``kappa``, other means, ``IoU.<class>``."""
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

    def _write(self, prediction: np.ndarray, image_path: str, folder: Path) -> None:
        path = _claim(self._written, image_path, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), prediction.astype(np.uint8)):
            raise InputError(f'{path}: cannot be written; check space and permissions')


def _claim(taken: dict[str, str], image: str, folder: Path) -> Path:
    """Return the path of an image's prediction, and note in ``taken`` that it belongs to this image."""
    name = f'{name_of_patch(Path(os.path.normpath(image)))}.png'
    if taken.setdefault(name, image) != image:
        raise InputError(
            f'{folder / name}: would be the prediction of {taken[name]} and of {image}; '
            'rename one of them, or test them with separate lists'
        )
    return folder / name
