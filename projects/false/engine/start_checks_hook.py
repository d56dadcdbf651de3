"""Check before the first step that data, model and batch fit together, and log the size of the run."""

from mmengine.dist import barrier, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import nn

from projects.false.common.errors import InputError
from projects.false.datasets.view_evidence import fit_missing_appearance
from projects.false.models.false_moco import KeyQueue

from .resume.global_batch import GlobalBatch, accumulation_of


def check_batches(images: int, batch_size: int, batches: int) -> None:
    """Refuse a data loader without a single batch; MMEngine would fail with an assertion.

    Raises:
        InputError: The images do not fill one batch.
    """
    if batches == 0:
        raise InputError(
            f'{images} images do not fill one batch of {batch_size}; add images or lower train_dataloader.batch_size '
            '(--cfg-options train_dataloader.batch_size=N)'
        )


def check_classes(model_classes: dict[str, int], data_classes: list[str]) -> None:
    """Refuse a segmentation head whose number of classes differs from that of the data.

    Args:
        model_classes: Number of classes of each head, by name.
        data_classes: Class names of the data set.

    Raises:
        InputError: A number differs.
    """
    for head, number in model_classes.items():
        if number != len(data_classes):
            raise InputError(
                f'model.{head}.num_classes is {number}, the data has {len(data_classes)} classes '
                f'({", ".join(data_classes)}); set both to the same'
            )


def check_queue(queue_len: int, images: int, global_batch: int) -> None:
    """Refuse a queue that would fill up with old keys of the queries' own images, or is no multiple of the batch.

    Args:
        queue_len: Length K of the queue.
        images: Number of images in the data set.
        global_batch: Images per step, over all processes.

    Raises:
        InputError: K is more than a quarter of the images, or no multiple of the global batch.
    """
    largest = images // 4 // global_batch * global_batch
    way_out = f'set model.queue_len={largest}' if largest else 'add images or lower train_dataloader.batch_size'
    if queue_len > images // 4:
        raise InputError(
            f'model.queue_len {queue_len} is more than a quarter of the {images} images, so that the queue would hold '
            f'several keys of one image; {way_out}'
        )
    if queue_len % global_batch:
        raise InputError(
            f'model.queue_len {queue_len} is no multiple of the global batch of {global_batch} images; {way_out}'
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

    Before pretraining it also fits ``appearance.json`` where the pipeline needs it and the data lacks it.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        """Check classes, batch and queue, then log the number of images, the global batch and the learning rate."""
        loader = runner.train_dataloader
        images = len(loader.dataset)
        if is_main_process():
            made = fit_missing_appearance(loader.dataset)
            if made:
                runner.logger.info(f'fitted the appearance of the data: {made}')
        barrier()
        check_classes(_head_classes(runner.model), _data_classes(loader))
        batch = GlobalBatch(get_world_size(), loader.batch_size, None, accumulation_of(runner.optim_wrapper))
        model = getattr(runner.model, 'module', runner.model)
        queue = getattr(model, 'queue', None)
        if isinstance(queue, KeyQueue):
            check_queue(len(queue), images, batch.per_process * batch.processes)
            _warn(runner, shuffling_advice(model.backbone, batch.processes))
        rates = sorted({group['initial_lr'] for group in runner.optim_wrapper.param_groups if 'initial_lr' in group})
        rates = rates or sorted({group['lr'] for group in runner.optim_wrapper.param_groups})
        runner.logger.info(
            f'{images} training images; global batch {batch}; base learning rate '
            f'{", ".join(f"{rate:g}" for rate in rates)}'
        )
        scaling = runner.cfg.get('auto_scale_lr') or {}
        _warn(runner, learning_rate_advice(batch.images, scaling.get('base_batch_size'), scaling.get('enable', False)))

    def before_val(self, runner) -> None:
        """Check the classes of the validation data."""
        check_classes(_head_classes(runner.model), _data_classes(runner.val_dataloader))

    def before_test(self, runner) -> None:
        """Check the classes of the test data."""
        check_classes(_head_classes(runner.model), _data_classes(runner.test_dataloader))


def _warn(runner, text: str | None) -> None:
    if text:
        runner.logger.warning(text)


def _head_classes(model) -> dict[str, int]:
    model = getattr(model, 'module', model)
    heads = {name: getattr(model, name) for name in ('decode_head', 'auxiliary_head') if hasattr(model, name)}
    return {name: head.num_classes for name, head in heads.items() if hasattr(head, 'num_classes')}


def _data_classes(loader) -> list[str]:
    return list(loader.dataset.metainfo.get('classes', ()))
