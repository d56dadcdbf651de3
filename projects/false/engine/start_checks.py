"""Whether model, data and batch fit together, as :class:`.StartChecksHook` and tools ask before the first step."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import nn

from projects.false.common.errors import InputError
from projects.false.datasets.loading import LoadIndexMask
from projects.false.datasets.raster_windows import RasterWindows
from projects.false.datasets.view_evidence import parts_of, pipeline_steps
from projects.false.imagery.palettes import IGNORE_INDEX
from projects.false.losses.base import ContrastiveLoss
from projects.false.losses.determinations import Determination, Evidence


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
    """Refuse a segmentation head whose number of classes differs from that of the data, and data of a single class.

    Args:
        model_classes: Number of classes of each head, by name.
        data_classes: Class names of the data set.

    Raises:
        InputError: A number differs, or heads are trained to tell one class apart from nothing.
    """
    if model_classes and len(data_classes) == 1:
        raise InputError(
            f'the data has one class ({data_classes[0]}), so that every pixel would be of it; convert the data with a '
            'second class for everything else'
        )
    for head, number in model_classes.items():
        if number != len(data_classes):
            raise InputError(
                f'model.{head}.num_classes is {number}, the data has {len(data_classes)} classes '
                f'({", ".join(data_classes)}); set both to the same'
            )


def check_channels(model: nn.Module) -> None:
    """Refuse heads whose maps or input channels differ from those of the backbone, where the backbone states them.

    A :class:`~projects.false.models.timm_backbone.TimmBackbone` does so, and the layers of a ResNet do.

    Raises:
        InputError: A number differs, or the backbone has no such map.
    """
    given = _channels(getattr(model, 'backbone', None))
    if given is None or getattr(model, 'with_neck', False):
        return
    for name, head in heads_of(model).items():
        indices = head.in_index if isinstance(head.in_index, list | tuple) else [head.in_index]
        taken = head.in_channels if isinstance(head.in_channels, list | tuple) else [head.in_channels]
        if any(index not in range(-len(given), len(given)) for index in indices):
            raise InputError(
                f'model.{name}.in_index is {head.in_index}, but {_network_name(model)} gives {len(given)} map(s), 0 to '
                f'{len(given) - 1}; set model.{name}.in_index to some of them, or add maps to '
                'model.backbone.out_indices'
            )
        fitting = [given[index] for index in indices]
        if list(taken) != fitting:
            needed = fitting if isinstance(head.in_channels, list | tuple) else fitting[0]
            raise InputError(
                f'model.{name}.in_channels is {head.in_channels}, but {_network_name(model)} has the channels '
                f'{list(given)}; set model.{name}.in_channels={needed}'
            )
    hidden = getattr(getattr(model, 'neck', None), 'hidden', None)
    if isinstance(hidden, nn.Linear) and hidden.in_features != given[-1]:
        raise InputError(
            f'model.neck.in_channels is {hidden.in_features}, but the last map of {_network_name(model)} has '
            f'{given[-1]} channels; set model.neck.in_channels={given[-1]}'
        )


def _channels(backbone: Any) -> tuple[int, ...] | None:
    """Return the channels of the maps that a backbone returns, or None if it is of another kind."""
    stated = getattr(backbone, 'channels', None)
    if isinstance(stated, tuple):
        return stated
    if type(backbone).__module__.partition('.')[0] not in ('mmpretrain', 'mmseg'):  # others count the stem as a layer
        return None
    layers = [getattr(backbone, name)[-1] for name in getattr(backbone, 'res_layers', ())]
    last = [getattr(block, 'conv3', None) or getattr(block, 'conv2', None) for block in layers]
    if not last or not all(isinstance(conv, nn.Conv2d) for conv in last):
        return None
    return tuple(last[index].out_channels for index in backbone.out_indices)


def _network_name(model: nn.Module) -> str:
    return str(getattr(model.backbone, 'model_name', type(model.backbone).__name__))


def check_queue(queue_len: int, images: int, global_batch: int) -> None:
    """Refuse a queue that would fill up with old keys of the queries' own images, or is not a multiple of the batch.

    Args:
        queue_len: Length K of the queue.
        images: Number of different images in the data set.
        global_batch: Images per step, over all processes.

    Raises:
        InputError: K is more than a quarter of the images, or not a multiple of the global batch.
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


def check_trained(model: nn.Module) -> None:
    """Refuse a model without a weight to train.

    Raises:
        InputError: Everything is frozen.
    """
    if not any(weight.requires_grad for weight in model.parameters()):
        raise InputError('model has no weight to train, all of it is frozen; set frozen_stages=-1 of its parts')


def check_negatives(loss: nn.Module | None, per_process: int, processes: int) -> None:
    """Refuse a contrastive loss without a queue on a single image, which has no negatives and trains nothing.

    Raises:
        InputError: The batch that the loss compares is one image.
    """
    compared = per_process * (processes if getattr(loss, 'gather', True) else 1)
    if isinstance(loss, ContrastiveLoss) and compared < 2:
        raise InputError(
            f'{type(loss).__name__} compares the images of a batch with one another, so that a batch of {compared} '
            'trains nothing; raise train_dataloader.batch_size to 2 or more'
        )


def check_evidence(determination: Determination, dataset: Any) -> None:
    """Refuse evidence that determination ``evidence`` would compare in the wrong way, so that the loss means nothing.

    Args:
        determination: The rule of the loss, which may combine others.
        dataset: The data set of a training, whose steps find the evidence.

    Raises:
        InputError: Codes would be compared by overlap, or shares by distance.
    """
    rules = (rule for rule in determination.all_rules() if isinstance(rule, Evidence) and 'evidence' in rule.reads)
    ways = {rule.compare for rule in rules}
    for step in pipeline_steps(dataset):
        fitting = getattr(step, 'compare', None)
        wrong = ways - {fitting}
        if fitting is not None and wrong:
            raise InputError(
                f'{type(step).__name__} stores {"codes" if fitting == "distance" else "shares"}, which determination '
                f'evidence would compare by {wrong.pop()}; set model.head.loss.determination.compare={fitting}, or '
                'give train_dataloader.dataset.evidence of the other kind'
            )


def different_images(dataset: Any) -> int:
    """Return the number of different images of a data set; windows of rasters may come several times per epoch."""
    parts = parts_of(dataset)
    return sum(part.different if isinstance(part, RasterWindows) else len(part) for part in parts)


def check_labels(dataset: Any, ignored: set[int]) -> None:
    """Refuse labels that are all ignored. Masks are read until one has a pixel that counts, usually the first.

    Args:
        dataset: The data set of a training; it is not checked if its pipeline reads no masks.
        ignored: Labels that every loss of the model ignores.

    Raises:
        InputError: All pixels are ignored.
    """
    read = 0
    for _, labels in _masks(dataset):
        read += 1
        if not np.isin(labels, list(ignored)).all():
            return
    if read:
        raise InputError(
            f'all {read} masks of the training list hold nothing but ignored labels '
            f'({", ".join(map(str, sorted(ignored)))}), so nothing would be trained; look at them with '
            'tools/audit_labels.py, or give another list as train_dataloader.dataset.ann_file'
        )


def check_ignored(dataset: Any, ignored: dict[str, int]) -> None:
    """Refuse masks with ignored pixels for a head that ignores another label; its loss would take 255 for a class.

    Args:
        dataset: The data set of a training. All its masks are read, but only for such a head.
        ignored: The label that each head ignores, by name.

    Raises:
        InputError: A mask has ignored pixels.
    """
    head = next((head for head, label in ignored.items() if label != IGNORE_INDEX), None)
    if head is None:
        return
    for path, labels in _masks(dataset):
        if (labels == IGNORE_INDEX).any():
            raise InputError(
                f'model.{head}.ignore_index is {ignored[head]}, but {path} has ignored pixels, which are '
                f'{IGNORE_INDEX}; set it to {IGNORE_INDEX}, and convert the masks with all that is left out as '
                f'{IGNORE_INDEX}'
            )


def check_padding(model: nn.Module) -> None:
    """Refuse to pad masks with a label that a head does not ignore; its loss would take it for a class.

    Raises:
        InputError: mmseg's preprocessor brings batches to a size, and pads masks with another label.
    """
    model = getattr(model, 'module', model)
    pads = getattr(model, 'data_preprocessor', None)
    if getattr(pads, 'size', None) is None and getattr(pads, 'size_divisor', None) is None:
        return
    for name, head in heads_of(model).items():
        ignored, padding = getattr(head, 'ignore_index', IGNORE_INDEX), getattr(pads, 'seg_pad_val', None)
        if padding is not None and padding != ignored:
            raise InputError(
                f'model.data_preprocessor.seg_pad_val is {padding}, but model.{name} ignores {ignored}; '
                f'set model.data_preprocessor.seg_pad_val={ignored}'
            )


def _masks(dataset: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield path and content of every mask of a data set; none if it, or a part of it, reads them in another way."""
    parts = parts_of(dataset)
    loaders = [[step for step in pipeline_steps(part) if isinstance(step, LoadIndexMask)] for part in parts]
    if not all(loaders):
        return
    for part, (load, *_) in zip(parts, loaders, strict=True):
        for index in range(len(part)):
            try:
                entry = part.get_data_info(index)
                labels = load(entry)['gt_seg_map']
            except InputError:
                if not getattr(part, 'max_unreadable', 0):
                    raise
                continue
            yield entry['seg_map_path'], labels


def check_sizes(batch: Any, loader: str) -> None:
    """Refuse a batch of validation or test with images of different sizes, which mmseg pads only in training.

    Raises:
        InputError: The sizes differ.
    """
    inputs = batch.get('inputs', ()) if isinstance(batch, Mapping) else ()
    sizes = {' x '.join(map(str, image.shape[:0:-1])) for image in inputs}
    if len(sizes) > 1:
        raise InputError(f'a batch has images of {" and ".join(sorted(sizes))} pixels; set {loader}.batch_size=1')


def heads_of(model: nn.Module) -> dict[str, Any]:
    """Return the heads of a segmentor, or of one that several processes train, by name."""
    model = getattr(model, 'module', model)
    names = ('decode_head', 'auxiliary_head')
    return {name: getattr(model, name) for name in names if isinstance(getattr(model, name, None), nn.Module)}
