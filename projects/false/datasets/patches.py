"""Unlabelled patches for pretraining: a list or a folder of images."""

from functools import partial
from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.registry import DATASETS

from projects.false.patch_folder.lists import list_images

from .mixins import PackedSamples, SkipUnreadable, ViewsWithEvidence
from .seeding import SeededSamples


@DATASETS.register_module()
class UnlabelledPatches(ViewsWithEvidence, SkipUnreadable, SeededSamples, PackedSamples, BaseDataset):
    """Images without labels, for self-supervised pretraining.

    Args:
        data_root: Folder that the other paths are relative to.
        data_prefix: ``dict(img_path=folder of the images)``.
        ann_file: List of image names, one per line; empty takes every image in the folder and in all folders below it.
        kwargs: ``packed`` of :class:`PackedSamples`, ``max_unreadable`` of :class:`SkipUnreadable`, ``evidence`` of
            :class:`ViewsWithEvidence`, ``pipeline`` and other arguments of MMEngine's BaseDataset.

    Example:
        ``--cfg-options train_dataloader.dataset.packed=True``, after ``python tools/pack.py DATA``.
    """

    def __init__(self, data_root: str, ann_file: str = '', data_prefix: dict | None = None, **kwargs) -> None:
        super().__init__(
            ann_file=ann_file, data_root=data_root, data_prefix=data_prefix or {'img_path': 'images'}, **kwargs
        )

    def load_data_list(self) -> list[dict]:
        """Return one entry per image."""
        names = Path(self.ann_file) if self.ann_file else None
        images = list_images(Path(self.data_prefix['img_path']), names, partial(print_log, logger='current'))
        return [{'img_path': str(path)} for path in images]
