"""Make packed patches of a data set: every pixel of its images and masks in one array each, and an index."""

import json
import os
from pathlib import Path

import numpy as np

from projects.false.atomic_write import atomic_write
from projects.false.common.files import staged_folder
from projects.false.common.threads import count_workers
from projects.false.datasets.packed_index import write_index
from projects.false.datasets.packed_pixels import write_pixels
from projects.false.datasets.packed_sources import source_facts
from projects.false.datasets.patch_names import list_folder, read_names
from projects.false.errors import InputError

from .packed import DESCRIPTION, FORMAT, PackedPatches

MASK_SUFFIXES = ('.png', '.tif', '.tiff')


def pack(
    root: str | Path,
    images: str = 'images',
    masks: str = 'masks',
    bands: int | None = None,
    workers: int | None = None,
) -> tuple[PackedPatches, bool]:
    """Make ``ROOT/packed``; it appears when it is complete. What is up to date is left as it is.

    Args:
        root: Folder of the data set.
        images: Its folder of images, searched with all folders below; '' for ``root`` itself.
        masks: Its folder of index masks named like the images; it may be missing, and so may some of the masks.
        bands: Bands of every image. None takes what dataset.json says, else 3.
        workers: Threads that read. None takes the number of CPU cores, at most 8.

    Returns:
        The packed patches, and whether anything but lists had to be written.

    Raises:
        InputError: There are no images, some are unreadable or of another size than the first, or the disk is full.
    """
    root, workers = Path(root), count_workers(workers)
    if not (root / images).is_dir():
        raise InputError(f'{root / images}: no such folder; give the folder of a data set, or --images')
    names, times = list_folder(root / images)
    if not names:
        raise InputError(f'{root / images}: holds no image; give the folder of a data set')
    sources = {'images': source_facts(root, images or '.', names, times)}
    mask_of = [None] * len(names)
    if masks and (root / masks).is_dir():
        mask_names, times = list_folder(root / masks)
        mask_of = _pair(names, set(mask_names))
        if any(mask_of):
            sources['masks'] = source_facts(root, masks, mask_names, times)
    out = root / 'packed'
    existing = _up_to_date(out, sources)
    if existing is None:
        with staged_folder(out, overwrite=True, marker=DESCRIPTION) as partial:
            _write(partial, root, names, mask_of, sources, bands or _bands(root), workers)
        existing = PackedPatches(out)
        _store_lists(existing, root)
        return existing, True
    _store_lists(existing, root)
    return existing, False


def _pair(names: list[str], mask_names: set[str]) -> list[str | None]:
    stems = (os.path.splitext(name)[0] for name in names)
    return [next((stem + s for s in MASK_SUFFIXES if stem + s in mask_names), None) for stem in stems]


def _bands(root: Path) -> int:
    try:
        return int(json.loads((root / 'dataset.json').read_text(encoding='utf-8'))['bands']['count'])
    except (OSError, ValueError, KeyError, TypeError):
        return 3


def _up_to_date(out: Path, sources: dict) -> PackedPatches | None:
    try:
        packed = PackedPatches(out)
    except InputError:
        return None
    found = packed.description['sources']
    same = found.keys() == sources.keys() and all(
        found[kind][key] == facts[key] for kind, facts in sources.items() for key in ('folder', 'state_sha256')
    )
    return packed if same else None


def _write(
    out: Path, root: Path, names: list[str], mask_of: list[str | None], sources: dict, bands: int, workers: int
) -> None:
    folders = {kind: root / facts['folder'] for kind, facts in sources.items()}
    pairs = [
        (folders['images'] / name, mask and folders['masks'] / mask) for name, mask in zip(names, mask_of, strict=True)
    ]
    shape = write_pixels(out, pairs, bands, workers)
    if any(mask_of):
        np.save(out / 'labelled.npy', np.array([mask is not None for mask in mask_of]))
    write_index(out, names)
    description = {
        'format': FORMAT,
        'patches': len(names),
        'shape': list(shape),
        'band_order': 'blue, green, red, then as in the files' if bands >= 3 else 'as in the files',
        'files': {path.name: path.stat().st_size for path in sorted(out.iterdir())},
        'sources': sources,
    }
    (out / DESCRIPTION).write_text(json.dumps(description, indent=1) + '\n', encoding='utf-8')


def _store_lists(packed: PackedPatches, root: Path) -> None:
    for path in sorted((root / 'splits').glob('*.txt')):
        stored = packed.stored_list(path.read_bytes())
        if stored.is_file() and _readable(stored):
            continue
        try:
            rows = packed.find(read_names(path), path)
        except InputError:
            continue  # a data set that is given this list says what is wrong with it
        with atomic_write(stored) as file:
            np.save(file, rows)


def _readable(path: Path) -> bool:
    try:
        np.load(path, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError):
        return False
    return True
