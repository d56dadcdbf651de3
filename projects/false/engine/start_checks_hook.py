"""What must hold before the first step, and what a user wants to read before a long run."""

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from projects.false.errors import InputError
from projects.false.models import FALSE


def check_batches(images: int, batch_size: int, batches: int) -> None:
    """Refuse a loader that yields nothing, before MMEngine stops at its own assertion.

    Raises:
        InputError: There is not one full batch.
    """
    if batches == 0:
        raise InputError(
            f'{images} images do not fill one batch of {batch_size}; add images or lower train_dataloader.batch_size '
            '(--cfg-options train_dataloader.batch_size=N)'
        )


def check_classes(model_classes: dict[str, int], data_classes: list[str]) -> None:
    """Refuse a segmentation head whose number of classes is not that of the data.

    Args:
        model_classes: Number of classes by name of the head.
        data_classes: Class names of the data set.

    Raises:
        InputError: The numbers differ.
    """
    for head, number in model_classes.items():
        if number != len(data_classes):
            raise InputError(
                f'model.{head}.num_classes is {number}, the data has {len(data_classes)} classes '
                f'({", ".join(data_classes)}); set both to the same'
            )


def check_processes(contrastive: bool, processes: int) -> None:
    """Refuse in-batch contrastive pretraining on several processes: each would compare its own images alone.

    Raises:
        InputError: There is more than one process.
    """
    if contrastive and processes > 1:
        raise InputError(
            f'pretraining on {processes} processes is not in this version: the loss does not gather their batches; '
            'use one process, with train_dataloader.batch_size as large as its memory allows'
        )


@HOOKS.register_module()
class StartChecksHook(Hook):
    """Check data against model before training and testing; say global batch and learning rate."""

    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        """Check the train loader, then log what the run amounts to."""
        loader = runner.train_dataloader
        images, per_process = len(loader.dataset), loader.batch_size
        check_classes(_head_classes(runner.model), _data_classes(loader))
        processes = get_world_size()
        check_processes(isinstance(getattr(runner.model, 'module', runner.model), FALSE), processes)
        rates = sorted({group['initial_lr'] for group in runner.optim_wrapper.param_groups if 'initial_lr' in group})
        rates = rates or sorted({group['lr'] for group in runner.optim_wrapper.param_groups})
        runner.logger.info(
            f'{images} training images; global batch {per_process * processes} = {processes} process(es) x '
            f'{per_process}; base learning rate {", ".join(f"{rate:g}" for rate in rates)}'
        )

    def before_val(self, runner) -> None:
        """Check the classes of the validation data."""
        check_classes(_head_classes(runner.model), _data_classes(runner.val_dataloader))

    def before_test(self, runner) -> None:
        """Check the classes of the test data."""
        check_classes(_head_classes(runner.model), _data_classes(runner.test_dataloader))


def _head_classes(model) -> dict[str, int]:
    model = getattr(model, 'module', model)
    heads = {name: getattr(model, name, None) for name in ('decode_head', 'auxiliary_head')}
    return {name: head.num_classes for name, head in heads.items() if hasattr(head, 'num_classes')}


def _data_classes(loader) -> list[str]:
    return list(loader.dataset.metainfo.get('classes', ()))
