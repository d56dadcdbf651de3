"""The sides as data sets: every sample is two views in channels-first tensors, drawn from the same distributions."""

import itertools
from collections.abc import Callable
from pathlib import Path

import mmpretrain.datasets  # noqa: F401  (registers the stock transforms)
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS, DefaultScope
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

from projects.false.common.random_state import seeded
from projects.false.datasets import UnlabelledPatches
from projects.false.datasets.view_evidence import fit_missing_appearance
from projects.false.datasets.views.views import crop_window, resize, store_bands_first
from projects.false.patch_folder.packed import PackedPatches

JITTER = (0.8, 0.8, 0.8, 0.2)  # as released; so are crop scale, probabilities and sigma, the defaults of all sides
STOCK, TORCHVISION, LOADER, DEVICE = 'mmpretrain stock', 'torchvision v2', 'loader path', 'device path'
APPEARANCE = 'loader path, by appearance'
FLOOR = 'floor of the device path'  # packed patches only


class Mapped(Dataset):
    """A data set made of a function of the sample's number."""

    def __init__(self, count: int, make: Callable[[int], object]) -> None:
        self.count, self.make = count, make

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> object:
        return self.make(int(index))


def ours(content: Path, storage: str, color_on: str, evidence: dict | None = None, **views) -> BaseDataset:
    """Build this project's data set: two views by ``ContrastiveViews``, and what ``evidence`` finds in them."""
    packed = storage == 'packed'
    pipeline = [
        dict(type='LoadPatch'),
        dict(type='ContrastiveViews', color_on=color_on, **views),
        dict(type='mmpretrain.PackInputs'),
    ]
    prefix = dict(img_path='PNG' if packed else storage)
    return UnlabelledPatches(str(content), data_prefix=prefix, packed=packed, pipeline=pipeline, evidence=evidence)


def stock_view(size: int, scale: tuple[float, float] = (0.08, 1.0), jitter: tuple[float, ...] = JITTER) -> list[dict]:
    """Return the view of mmpretrain's configs/_base_/datasets/imagenet_bs32_simclr.py."""
    names = ('brightness', 'contrast', 'saturation', 'hue')
    return [
        dict(type='RandomResizedCrop', scale=size, crop_ratio_range=scale, backend='pillow'),
        dict(type='RandomFlip', prob=0.5),
        dict(
            type='RandomApply',
            transforms=[dict(type='ColorJitter', **dict(zip(names, jitter, strict=True)))],
            prob=0.8,
        ),
        dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.2989)),
        dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=0.5),
    ]


def stock(content: Path, storage: str, view: list[dict]) -> Dataset:
    """Build mmpretrain's pipeline; packed patches, which mmpretrain cannot read, skip its step that reads files."""
    two_views = [dict(type='MultiView', num_views=2, transforms=[view]), dict(type='PackInputs')]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        if storage != 'packed':
            load = dict(type='LoadImageFromFile')
            return DATASETS.build(
                dict(
                    type='CustomDataset',
                    data_root=str(content / storage),
                    with_label=False,
                    pipeline=[load, *two_views],
                )
            )
        steps = Compose([TRANSFORMS.build(step) for step in two_views])
    patches = PackedPatches(content / 'packed')

    def make(index: int) -> dict:
        image = patches.image(index)
        return steps({'img': image, 'img_shape': image.shape[:2]})

    return Mapped(len(patches), make)


def torchvision(content: Path, storage: str, size: int) -> Dataset:
    """Build torchvision's transforms on uint8 tensors, drawn for every view."""
    steps = v2.Compose(
        [
            v2.RandomResizedCrop(size, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(*JITTER)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(13, (0.1, 2.0))], p=0.5),
        ]
    )
    if storage == 'packed':
        patches = PackedPatches(content / 'packed')

        def read(index: int) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(patches.image(index)[..., ::-1].transpose(2, 0, 1)))

        count = len(patches)
    else:
        paths = sorted((content / storage).iterdir())

        def read(index: int) -> Tensor:
            return decode_image(str(paths[index]), ImageReadMode.RGB)

        count = len(paths)

    def make(index: int) -> dict:
        image = read(index)
        return {'inputs': [steps(image), steps(image)]}

    return Mapped(count, make)


def floor(content: Path, size: int) -> Dataset:
    """Build the least that two views of a packed patch take: copy it, resize two crops, store them band by band.

    The windows are drawn beforehand, from the same distribution; nothing else is drawn, seeded, checked or packed.
    """
    patches = PackedPatches(content / 'packed')
    height, width = patches.image(0).shape[:2]
    with seeded((0,)):
        drawn = [crop_window(height, width, (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(2048)]
    windows = itertools.cycle(drawn)

    def make(index: int) -> dict:
        image, views = patches.image(index), []
        for top, left, tall, wide in itertools.islice(windows, 2):
            view = store_bands_first(resize(image[top : top + tall, left : left + wide], size))
            views.append(torch.from_numpy(view.transpose(2, 0, 1)))
        return {'inputs': views}

    return Mapped(len(patches), make)


def build(side: str, content: Path, storage: str, size: int) -> Dataset:
    """Build one side with the released views of ``size`` pixels."""
    if side == FLOOR:
        return floor(content, size)
    if side == STOCK:
        return stock(content, storage, stock_view(size))
    if side == TORCHVISION:
        return torchvision(content, storage, size)
    evidence = dict(type='ViewAppearance') if side == APPEARANCE else None
    dataset = ours(content, storage, 'device' if side == DEVICE else 'loader', evidence, size=size, jitter=JITTER)
    fit_missing_appearance(dataset)
    return dataset
