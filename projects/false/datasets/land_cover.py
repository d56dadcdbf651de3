"""Labelled patches for segmentation, in general and for Potsdam, DGLC, Xiangtan and FLAIR by name.

Needs mmseg, so only the segmentation configs import it.
"""

from functools import partial
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from mmseg.datasets import BaseSegDataset

from projects.false.common.errors import Faults, InputError
from projects.false.imagery.palettes import IGNORE_INDEX, PALETTES, load_palette
from projects.false.patch_folder.lists import file_in_any_form, list_images

from .mixins import PackedSamples, SkipUnreadable
from .seeding import SeededSamples


@DATASETS.register_module()
class LandCoverPatches(SkipUnreadable, SeededSamples, PackedSamples, BaseSegDataset):
    """Images with index masks: classes from 0, and 255 for ignored pixels. Labels are never shifted.

    Args:
        palette: Name of a known palette, or JSON file with classes and colours; sets ``metainfo``. None if
            ``metainfo`` has both.
        data_root: Folder that the other paths are relative to.
        ann_file: List of patch names, one per line, such as ``splits/train_1pct.txt``; empty takes all.
        data_prefix: Folders of images and masks.
        metainfo: ``dict(classes=[...])`` renames the classes, in the order of their indices. To change their number,
            also give ``palette``, a list of RGB colours.
        reduce_zero_label, ignore_index: Arguments of mmseg's data sets that would have no effect here: False and 255.
        kwargs: ``packed`` of :class:`PackedSamples`, ``max_unreadable`` of :class:`SkipUnreadable`, and other arguments
            of mmseg's BaseSegDataset.

    Raises:
        InputError: Classes and colours differ in number, files are missing, or an argument would have no effect.
    """

    def __init__(
        self,
        palette: str | None,
        data_root: str,
        ann_file: str = '',
        data_prefix: dict | None = None,
        metainfo: dict | None = None,
        reduce_zero_label: bool = False,
        ignore_index: int = IGNORE_INDEX,
        **kwargs,
    ) -> None:
        if reduce_zero_label is not False:
            raise InputError(
                f'reduce_zero_label is {reduce_zero_label!r}: masks here are never shifted, 0 is the first class; '
                'convert them with the classes from 0, and what is ignored as 255'
            )
        if ignore_index != IGNORE_INDEX:
            raise InputError(
                f'ignore_index of the data is {IGNORE_INDEX}, got {ignore_index!r}; to leave a class out, convert the '
                f'masks with its pixels as {IGNORE_INDEX}'
            )
        named = {} if palette is None else load_palette(palette).metainfo
        named.update(metainfo or {})
        if not {'classes', 'palette'} <= set(named):
            raise InputError('palette is None and metainfo lacks classes or palette; name a palette, or give both')
        if len(named['classes']) != len(named['palette']):
            raise InputError(
                f'metainfo has {len(named["classes"])} classes and {len(named["palette"])} colors; '
                'give metainfo.palette with one RGB color for each class'
            )
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            data_prefix=data_prefix or {'img_path': 'images', 'seg_map_path': 'masks'},
            metainfo=named,
            reduce_zero_label=False,
            ignore_index=ignore_index,
            **kwargs,
        )

    @classmethod
    def get_label_map(cls, new_classes: object = None) -> None:
        """Return None: new class names rename the classes, and never select a subset of them."""

    def load_data_list(self) -> list[dict]:
        """Return one entry per patch, with the path of its mask."""
        image_folder, mask_folder = (Path(self.data_prefix[key]) for key in ('img_path', 'seg_map_path'))
        entries, faults = [], Faults('images')
        names = Path(self.ann_file) if self.ann_file else None
        for image in list_images(image_folder, names, partial(print_log, logger='current')):
            name = image.relative_to(image_folder).with_suffix(self.seg_map_suffix).as_posix()
            mask = file_in_any_form(mask_folder, name)
            with faults.noted():
                if not mask.is_file():
                    raise InputError(f'{mask}: no mask for {image}; convert the pair again or remove it from the list')
            entries.append({'img_path': str(image), 'seg_map_path': str(mask), **self._label_facts()})
        faults.check()
        return entries

    def _label_facts(self) -> dict:
        return {
            'num_classes': len(self._metainfo['classes']),
            'ignore_index': self.ignore_index,
            'label_map': None,
            'reduce_zero_label': False,
            'seg_fields': [],
        }

    def open_entries(self) -> int:
        """Map the packed patches, and check that every patch of the list has a mask."""
        size, patches = super().open_entries(), self._patches
        if patches.labelled is None:
            raise InputError(f'{patches.folder}: was packed without masks; {patches.way_out} with masks')
        labelled = patches.labelled if self._rows is None else patches.labelled[self._rows]
        if not labelled.all():
            name = patches.name(self.row(int(np.argmin(labelled))))
            raise InputError(f'{patches.folder}: no mask for {name}; add it and {patches.way_out}')
        return size

    def entry(self, position: int, seed: tuple[int, ...] = ()) -> dict:
        """Return the entry of a packed patch."""
        row, patches = self.row(position), self._patches
        return {
            **super().entry(position),
            'seg_map_path': f'{patches.folder}/masks.npy/{patches.name(row)}',
            'read_mask': partial(patches.mask, row),
            **self._label_facts(),
        }


@DATASETS.register_module()
class PotsdamPatches(LandCoverPatches):
    """ISPRS Potsdam as converted: 6 classes from 0, and 255 for ignored boundaries.

    mmseg's PotsdamDataset differs: its masks hold 0 for ignored pixels and classes from 1 to 6, and it shifts them.

    Args:
        data_root: Folder of the data set.
        kwargs: Other arguments of :class:`LandCoverPatches`; ``metainfo=dict(classes=[...])`` renames the classes.
    """

    METAINFO = PALETTES['potsdam'].metainfo

    def __init__(self, data_root: str = 'data/potsdam', palette: str = 'potsdam', **kwargs) -> None:
        super().__init__(palette=palette, data_root=data_root, **kwargs)


@DATASETS.register_module()
class DGLCPatches(LandCoverPatches):
    """DeepGlobe Land Cover as converted: 6 classes from 0, and 255 for ignored pixels (unknown).

    Args:
        data_root: Folder of the data set.
        kwargs: Other arguments of :class:`LandCoverPatches`; ``metainfo=dict(classes=[...])`` renames the classes.
    """

    METAINFO = PALETTES['dglc'].metainfo

    def __init__(self, data_root: str = 'data/dglc', palette: str = 'dglc', **kwargs) -> None:
        super().__init__(palette=palette, data_root=data_root, **kwargs)


@DATASETS.register_module()
class XiangtanPatches(LandCoverPatches):
    """Xiangtan as converted: 9 classes from 0.

    The class names come from the paper, not from the data; ``metainfo=dict(classes=[...])`` replaces them.

    Args:
        data_root: Folder of the data set.
        kwargs: Other arguments of :class:`LandCoverPatches`.
    """

    METAINFO = PALETTES['xiangtan'].metainfo

    def __init__(self, data_root: str = 'data/xiangtan', palette: str = 'xiangtan', **kwargs) -> None:
        super().__init__(palette=palette, data_root=data_root, **kwargs)


@DATASETS.register_module()
class FLAIRPatches(LandCoverPatches):
    """FLAIR #1 of IGN as converted: 9 classes from 0, and 255 for ignored pixels (rare classes, other).

    Args:
        data_root: Folder of the data set.
        kwargs: Other arguments of :class:`LandCoverPatches`; ``metainfo=dict(classes=[...])`` renames the classes.
    """

    METAINFO = PALETTES['flair'].metainfo

    def __init__(self, data_root: str = 'data/flair', palette: str = 'flair', **kwargs) -> None:
        super().__init__(palette=palette, data_root=data_root, **kwargs)
