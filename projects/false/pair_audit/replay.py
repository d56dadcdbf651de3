"""The batches and views that training makes, with the labels of every view."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

import projects.false.pair_audit.view_labels  # noqa: F401  (registers)
from projects.false.datasets.dataset_json import read_labelled_description
from projects.false.datasets.labelled_patches import labelled_dataset
from projects.false.datasets.seeding import SampleIndex
from projects.false.errors import InputError

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
