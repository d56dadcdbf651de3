"""Check before the first step that data, model and batch fit together, and log the size of the run."""

from typing import Any

import numpy as np
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import nn

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import IGNORE_INDEX
from projects.false.losses.base import DeterminedLoss
from projects.false.models.false_moco import KeyQueue

from .resume.global_batch import GlobalBatch, accumulation_of
from .start_checks import (
    check_channels,
    check_classes,
    check_evidence,
    check_ignored,
    check_labels,
    check_negatives,
    check_padding,
    check_queue,
    check_sizes,
    check_trained,
    different_images,
    heads_of,
)


def learning_rate_advice(global_batch: int, base_batch: int | None, scaled: bool) -> str | None:
    """Return the warning that the learning rate is meant for another global batch; None if it fits or is scaled."""
    if base_batch is None or scaled or global_batch == base_batch:
        return None
    return (
        f'the learning rate is meant for a global batch of {base_batch} images and this run has {global_batch}: '
        'change train_dataloader.batch_size, which counts the images of one process, or add --auto-scale-lr'
    )


def shuffling_advice(backbone: nn.Module, processes: int) -> str | None:
    """Return the warning that SyncBN undoes the shuffling of keys (MoCo, section 3.3); None if it does not."""
    if processes == 1 or not any(isinstance(module, nn.SyncBatchNorm) for module in backbone.modules()):
        return None
    return (
        'model.backbone has SyncBN, whose statistics over all processes undo the shuffling of keys (MoCo, section '
        "3.3); set model.backbone.norm_cfg.type='BN'"
    )


@HOOKS.register_module()
class StartChecksHook(Hook):
    """Check the data against the model before training and testing; log global batch and learning rate.

    A run in which every loss was 0 ends with an error, as it trained nothing.
    """

    priority = 'VERY_HIGH'
    _begun = 0

    def before_train(self, runner) -> None:
        """Check classes, labels, batch, queue and evidence; log the images, the global batch and the learning rate."""
        loader = runner.train_dataloader
        images = len(loader.dataset)
        check_classes(_head_classes(runner.model), _data_classes(loader))
        model = getattr(runner.model, 'module', runner.model)
        check_channels(model)
        check_trained(runner.model)
        heads = heads_of(runner.model)
        if heads:
            ignored = {name: getattr(head, 'ignore_index', IGNORE_INDEX) for name, head in heads.items()}
            check_padding(model)
            check_ignored(loader.dataset, ignored)
            check_labels(loader.dataset, set(ignored.values()))
        batch = GlobalBatch(get_world_size(), loader.batch_size, None, accumulation_of(runner.optim_wrapper))
        queue = getattr(model, 'queue', None)
        loss = getattr(getattr(model, 'head', None), 'loss_module', None)
        if isinstance(loss, DeterminedLoss):
            check_evidence(loss.determination, loader.dataset)
        if isinstance(queue, KeyQueue):
            check_queue(len(queue), different_images(loader.dataset), batch.per_process * batch.processes)
            _warn(runner, shuffling_advice(model.backbone, batch.processes))
        else:
            check_negatives(loss, batch.per_process, batch.processes)
        self._begun = runner.iter
        rates = sorted({group['initial_lr'] for group in runner.optim_wrapper.param_groups if 'initial_lr' in group})
        rates = rates or sorted({group['lr'] for group in runner.optim_wrapper.param_groups})
        runner.logger.info(
            f'{images} training images; global batch {batch}; base learning rate '
            f'{", ".join(f"{rate:g}" for rate in rates)}'
        )
        scaling = runner.cfg.get('auto_scale_lr') or {}
        _warn(runner, learning_rate_advice(batch.images, scaling.get('base_batch_size'), scaling.get('enable', False)))

    def after_train(self, runner) -> None:
        """Refuse to end normally if every loss was 0."""
        history = runner.message_hub.log_scalars.get('train/loss')
        if runner.iter > self._begun and history is not None and not np.any(history.data[0]):
            raise InputError(
                f'the loss was 0 in all of {runner.iter} iterations, so nothing was trained; give larger batches, a '
                'longer training or other labels'
            )

    def before_val(self, runner) -> None:
        """Check the classes of the validation data, and what its metrics ask."""
        check_classes(_head_classes(runner.model), _data_classes(runner.val_dataloader))
        _check_metrics(runner.val_evaluator, runner.val_dataloader)

    def before_test(self, runner) -> None:
        """Check the classes of the test data, and what its metrics ask."""
        check_classes(_head_classes(runner.model), _data_classes(runner.test_dataloader))
        _check_metrics(runner.test_evaluator, runner.test_dataloader)

    def _before_iter(self, runner, batch_idx: int, data_batch: Any = None, mode: str = 'train') -> None:
        """Check the sizes of the images in a batch of validation or test."""
        if mode != 'train':
            check_sizes(data_batch, f'{mode}_dataloader')


def _warn(runner, text: str | None) -> None:
    if text:
        runner.logger.warning(text)


def _head_classes(model) -> dict[str, int]:
    heads = heads_of(model)
    return {name: head.num_classes for name, head in heads.items() if hasattr(head, 'num_classes')}


def _check_metrics(evaluator, loader) -> None:
    """Let metrics refuse the data: LandCoverMetric does if two predictions would be one file."""
    for metric in evaluator.metrics:
        check = getattr(metric, 'check_dataset', None)
        if check is not None:
            check(loader.dataset)


def _data_classes(loader) -> list[str]:
    return list(loader.dataset.metainfo.get('classes', ()))
