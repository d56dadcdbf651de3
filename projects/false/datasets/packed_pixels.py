"""The pixels of packed patches: read by threads, appended to one array file each, never held together."""

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from projects.false.errors import InputError
from projects.false.imagery.images import read_image, read_index_mask

from .ahead import map_ahead

Pair = tuple[Path, Path | None]
_SHOWN = 5


def write_pixels(out: Path, pairs: Sequence[Pair], bands: int, workers: int) -> tuple[int, int, int]:
    """Write ``images.npy`` and, if there is any mask, ``masks.npy``.

    Args:
        out: Folder to write into.
        pairs: Image and mask of every patch.
        bands: Bands of every image.
        workers: Threads that read.

    Returns:
        Height, width and bands of a patch.

    Raises:
        InputError: Some are unreadable, or of another size than the first; all are looked at before five are named.
        OSError: The disk is full.
    """
    shape = read_image(pairs[0][0], bands).shape
    masked = any(mask is not None for _, mask in pairs)
    _check_room(out, len(pairs) * shape[0] * shape[1] * (bands + masked))
    no_mask = np.full(shape[:2], 255, np.uint8)  # never used: labelled.npy says so
    failures: list[str] = []
    console = Console(stderr=True)
    with ExitStack() as stack:
        images = stack.enter_context(ArrayFile(out / 'images.npy', (len(pairs), *shape)))
        masks = stack.enter_context(ArrayFile(out / 'masks.npy', (len(pairs), *shape[:2]))) if masked else None
        progress = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        work = map_ahead(lambda pair: _read(pair, bands, shape), pairs, workers)
        for result in progress.track(work, total=len(pairs), description='packing'):
            if isinstance(result, InputError):
                failures.append(str(result))
            elif not failures:
                images.append(result[0])
                if masks is not None:
                    masks.append(no_mask if result[1] is None else result[1])
    if len(failures) == 1:
        raise InputError(failures[0])
    if failures:
        more = f' | and {len(failures) - _SHOWN} more' if len(failures) > _SHOWN else ''
        raise InputError(
            f'{len(failures)} of {len(pairs)} patches cannot be packed: {" | ".join(failures[:_SHOWN])}{more}'
        )
    return shape


def _read(pair: Pair, bands: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray | None] | InputError:
    try:
        image = read_image(pair[0], bands)
        if image.shape != shape:
            return InputError(
                f'{pair[0]}: {_size(image)} where the first has {shape[0]} x {shape[1]}; cut all to one size'
            )
        mask = None if pair[1] is None else read_index_mask(pair[1], num_classes=256)
    except InputError as error:
        return error
    if mask is not None and mask.shape != shape[:2]:
        return InputError(f'{pair[1]}: mask of {_size(mask)} for an image of {_size(image)}; convert the pair again')
    return image, mask


def _size(pixels: np.ndarray) -> str:
    return f'{pixels.shape[0]} x {pixels.shape[1]} pixels'


def _check_room(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out).free
    if needed > free:
        raise InputError(f'{out.parent}: packing needs {needed:,} bytes, {free:,} are free; make room first')


class ArrayFile:
    """A uint8 array in NumPy's format, written item by item.

    Written, not mapped: on a full disk a mapped file kills the process without a word.

    Args:
        path: The file.
        shape: Of the whole array.
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

    def __exit__(self, *error) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
