"""Labelled patches for segmentation, as the converters write them."""

from pathlib import Path

from mmengine.registry import DATASETS
from mmseg.datasets import BaseSegDataset

from projects.false.errors import InputError

from .palettes import load_palette
from .patches import list_images
from .seeding import SeededSamples


@DATASETS.register_module()
class LandCoverPatches(SeededSamples, BaseSegDataset):
    """Images with index masks: classes from 0, 255 = ignore. Labels are never shifted.

    Args:
        palette: Name of a known palette, or JSON file with classes and colours; sets ``metainfo``.
        data_root: Folder that the other paths are relative to.
        ann_file: List of patch names, one a line, for example ``splits/train_1pct.txt``; empty takes all.
        data_prefix: Folders of images and masks.
        kwargs: As of mmseg's BaseSegDataset.
    """

    def __init__(
        self, palette: str, data_root: str, ann_file: str = '', data_prefix: dict | None = None, **kwargs
    ) -> None:
        legend = load_palette(palette)
        metainfo = {'classes': list(legend.classes), 'palette': [list(color) for color in legend.colors]}
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            data_prefix=data_prefix or {'img_path': 'images', 'seg_map_path': 'masks'},
            metainfo={**metainfo, **kwargs.pop('metainfo', {})},
            reduce_zero_label=False,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """One entry a patch, with the path of its mask."""
        image_folder, mask_folder = (Path(self.data_prefix[key]) for key in ('img_path', 'seg_map_path'))
        entries = []
        for image in list_images(image_folder, Path(self.ann_file) if self.ann_file else None):
            mask = (mask_folder / image.relative_to(image_folder)).with_suffix(self.seg_map_suffix)
            if not mask.is_file():
                raise InputError(f'{mask}: no mask for {image}; convert the pair again or take it off the list')
            entries.append(
                {
                    'img_path': str(image),
                    'seg_map_path': str(mask),
                    'num_classes': len(self.metainfo['classes']),
                    'ignore_index': self.ignore_index,
                    'label_map': None,
                    'reduce_zero_label': False,
                    'seg_fields': [],
                }
            )
        return entries
