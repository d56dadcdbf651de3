"""Unlabelled patches for pretraining: a list or a folder of images."""

from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from projects.false.errors import InputError
from projects.false.imagery.images import IMAGE_SUFFIXES

from .mixins import PackedSamples
from .patch_names import list_folder, read_names
from .seeding import SeededSamples
from .unreadable import SkipUnreadable


def list_images(folder: Path, names: Path | None = None) -> list[Path]:
    """Images of a folder and all below it, sorted, or those that a list names.

    Args:
        folder: Where the images are.
        names: Text file with one name a line, relative to ``folder``, with or without suffix; None takes all images.

    Raises:
        InputError: The folder or list is missing, there is nothing in it, or the list names an absent image.
    """
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder; data/README.md tells how to make the data, or set data_root')
    found = [folder / name for name in list_folder(folder)[0]]
    if not found:
        raise InputError(f'{folder}: holds no image ({", ".join(IMAGE_SUFFIXES)}); check data_root')
    if names is None:
        return found
    wanted = read_names(names)
    by_name: dict[str, list[Path]] = {}
    for path in found:
        relative = path.relative_to(folder)
        by_name.setdefault(str(relative), []).append(path)
        by_name.setdefault(str(relative.with_suffix('')), []).append(path)
    absent = [name for name in wanted if name not in by_name]
    if absent:
        raise InputError(
            f'{names}: {len(absent)} of {len(wanted)} images are not in {folder}, the first is {absent[0]!r}; '
            'convert the data again or mend the list'
        )
    twice = [name for name in wanted if len(by_name[name]) > 1]
    if twice:
        raise InputError(f'{names}: {twice[0]!r} stands for {", ".join(map(str, by_name[twice[0]]))}; add the suffix')
    return [by_name[name][0] for name in wanted]


@DATASETS.register_module()
class UnlabelledPatches(SkipUnreadable, SeededSamples, PackedSamples, BaseDataset):
    """Images without labels, for self-supervised pretraining.

    Args:
        data_root: Folder that the other paths are relative to.
        data_prefix: ``dict(img_path=folder of the images)``.
        ann_file: List of image names, one a line; empty takes every image in the folder and below.
        packed: As of :class:`PackedSamples`.
        max_unreadable: As of :class:`SkipUnreadable`.
        pipeline, kwargs: As of MMEngine's BaseDataset.

    Example:
        ``--cfg-options train_dataloader.dataset.packed=True``, after ``python tools/pack.py DATA``.
    """

    def __init__(self, data_root: str, ann_file: str = '', data_prefix: dict | None = None, **kwargs) -> None:
        super().__init__(
            ann_file=ann_file, data_root=data_root, data_prefix=data_prefix or {'img_path': 'images'}, **kwargs
        )

    def load_data_list(self) -> list[dict]:
        """One entry an image."""
        images = list_images(Path(self.data_prefix['img_path']), Path(self.ann_file) if self.ann_file else None)
        return [{'img_path': str(path)} for path in images]
