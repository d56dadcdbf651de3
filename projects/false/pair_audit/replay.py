"""Replay training steps: their batches and views, the weights of a checkpoint, and the comparisons of the loss.

The steps of an audit are, in this order, the loader, the model, a stage of training, its batches and its comparisons.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner, set_random_seed
from torch import Tensor, nn
from torch.utils.data import DataLoader

import projects.false.datasets.view_labels  # noqa: F401  (registers)
from projects.false.common.errors import InputError, type_name
from projects.false.datasets.labelled_patches import labelled_dataset
from projects.false.datasets.mixins import with_evidence
from projects.false.datasets.seeding import SampleIndex
from projects.false.datasets.view_evidence import fit_missing_appearance
from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.engine.weights.matching import exact_weights
from projects.false.losses.comparison import Comparison
from projects.false.patch_folder.description import read_labelled_description

META_KEYS = ('sample_idx', 'img_path', 'view_classes', 'view_windows')
UNTRAINED = 'untrained'

View = tuple[SampleIndex, int]
"""An image with the seed of its views, and the number of one of its views."""


def build_loader(config: Config, data_root: str, list_name: str, scope: str, seed: int) -> DataLoader[Any]:
    """Build the loader of a pretraining recipe for labelled patches: same pipeline, batch size, order and views.

    Args:
        config: A pretraining recipe.
        data_root: Labelled data as a converter leaves it.
        list_name: List of patches, relative to ``data_root``.
        scope: Where labels are counted: in the window of a ``'view'`` or in its whole ``'patch'``.
        seed: Seed of order and views; the seed of the run gives the batches that the run saw.

    Raises:
        InputError: The recipe does not pretrain or joins data sets, the data has no labels, or the list holds less than
            one batch.
    """
    description = read_labelled_description(data_root)
    init_default_scope(config.get('default_scope', 'mmengine'))
    settings = config.train_dataloader.to_dict()
    if 'datasets' in settings['dataset'] and config.model.get('head'):
        raise InputError(
            f'{config.filename}: joins {len(settings["dataset"]["datasets"])} data sets, which cannot be audited '
            'together; give a recipe whose train_dataloader.dataset is one of them'
        )
    steps = settings['dataset'].get('pipeline') or []
    if not steps or type_name(steps[-1].get('type')) != 'PackInputs' or not config.model.get('head'):
        raise InputError(f'{config.filename}: pretrains nothing; give a recipe of FALSE, SimCLR or MoCo v2')
    counting = dict(type='CountViewLabels', classes=len(description['classes']), scope=scope)
    *steps, pack = with_evidence(steps, settings['dataset'].get('evidence'))
    pipeline = [*steps, dict(type='LoadIndexMask'), counting, {**pack, 'meta_keys': META_KEYS}]
    dataset = labelled_dataset(description, data_root, list_name, pipeline)
    size, sampler = settings['batch_size'], settings.get('sampler', {})
    if len(dataset) < size:
        raise InputError(
            f'{Path(data_root) / list_name}: {len(dataset)} patches are less than a batch of {size}; give another '
            '--split, or --cfg-options train_dataloader.batch_size=N'
        )
    fit_missing_appearance(dataset, whole_folder=True)
    settings.update(
        dataset=dataset,
        sampler=sampler if type_name(sampler.get('type')) == 'NeighbourSampler' else dict(type='SeededSampler'),
        drop_last=True,
        persistent_workers=settings.get('num_workers', 0) > 0,
    )
    loader: DataLoader[Any] = Runner.build_dataloader(settings, seed=seed)
    return loader


def build_model(config: Config, seed: int) -> nn.Module:
    """Build the untrained model of a pretraining recipe for a single process, without SyncBN.

    Raises:
        InputError: The recipe's head holds no loss that compares projections.
    """
    init_default_scope(config.get('default_scope', 'mmengine'))
    set_random_seed(seed)
    model: Any = revert_sync_batchnorm(MODELS.build(config.model))
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')  # it would log every single weight
    try:
        model.init_weights()
    finally:
        logger.setLevel(level)
    if not hasattr(getattr(getattr(model, 'head', None), 'loss_module', None), 'compare'):
        raise InputError(f'{config.filename}: has no contrastive loss in model.head; give a recipe of FALSE')
    if hasattr(model, 'key_encoder'):
        model.key_encoder.update(nn.Sequential(model.backbone, model.neck))  # the first update makes them equal
    built: nn.Module = model
    return built


class Stage(NamedTuple):
    """A stage of training.

    Attributes:
        path: Its checkpoint, or ``untrained`` for the weights that training starts with.
        epoch: Epochs done.
        iteration: Iterations done.
    """

    path: str
    epoch: int
    iteration: int

    @property
    def name(self) -> str:
        """The short name for tables."""
        return self.path if self.path == UNTRAINED else Path(self.path).stem


def load_stage(model: nn.Module, path: str) -> Stage:
    """Load a checkpoint into a model, which must match in every tensor; ``untrained`` leaves the model as it is.

    Raises:
        InputError: The file is missing, unsafe, or of another model.
    """
    if path == UNTRAINED:
        return Stage(path, 0, 0)
    loaded = read_checkpoint(path)
    model.load_state_dict(exact_weights(loaded, model, path))
    meta = loaded.get('meta') or {}
    return Stage(path, int(meta.get('epoch', 0)), int(meta.get('iter', 0)))


class AuditedBatch(NamedTuple):
    """A batch of training.

    Attributes:
        data: The batch of the loader, for the model's preprocessor.
        visits: The index of every image, with the seed of its views: ``dataset[visit]`` makes them again.
        classes: Pixels of every class that each view shows, shape (N, V, classes), V the number of views.
    """

    data: dict[str, Any]
    visits: list[SampleIndex]
    classes: Tensor


def audited_batches(loader: DataLoader[Any], count: int) -> Iterator[AuditedBatch]:
    """Yield the first ``count`` batches of a training, epoch after epoch."""
    epoch, sampler = 0, cast(Any, loader.sampler)
    while True:
        sampler.set_epoch(epoch)
        visits = iter(list(sampler))
        for data in loader:
            if count == 0:
                return
            count -= 1
            classes = [torch.as_tensor(sample.view_classes) for sample in data['data_samples']]
            yield AuditedBatch(data, list(islice(visits, len(classes))), torch.stack(classes))
        epoch += 1


class AuditedComparison(NamedTuple):
    """A comparison with the views behind it and the land cover that they show.

    Attributes:
        comparison: The comparison of the loss, R anchors and C columns.
        rows: The views of the R anchors.
        columns: The views of the C columns.
        row_classes: Pixels of every class that the anchors show, shape (R, classes).
        column_classes: Pixels of every class that the columns show, shape (C, classes).
    """

    comparison: Comparison
    rows: list[View]
    columns: list[View]
    row_classes: Tensor
    column_classes: Tensor


def audited_comparisons(
    model: nn.Module, batches: Iterable[AuditedBatch], precision: Callable[[], AbstractContextManager[Any]]
) -> Iterator[AuditedComparison]:
    """Run the forward pass of training on batches, with constant weights, and yield the comparisons of the loss.

    Batch statistics are those of the batch, as in training. A queue (FALSEMoCo) starts empty and fills with keys of
    these batches; comparisons before it is full are left out. The key encoder does not move.

    Args:
        model: A FALSE or FALSEMoCo, whose running statistics and queue this changes.
        batches: Batches in the order of training.
        precision: Opens the context of a forward pass, such as autocast.
    """
    algorithm: Any = model
    queue = getattr(algorithm, 'queue', None)
    past: list[tuple[View, Tensor] | None] = []
    if queue is not None:
        algorithm.key_encoder.momentum = 0.0
        queue.image_indices.fill_(-1)
        queue.pointer.zero_()
        past = [None] * len(queue)
    caught: list[Comparison] = []

    def keep_comparison(module: Any, views: tuple[Tensor, ...], others: dict[str, Tensor]) -> None:
        caught.append(module.compare(*views, **others))

    handle = algorithm.head.loss_module.register_forward_pre_hook(keep_comparison, with_kwargs=True)
    algorithm.train()
    try:
        for batch in batches:
            with torch.no_grad(), precision():
                algorithm(**algorithm.data_preprocessor(batch.data, True), mode='loss')
            comparison = caught.pop()
            classes = batch.classes if batch.classes.shape[1] > 1 else batch.classes.expand(-1, 2, -1)
            first = [(visit, 0) for visit in batch.visits]
            second = [(visit, 1) for visit in batch.visits]
            if queue is None:
                rows, row_classes = [*first, *second], torch.cat([classes[:, 0], classes[:, 1]])
                yield AuditedComparison(comparison, rows, rows, row_classes, row_classes)
                continue
            keys = [key for key in past if key is not None]
            if len(keys) == len(past):
                columns, column_classes = zip(*keys, strict=True)
                yield AuditedComparison(comparison, first, list(columns), classes[:, 0], torch.stack(column_classes))
            # The model has enqueued its keys by now, so that the pointer is one past the last of them.
            start = int(queue.pointer) - len(second)
            for offset, key in enumerate(zip(second, classes[:, 1], strict=True)):
                past[(start + offset) % len(past)] = key
    finally:
        handle.remove()
