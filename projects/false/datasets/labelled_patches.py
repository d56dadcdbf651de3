"""Labelled patches for probes and audits: each has the class of most of its labelled pixels."""

from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import Palette
from projects.false.patch_folder.description import read_labelled_description

from .view_labels import class_counts


class ProbePatches:
    """The patches of a list, spread evenly over it, that have a labelled pixel.

    Needs mmseg. Packed patches are used where there are no image files.

    Args:
        data_root: Folder as a converter leaves it, with ``dataset.json``.
        list_name: List of patches, relative to ``data_root``.
        most: At most so many patches, at least 1.
        bands: Bands of the images.

    Raises:
        InputError: There is no such list, nothing in it, or no label.
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
        labels = {place: self._label(place) for place in chosen}
        self.places = [place for place in chosen if labels[place] is not None]
        if not self.places:
            raise InputError(f'{path}: no patch with a labelled pixel; give another list')
        self.labels = torch.tensor([labels[place] for place in self.places])

    def _label(self, place: int) -> int | None:
        counts = class_counts(self.dataset[place]['gt_seg_map'], self.classes)
        return int(counts.argmax()) if counts.any() else None

    def __len__(self) -> int:
        return len(self.places)

    def names(self) -> list[str]:
        """Their names, without suffix."""
        return [Path(self.dataset.get_data_info(place)['img_path']).stem for place in self.places]

    def image(self, number: int) -> Tensor:
        """One patch as :class:`~projects.false.models.ViewPreprocessor` takes it, (C, H, W), uint8."""
        pixels = self.dataset[self.places[number]]['img']
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def labelled_dataset(description: dict, data_root: str, list_name: str, pipeline: list[dict]) -> BaseDataset:
    """A list of labelled patches under a pipeline of its own, from files, or packed where there are none.

    Args:
        description: ``dataset.json`` of the data.
        data_root: The data.
        list_name: List of patches, relative to ``data_root``.
        pipeline: Steps, which find ``img_path`` and ``seg_map_path``.

    Raises:
        InputError: There is no such list, or a patch or mask of it is missing.
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
