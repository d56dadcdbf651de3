"""Repeat a training step as it was: its batches and views, the weights of a checkpoint, the comparison of its loss."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner, set_random_seed
from torch import Tensor, nn
from torch.utils.data import DataLoader

import projects.false.datasets.view_labels  # noqa: F401  (registers)
from projects.false.common.errors import InputError
from projects.false.datasets.labelled_patches import labelled_dataset
from projects.false.datasets.seeding import SampleIndex
from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.engine.weights.matching import exact_weights
from projects.false.losses.comparison import Comparison
from projects.false.patch_folder.description import read_labelled_description

META_KEYS = ('sample_idx', 'img_path', 'view_classes', 'view_windows')


class AuditedBatch(NamedTuple):
    """A batch of training.

    Attributes:
        data: As the loader gives it, for the model's preprocessor.
        visits: The index of every image, with the seed of its views: ``dataset[visit]`` makes them again.
        classes: Pixels of every class that each view shows, (N, V, C), V the number of views.
    """

    data: dict
    visits: list[SampleIndex]
    classes: Tensor


def build_loader(config: Config, data_root: str, list_name: str, scope: str, seed: int) -> DataLoader:
    """The loader of a pretraining recipe over labelled patches: same pipeline, batch size, order and views.

    Args:
        config: A pretraining recipe.
        data_root: Labelled data as a converter leaves it.
        list_name: List of patches, relative to ``data_root``.
        scope: ``'view'`` or ``'patch'``: what the labels are counted in.
        seed: Of order and views; that of the run for the batches that the run saw.

    Raises:
        InputError: The recipe does not pretrain, the data has no labels, or the list holds less than a batch.
    """
    description = read_labelled_description(data_root)
    init_default_scope(config.get('default_scope', 'mmengine'))
    settings = config.train_dataloader.to_dict()
    steps = settings['dataset'].get('pipeline') or []
    if not steps or steps[-1].get('type') != 'PackInputs' or not config.model.get('head'):
        raise InputError(f'{config.filename}: pretrains nothing; give a recipe of FALSE, SimCLR or MoCo v2')
    counting = dict(type='CountViewLabels', classes=len(description['classes']), scope=scope)
    pipeline = [*steps[:-1], dict(type='LoadIndexMask'), counting, {**steps[-1], 'meta_keys': META_KEYS}]
    dataset = labelled_dataset(description, data_root, list_name, pipeline)
    size = settings['batch_size']
    if len(dataset) < size:
        raise InputError(
            f'{Path(data_root) / list_name}: {len(dataset)} patches are less than a batch of {size}; give another '
            '--split, or --cfg-options train_dataloader.batch_size=N'
        )
    settings.update(
        dataset=dataset,
        sampler=dict(type='SeededSampler'),
        drop_last=True,
        persistent_workers=settings.get('num_workers', 0) > 0,
    )
    return Runner.build_dataloader(settings, seed=seed)


def audited_batches(loader: DataLoader, count: int) -> Iterator[AuditedBatch]:
    """The first batches of a training, epoch after epoch."""
    epoch = 0
    while True:
        loader.sampler.set_epoch(epoch)
        visits = list(loader.sampler)
        for number, data in enumerate(loader):
            if count == 0:
                return
            count -= 1
            start = number * loader.batch_size
            classes = [torch.as_tensor(sample.view_classes) for sample in data['data_samples']]
            yield AuditedBatch(data, visits[start : start + loader.batch_size], torch.stack(classes))
        epoch += 1


UNTRAINED = 'untrained'


class Stage(NamedTuple):
    """A point of training.

    Attributes:
        path: Its checkpoint, or ``untrained`` for the weights that training begins with.
        epoch: Epochs done.
        iteration: Iterations done.
    """

    path: str
    epoch: int
    iteration: int

    @property
    def name(self) -> str:
        """Short name for tables."""
        return self.path if self.path == UNTRAINED else Path(self.path).stem


def build_model(config: Config, seed: int) -> nn.Module:
    """The untrained model of a pretraining recipe, on this machine, without SyncBN.

    Raises:
        InputError: The recipe's head holds no loss that compares projections.
    """
    init_default_scope(config.get('default_scope', 'mmengine'))
    set_random_seed(seed)
    model = revert_sync_batchnorm(MODELS.build(config.model))
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')  # it would tell of every single weight
    try:
        model.init_weights()
    finally:
        logger.setLevel(level)
    if not hasattr(getattr(getattr(model, 'head', None), 'loss_module', None), 'compare'):
        raise InputError(f'{config.filename}: has no contrastive loss in model.head; give a recipe of FALSE')
    if hasattr(model, 'key_encoder'):
        model.key_encoder.update(nn.Sequential(model.backbone, model.neck))  # the first one makes them equal
    return model


def load_stage(model: nn.Module, path: str) -> Stage:
    """Load a checkpoint into a model, every tensor of it, and no other; ``untrained`` leaves the model as it is.

    Raises:
        InputError: The file is missing, unsafe, or of another model.
    """
    if path == UNTRAINED:
        return Stage(path, 0, 0)
    loaded = read_checkpoint(path)
    model.load_state_dict(exact_weights(loaded, model, path))
    meta = loaded.get('meta') or {}
    return Stage(path, int(meta.get('epoch', 0)), int(meta.get('iter', 0)))


View = tuple[SampleIndex, int]
"""An image with the seed of its views, and which of the views."""


class AuditedComparison(NamedTuple):
    """Anchors, what they are compared with, and what each of them shows.

    Attributes:
        comparison: As the loss makes it, R anchors and C columns.
        rows: The view of every anchor, R of them.
        columns: The view of every column, C of them.
        row_classes: Pixels of every class that an anchor shows, (R, classes).
        column_classes: The same of the columns, (C, classes).
    """

    comparison: Comparison
    rows: list[View]
    columns: list[View]
    row_classes: Tensor
    column_classes: Tensor


def audited_comparisons(
    model: nn.Module, batches: Iterable[AuditedBatch], precision: Callable[[], AbstractContextManager]
) -> Iterator[AuditedComparison]:
    """Run the forward pass of training on batches, weights held still, and catch what reaches the loss.

    Batch statistics are those of the batch, as in training. A queue (FALSEMoCo) begins empty and fills with keys of
    these batches; what is compared before it is full is left out. The key encoder does not move.

    Args:
        model: A FALSE or FALSEMoCo, changed: its running statistics and its queue.
        batches: Batches in the order of training.
        precision: Opens the context of a forward pass, such as autocast.
    """
    caught: dict = {}
    queue = getattr(model, 'queue', None)
    if queue is not None:
        model.key_encoder.momentum = 0.0
        queue.image_indices.fill_(-1)
        queue.pointer.zero_()
        past: list[tuple[View, Tensor] | None] = [None] * len(queue)

    def catch(module, views, others) -> None:
        caught.update(comparison=module.compare(*views, **others))

    loss = model.head.loss_module
    handle = loss.register_forward_pre_hook(catch, with_kwargs=True)
    model.train()
    try:
        for batch in batches:
            with torch.no_grad(), precision():
                model(**model.data_preprocessor(batch.data, True), mode='loss')
            classes = batch.classes
            classes = classes if classes.shape[1] > 1 else classes.expand(-1, 2, -1)
            first = [(visit, 0) for visit in batch.visits]
            second = [(visit, 1) for visit in batch.visits]
            if queue is None:
                rows, both = [*first, *second], torch.cat([classes[:, 0], classes[:, 1]])
                yield AuditedComparison(caught['comparison'], rows, rows, both, both)
                continue
            if None not in past:
                columns, column_classes = zip(*past, strict=True)
                yield AuditedComparison(
                    caught['comparison'], first, list(columns), classes[:, 0], torch.stack(column_classes)
                )
            last = int(queue.pointer) - len(second)
            for offset, key in enumerate(zip(second, classes[:, 1], strict=True)):
                past[(last + offset) % len(past)] = key
    finally:
        handle.remove()
