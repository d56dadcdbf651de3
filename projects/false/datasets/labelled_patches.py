"""Labelled patches for probes and audits, with their own pipeline."""

from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import Palette
from projects.false.patch_folder.description import read_labelled_description
from projects.false.patch_folder.places import name_of_patch

from .view_labels import class_counts


class ProbePatches:
    """Patches spread evenly over a list, each with the most common class of its labelled pixels.

    Patches without a labelled pixel are left out. Needs mmseg. Packed patches are used where there are no image files.

    Args:
        data_root: Folder made by a converter, with ``dataset.json``.
        list_name: List of patches, relative to ``data_root``.
        most: Largest number of patches, at least 1.
        bands: Number of bands of the images.

    Raises:
        InputError: The list is missing, empty, or has no patch with a labelled pixel.
    """

    def __init__(self, data_root: str, list_name: str, most: int, bands: int = 3) -> None:
        self.description = read_labelled_description(data_root)
        path = Path(data_root) / list_name
        if not path.is_file():
            raise InputError(f'{path}: no such list of patches; set known and tested of ProbeHook to lists of the data')
        self.classes = len(self.description['classes'])
        self.dataset = labelled_dataset(
            self.description,
            data_root,
            list_name,
            [dict(type='LoadPatch', bands=bands), dict(type='LoadIndexMask')],
        )
        count = len(self.dataset)
        chosen = np.linspace(0, count - 1, min(most, count)).round().astype(int).tolist()
        labels = {index: self._label(index) for index in chosen}
        self.indices = [index for index in chosen if labels[index] is not None]
        if not self.indices:
            raise InputError(f'{path}: no patch with a labelled pixel; give another list')
        self.labels = torch.tensor([labels[index] for index in self.indices])

    def _label(self, index: int) -> int | None:
        counts = class_counts(self.dataset[index]['gt_seg_map'], self.classes)
        return int(counts.argmax()) if counts.any() else None

    def __len__(self) -> int:
        return len(self.indices)

    def names(self) -> list[str]:
        """Return the names of the patches, relative to the folder of the images, without suffix."""
        return [name_of_patch(Path(self.dataset.get_data_info(index)['img_path'])) for index in self.indices]

    def image(self, number: int) -> Tensor:
        """Return one patch, (C, H, W), uint8, as :class:`~projects.false.models.ViewPreprocessor` takes it."""
        pixels = self.dataset[self.indices[number]]['img']
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def labelled_dataset(description: dict, data_root: str, list_name: str, pipeline: list[dict]) -> BaseDataset:
    """Build a data set from a list of labelled patches: from image files, or from packed patches where there are none.

    Args:
        description: ``dataset.json`` of the data.
        data_root: Folder of the data set.
        list_name: List of patches, relative to ``data_root``.
        pipeline: Steps, which receive ``img_path`` and ``seg_map_path``.

    Raises:
        InputError: The list, or one of its patches or masks, is missing.
    """
    from mmengine.registry import DATASETS

    import projects.false.datasets.land_cover  # noqa: F401  (registers, and needs mmseg)

    palette = Palette.from_description(description, Path(data_root, 'dataset.json'))
    return DATASETS.build(
        dict(
            type='mmengine.LandCoverPatches',
            palette=None,
            metainfo=palette.metainfo,
            data_root=str(data_root),
            ann_file=list_name,
            packed=not (Path(data_root) / 'images').is_dir(),
            pipeline=pipeline,
        )
    )
