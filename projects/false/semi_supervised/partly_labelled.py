"""Labelled patches that each bring some unlabelled ones along, with the draws of their strong views."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS

from projects.false.common.errors import InputError, check_count, check_range, type_name
from projects.false.common.random_state import seeded
from projects.false.datasets.land_cover import LandCoverPatches
from projects.false.datasets.loading import LoadPatch
from projects.false.datasets.seeding import SampleIndex
from projects.false.datasets.views.steps import ColorSteps
from projects.false.imagery.palettes import IGNORE_INDEX


@DATASETS.register_module()
class PartlyLabelledPatches(LandCoverPatches):
    """Labelled patches for supervised training, each with unlabelled patches for a mean teacher.

    The seed of a labelled patch decides which unlabelled patches come along and how they are changed. The result
    depends neither on workers and processes nor on an interruption.

    Args:
        unlabelled: Changes to the config of the unlabelled data, which is ``UnlabelledPatches`` of
            ``splits/pretrain.txt`` in the folder of the labelled patches, read by their ``LoadPatch`` and with their
            ``max_unreadable``, and ``packed`` if they are. A custom ``pipeline`` must end with the weak view in
            ``img``.
        view_size: Side of the weak views in pixels: crops of patches that are enlarged up to two times, and flipped.
            None flips whole patches.
        companions: Unlabelled patches per labelled one, at least 1.
        color: Arguments of :class:`~projects.false.datasets.views.steps.ColorSteps`, from which the strong view is
            drawn.
        cutmix_prob: Probability in [0, 1] that a rectangle of the strong view comes from the next companion. It needs
            two companions or more.
        kept_apart: Share in [0, 1) of the labelled patches, drawn by ``kept_apart_seed``, that are left out of training
            and on which :class:`MeanTeacherHook` compares the student with its supervised start; at least one patch.
            0 keeps none apart.
        kept_apart_seed: Seed of that draw.
        kwargs: Arguments of :class:`~projects.false.datasets.land_cover.LandCoverPatches`.

    Shape:
        - ``unlabelled``: (companions, bands, H, W), uint8, weak views
        - ``steps``: (companions, 10), the colour steps of the strong views
        - ``boxes``: (companions, 4), rows top, left, bottom, right of the rectangle in pixels, zeros for none

    Raises:
        InputError: A number is out of range, fewer unlabelled patches exist than companions, their weak views differ in
            size, or keeping patches apart leaves none to train on.
    """

    def __init__(
        self,
        *args: Any,
        unlabelled: dict | None = None,
        view_size: int | None = None,
        companions: int = 2,
        color: dict | None = None,
        cutmix_prob: float = 0.5,
        kept_apart: float = 0.2,
        kept_apart_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if view_size is not None:
            check_count('view_size of PartlyLabelledPatches', view_size)
        check_count('companions of PartlyLabelledPatches', companions)
        check_range('cutmix_prob of PartlyLabelledPatches', cutmix_prob, 0, 1)
        check_range('kept_apart of PartlyLabelledPatches', kept_apart, 0, 1)
        if cutmix_prob and companions < 2:
            raise InputError(
                f'cutmix_prob is {cutmix_prob} with {companions} companions; give at least 2, or cutmix_prob=0'
            )
        self.companions, self.cutmix_prob = companions, cutmix_prob
        self.color = ColorSteps(**(color or dict(jitter=(0.5, 0.5, 0.5, 0.25))))
        self._share_apart, self._seed_apart = kept_apart, kept_apart_seed
        self.kept_apart: LandCoverPatches | None = None
        super().__init__(*args, **kwargs)
        source = dict(type='UnlabelledPatches', data_root=self.data_root, ann_file='splits/pretrain.txt')
        settings = {**source, 'pipeline': [self._load(), *weak_views(view_size)], **(unlabelled or {})}
        if type_name(settings['type']) == 'UnlabelledPatches':
            settings.setdefault('max_unreadable', self.max_unreadable)
            settings.setdefault('packed', self.packed if settings['data_root'] == self.data_root else False)
        self.unlabelled: BaseDataset = DATASETS.build(settings)
        if len(self.unlabelled) < companions:
            raise InputError(
                f'{len(self.unlabelled)} unlabelled patches in {self.unlabelled.data_root} are fewer than companions, '
                f'{companions}; add patches or lower train_dataloader.dataset.companions'
            )

    def full_init(self) -> None:
        """Open the labelled patches, then set aside those that are kept apart."""
        if self._fully_initialized:
            return
        super().full_init()
        if not self._share_apart:
            return
        count = max(1, round(self._share_apart * len(self)))
        if count >= len(self):
            raise InputError(
                f'kept_apart={self._share_apart} keeps {count} of {len(self)} labelled patches and leaves none to '
                'train on; lower train_dataloader.dataset.kept_apart, 0 keeps none'
            )
        order = np.random.default_rng(self._seed_apart).permutation(len(self))
        apart = self.get_subset(sorted(order[:count].tolist()))
        apart.pipeline = Compose([self._load(), dict(type='LoadIndexMask'), dict(type='mmseg.PackSegInputs')])
        apart.companions = 0
        if not any(self._has_label(apart[index]) for index in range(count)):
            raise InputError(
                f'kept_apart={self._share_apart} keeps {count} of {len(self)} labelled patches, and none of them has a '
                'labelled pixel; give another train_dataloader.dataset.kept_apart_seed, take patches without a label '
                f'out of {self.ann_file}, or set kept_apart=0'
            )
        self.kept_apart = apart
        self.get_subset_(sorted(order[count:].tolist()))

    @staticmethod
    def _has_label(sample: dict) -> bool:
        return bool((sample['data_samples'].gt_sem_seg.data != IGNORE_INDEX).any())

    def _load(self) -> LoadPatch:
        """Return the step that reads the labelled patches, which knows their number of bands."""
        return next((step for step in self.pipeline.transforms if isinstance(step, LoadPatch)), LoadPatch())

    def prepare_data(self, idx: int) -> dict:
        """Load a labelled patch and its companions under their own seeds."""
        result = super().prepare_data(idx)
        if not self.companions:
            return result
        seed = getattr(idx, 'seed', ())
        with seeded((*seed, 0) if seed else ()):
            chosen = draw_distinct(len(self.unlabelled), self.companions)
        seeds = [(*seed, place) if seed else () for place in range(1, self.companions + 1)]
        views = [self.unlabelled[SampleIndex(number, own)]['img'] for number, own in zip(chosen, seeds, strict=True)]
        sizes = {view.shape for view in views}
        if len(sizes) > 1:
            raise InputError(
                f'weak views of {self.unlabelled.data_root} have the sizes {", ".join(map(str, sorted(sizes)))}; end '
                'train_dataloader.dataset.unlabelled.pipeline with RandomCrop or Resize, or give view_size'
            )
        height, width = views[0].shape[:2]
        steps, boxes = [], []
        for own in seeds:
            with seeded((*own, 0) if own else ()):
                steps.append(self.color.draw().row())
                boxes.append(self._rectangle(height, width))
        stacked = np.stack([view if view.ndim == 3 else view[..., None] for view in views]).transpose(0, 3, 1, 2)
        result['unlabelled'] = torch.from_numpy(np.ascontiguousarray(stacked))
        result['steps'] = torch.tensor(steps)
        result['boxes'] = torch.tensor(boxes)
        return result

    def _rectangle(self, height: int, width: int) -> Sequence[int]:
        """Draw a rectangle with sides of a quarter to three quarters of the image, or none."""
        if np.random.random_sample() >= self.cutmix_prob:
            return 0, 0, 0, 0
        sides = [max(1, round(length * np.random.uniform(0.25, 0.75))) for length in (height, width)]
        top, left = (
            int(np.random.randint(length - side + 1)) for length, side in zip((height, width), sides, strict=True)
        )
        return top, left, top + sides[0], left + sides[1]


def draw_distinct(size: int, count: int) -> list[int]:
    """Draw different numbers below ``size`` from NumPy's global generator; its ``choice`` would permute them all."""
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        drawn[int(np.random.randint(size))] = None
    return list(drawn)


def weak_views(size: int | None) -> list[dict]:
    """Return the steps to the weak view of a patch: flips, and crops of ``size`` pixels, enlarged up to two times."""
    crop: list[dict] = []
    if size is not None:
        resize = dict(type='mmcv.RandomResize', scale=(size, size), ratio_range=(1.0, 2.0), keep_ratio=True)
        crop = [resize, dict(type='mmseg.RandomCrop', crop_size=(size, size))]
    flip = dict(type='mmcv.RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal'])
    return [*crop, flip]
