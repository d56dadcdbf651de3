"""Keep the teacher, weigh its pseudo-labels, and fall back on the supervised start if they do harm."""

import copy
import math
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import broadcast_object_list
from mmengine.hooks import EMAHook
from mmengine.registry import HOOKS

from projects.false.common.errors import InputError, check_count, is_number
from projects.false.evaluation.scores import confusion_matrix, scores

from .mean_teacher import MeanTeacher, MeanTeacherPreProcessor
from .partly_labelled import PartlyLabelledPatches

_BATCH = 16  # images per batch when measuring mIoU


@HOOKS.register_module()
class MeanTeacherHook(EMAHook):
    """Average the student's weights into the teacher, which is validated, tested and saved as the model.

    The run begins with ``start`` iterations on the labels alone. Then the weight of the unlabelled patches grows to
    ``weight`` over ``ramp`` iterations, as exp(-5 (1 - t)^2) with t from 0 to 1.

    Where the data keeps labelled patches apart (``kept_apart`` of :class:`PartlyLabelledPatches`), the teacher's mIoU
    on them is measured after the supervised start and after the last iteration. If it has fallen, the run says so, and
    its result is the supervised start.

    Args:
        start: Iterations on labels alone, at least 0. With 0 there is no supervised start to compare with.
        ramp: Iterations over which the weight grows, at least 1.
        weight: Weight of the loss on unlabelled patches, above 0.
        momentum: Share of the student in every update of the teacher, in (0, 1). The first updates take more,
            1 / (iterations + 1), so that the teacher forgets the random head at once.

    Raises:
        InputError: A number is out of range, model, preprocessor or data are not those of a mean teacher, or the
            training is not longer than ``start``.
    """

    def __init__(self, start: int, ramp: int, weight: float = 1.0, momentum: float = 0.01) -> None:
        if start != 0:
            check_count('start of MeanTeacherHook', start)
        check_count('ramp of MeanTeacherHook', ramp)
        if not is_number(weight) or weight <= 0:
            raise InputError(f'weight of MeanTeacherHook must be above 0, got {weight!r}')
        if not is_number(momentum) or not 0 < momentum < 1:
            raise InputError(f'momentum of MeanTeacherHook must be between 0 and 1, got {momentum!r}')
        super().__init__(ema_type='MomentumAnnealingEMA', momentum=momentum, gamma=1)
        self.start, self.ramp, self.weight = start, ramp, weight
        self._supervised: dict[str, Any] | None = None  # the teacher after the supervised start, and its mIoU

    def before_train(self, runner) -> None:
        """Check that model and length of the run fit, and let the teacher begin as the student does."""
        super().before_train(runner)
        if not isinstance(self.src_model, MeanTeacher):
            raise InputError(f"MeanTeacherHook needs model.type='MeanTeacher', got {type(self.src_model).__name__}")
        preprocessor = self.src_model.data_preprocessor
        if not isinstance(preprocessor, MeanTeacherPreProcessor):
            raise InputError(
                "MeanTeacherHook needs model.data_preprocessor.type='MeanTeacherPreProcessor', which makes the views "
                f'of unlabelled patches, got {type(preprocessor).__name__}'
            )
        if runner.max_iters <= self.start:
            raise InputError(
                f'train_cfg.max_iters is {runner.max_iters} and start of MeanTeacherHook is {self.start}, so no '
                'unlabelled patch would be used; train longer or lower start'
            )
        if self.ema_model.steps == 0:  # the copy is older than the weights: MMEngine makes it, then initialises them
            self.ema_model.module.load_state_dict(self.src_model.state_dict())

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Give the student its teacher and the weight of this iteration.

        Raises:
            InputError: The data set brings no unlabelled patches.
        """
        if 'unlabelled' not in data_batch:
            raise InputError(
                "MeanTeacherHook needs train_dataloader.dataset.type='PartlyLabelledPatches', which brings unlabelled "
                f'patches along, got {type(runner.train_dataloader.dataset).__name__}'
            )
        if runner.iter == self.start > 0 and self._supervised is None:
            score = self._miou_apart(runner)
            if score is not None:
                weights = {name: value.cpu().clone() for name, value in self.ema_model.module.state_dict().items()}
                self._supervised = {'weights': weights, 'miou': score}
        self.src_model.follow(self.ema_model.module, self.weight_at(runner.iter))

    def weight_at(self, iteration: int) -> float:
        """Return the weight of the loss on unlabelled patches in an iteration, counted from 0."""
        if iteration < self.start:
            return 0.0
        grown = min((iteration - self.start) / self.ramp, 1.0)
        return self.weight * math.exp(-5 * (1 - grown) ** 2)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Update the teacher, and after the last iteration keep the better one."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self._supervised is None or not self.is_last_train_iter(runner):
            return
        before, after = self._supervised['miou'], self._miou_apart(runner)
        comparison = (
            f'mIoU on the labelled patches kept apart: {before:.2f} after the supervised start, {after:.2f} now'
        )
        if after is not None and after >= before:
            runner.logger.info(comparison)
            return
        runner.logger.warning(
            f'{comparison}; the unlabelled patches did harm, so the result is the supervised start, iteration '
            f'{self.start}'
        )
        for model in (self.src_model, self.ema_model.module):
            model.load_state_dict(self._supervised['weights'])

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Add the teacher and the supervised start."""
        super().before_save_checkpoint(runner, checkpoint)
        if self._supervised is not None:
            checkpoint['supervised_start'] = copy.copy(self._supervised)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take back the teacher and, where the run resumes, the supervised start."""
        super().after_load_checkpoint(runner, checkpoint)
        if runner._resume:
            self._supervised = checkpoint.get('supervised_start')

    def _miou_apart(self, runner) -> float | None:
        """Return the teacher's mIoU in per cent on the labelled patches kept apart, equal on all processes."""
        data = runner.train_loop.dataloader.dataset
        apart = data.kept_apart if isinstance(data, PartlyLabelledPatches) else None
        if apart is None:
            return None
        teacher = self.ema_model.module
        was_training, classes = teacher.training, len(apart.metainfo['classes'])
        teacher.eval()
        matrix = np.zeros((classes, classes), np.int64)
        for first in range(0, len(apart), _BATCH):
            batch = pseudo_collate([apart[index] for index in range(first, min(first + _BATCH, len(apart)))])
            with torch.no_grad():
                found = teacher.test_step(batch)
            for sample in found:
                label, prediction = (part.data[0].cpu().numpy() for part in (sample.gt_sem_seg, sample.pred_sem_seg))
                matrix += confusion_matrix(label, prediction, classes)
        teacher.train(was_training)
        found_by_first = [100 * float(scores(matrix).miou)]  # running statistics differ between processes
        broadcast_object_list(found_by_first)
        return found_by_first[0]
