"""Pack the patches of a data set: write the images into one array, the masks into another, and index their names."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from projects.false.common.errors import Faults, InputError, check_count
from projects.false.common.files import atomic_write, staged_folder
from projects.false.common.threads import count_workers, map_ahead
from projects.false.imagery.image_files import describe_left_out, list_imagery
from projects.false.imagery.images import read_image, read_index_mask
from projects.false.imagery.mask_checks import check_sizes

from .description import read_band_count
from .lists import nfc
from .packed import DESCRIPTION, FORMAT, PackedPatches, source_facts, write_index

Pair = tuple[Path, Path | None]  # an image and its mask
Sources = dict[str, dict[str, Any]]  # result of source_facts for 'images' and 'masks'


def pack(
    root: str | Path,
    images: str = 'images',
    masks: str = 'masks',
    bands: int | None = None,
    workers: int | None = None,
    note: Callable[[str], object] = lambda line: None,
) -> tuple[PackedPatches, bool]:
    """Pack a data set into ``ROOT/packed``, unless the packed patches there are up to date and have as many bands.

    The folder appears only when it is complete. Lists in ``ROOT/splits`` are translated to rows in either case.

    Args:
        root: Folder of the data set.
        images: Its folder of images, searched with all folders below; '' for ``root`` itself.
        masks: Its folder of index masks, named like the images. The folder may be missing, and so may single masks.
        bands: Number of bands per image. None takes the number in dataset.json, or 3 if there is no such file.
        workers: Number of reading threads. None takes the number of CPU cores, at most 8.
        note: Called with lines that count and name the files that are left out.

    Returns:
        The packed patches, and whether their pixels were written by this call.

    Raises:
        InputError: There are no images, some are unreadable or differ in size from the first, the number of bands is
            below 1 or unknown, the masks packed before are gone, or the disk is full.
    """
    root, workers = Path(root), count_workers(workers)
    if bands is None:
        bands = read_band_count(root, 'give --bands')
    check_count('bands', bands)
    if not (root / images).is_dir():
        raise InputError(f'{root / images}: no such folder; give the folder of a data set, or --images')
    names, left_out, times = list_imagery(root / images)
    if left_out:
        note(f'{root / images}: {describe_left_out(left_out)}')
    if not names:
        raise InputError(f'{root / images}: holds no image; give the folder of a data set')
    sources = {'images': source_facts(root, images or '.', names, times)}
    mask_of: list[str | None] = [None] * len(names)
    if masks and (root / masks).is_dir():
        mask_names, left_out, times = list_imagery(root / masks)
        mask_of = _pair(names, mask_names)
        unused = dict.fromkeys(sorted(set(mask_names) - set(mask_of)), 'no image of that name')
        if left_out or unused:
            note(f'{root / masks}: {describe_left_out(left_out | unused)}')
        if any(mask_of):
            sources['masks'] = source_facts(root, masks, mask_names, times)
    out = root / 'packed'
    if masks and 'masks' not in sources:
        _check_no_mask_is_lost(out, root)
    existing = _up_to_date(out, sources, bands)
    if existing is None:
        with staged_folder(out, overwrite=True, marker=DESCRIPTION) as partial:
            _write(partial, root, names, mask_of, sources, bands, workers)
        existing = PackedPatches(out)
        _store_lists(existing, root)
        return existing, True
    _store_lists(existing, root)
    return existing, False


def _check_no_mask_is_lost(out: Path, root: Path) -> None:
    """Refuse to replace packed patches whose masks exist nowhere else; whoever wants that says so by ``masks=''``."""
    try:
        facts = PackedPatches(out).description['sources'].get('masks')
    except InputError:
        return
    masks = root / facts['folder'] if facts else None
    if masks and not (masks.is_dir() and list_imagery(masks).names):
        raise InputError(
            f"{out}: holds masks of {masks}, where there are none now; put them back, or give --masks '' to pack "
            'without them'
        )


def _pair(names: list[str], mask_names: list[str]) -> list[str | None]:
    """Return the mask of every image, None where there is none; a PNG comes before others.

    Names are compared in Unicode form NFC, unless a mask has the name of another image to the letter.
    """
    stems = [os.path.splitext(name)[0] for name in names]
    mask_of = {os.path.splitext(name)[0]: name for name in reversed(mask_names)}
    mask_of |= {os.path.splitext(name)[0]: name for name in mask_names if name.lower().endswith('.png')}
    known = set(stems)
    others = {nfc(stem): mask for stem, mask in mask_of.items() if stem not in known}
    return [mask_of.get(stem, others.get(nfc(stem))) for stem in stems]


def _up_to_date(out: Path, sources: Sources, bands: int) -> PackedPatches | None:
    """Return the packed patches if they have as many bands, and their source files have not changed since."""
    try:
        packed = PackedPatches(out)
    except InputError:
        return None
    found = packed.description['sources']
    same = found.keys() == sources.keys() and all(
        found[kind][key] == facts[key] for kind, facts in sources.items() for key in ('folder', 'state_sha256')
    )
    return packed if same and packed.description['shape'][2] == bands else None


def _write(
    out: Path, root: Path, names: list[str], mask_of: list[str | None], sources: Sources, bands: int, workers: int
) -> None:
    folders = {kind: root / facts['folder'] for kind, facts in sources.items()}
    pairs = [
        (folders['images'] / name, folders['masks'] / mask if mask else None)
        for name, mask in zip(names, mask_of, strict=True)
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
        try:
            stored = packed.stored_list(path.read_bytes())
            if stored.is_file() and _readable(stored):
                continue
            rows = packed.look_up(path)
        except (OSError, InputError):
            continue  # reported when a data set is built with this list
        with atomic_write(stored) as file:
            np.save(file, rows)


def _readable(path: Path) -> bool:
    try:
        np.load(path, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError):
        return False
    return True


def write_pixels(out: Path, pairs: Sequence[Pair], bands: int, workers: int) -> tuple[int, int, int]:
    """Write ``images.npy`` and, if there is any mask, ``masks.npy``.

    Args:
        out: Folder to write into.
        pairs: Image and mask of every patch, in the order of the rows.
        bands: Number of bands per image.
        workers: Number of reading threads.

    Returns:
        Height, width and number of bands of a patch.

    Raises:
        InputError: Some patches are unreadable or differ in size from the first. All are checked; three are named.
        OSError: The disk is full.
    """
    shape = read_image(pairs[0][0], bands).shape
    masked = any(mask is not None for _, mask in pairs)
    _check_room(out, len(pairs) * shape[0] * shape[1] * (bands + masked))
    no_mask = np.full(shape[:2], 255, np.uint8)  # a placeholder: labelled.npy marks the row as having no mask
    faults, faulty = Faults('patches'), False
    console = Console(stderr=True)
    with ExitStack() as stack:
        images = stack.enter_context(ArrayFile(out / 'images.npy', (len(pairs), *shape)))
        masks = stack.enter_context(ArrayFile(out / 'masks.npy', (len(pairs), *shape[:2]))) if masked else None
        progress = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        work = map_ahead(lambda pair: _read(pair, bands, shape), pairs, workers)
        for result in progress.track(work, total=len(pairs), description='packing'):
            if isinstance(result, InputError):
                faults.add(result)
                faulty = True
            elif not faulty:
                images.append(result[0])
                if masks is not None:
                    masks.append(no_mask if result[1] is None else result[1])
    faults.check(len(pairs))
    return shape


def _read(pair: Pair, bands: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray | None] | InputError:
    """Return the pixels of an image and its mask; an error is returned as well, so that the other pairs are checked."""
    try:
        image = read_image(pair[0], bands)
        if image.shape != shape:
            return InputError(
                f'{pair[0]}: {_size(image)}, but the first has {shape[0]} x {shape[1]}; cut all to one size'
            )
        mask = None if pair[1] is None else read_index_mask(pair[1], num_classes=256)
        if mask is not None:
            check_sizes(mask.shape, shape, pair[1], pair[0], 'convert the pair again')
    except InputError as error:
        return error
    return image, mask


def _size(pixels: np.ndarray) -> str:
    return f'{pixels.shape[0]} x {pixels.shape[1]} pixels'


def _check_room(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out).free
    if needed > free:
        raise InputError(f'{out.parent}: packing needs {needed:,} bytes, {free:,} are free; make room first')


class ArrayFile:
    """A uint8 array in NumPy's format, written item by item.

    The file is not mapped into memory, because on a full disk writing to a mapped file kills the process without a
    message.

    Args:
        path: The file to write.
        shape: Shape of the whole array, (items, ...).
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self.shape = path, shape

    def __enter__(self) -> 'ArrayFile':
        self._file = open(self.path, 'wb')
        header = {'descr': '|u1', 'fortran_order': False, 'shape': self.shape}
        np.lib.format.write_array_header_1_0(self._file, header)
        return self

    def append(self, item: np.ndarray) -> None:
        """Write the next item."""
        self._file.write(np.ascontiguousarray(item).data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
