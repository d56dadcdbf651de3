"""Files of the bands of a wide image: rows of the map, and sums for the band to their right.

Memory would otherwise grow with the width of the image, or with its height.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np

from projects.false.common.errors import InputError
from projects.false.common.files import write_text

from ..windows import WindowPlan

_ENDING = '.bands'
_FOLDER = re.compile(rf'\..+\.[0-9a-f]{{16}}{re.escape(_ENDING)}')


class Signals(Protocol):
    """Messages between processes about the bands of one image."""

    def reached(self, band: int, row: int) -> None:
        """Announce that the seam of a row of windows is on the disk."""
        ...

    def wait(self, band: int, row: int) -> None:
        """Wait until another process has announced it."""
        ...


class Work(NamedTuple):
    """What was done for a band, or for several: windows that the model saw, and windows without data."""

    windows: int
    skipped: int


class BandFiles:
    """The bands of one image, in a hidden folder beside its map.

    A band counts once it is finished: a file that names its numbers then appears beside its rows. Bands that were not
    finished when a run was killed are mapped again.

    Args:
        map_path: The map that the bands will form.
        fingerprint: Text of hexadecimal digits, at least 16, that differs between maps that may differ.
        plan: The windows.
        classes: Number of classes.
        layers: Names of the maps, such as ``'classes'``, of one byte per pixel.
        signals: Messages to the processes that map the other bands; None if one process maps all.
    """

    def __init__(
        self,
        map_path: Path,
        fingerprint: str,
        plan: WindowPlan,
        classes: int,
        layers: tuple[str, ...],
        signals: Signals | None = None,
    ) -> None:
        self.folder = map_path.with_name(f'.{map_path.name}.{fingerprint[:16]}{_ENDING}')
        self._plan, self._layers, self._signals = plan, layers, signals
        self._seam = classes, plan.window
        self._widths = [min(band.right, plan.width) - band.left for band in plan.bands]

    def _file(self, band: int, what: str) -> Path:
        return self.folder / f'{band}.{what}'

    def finished(self) -> dict[int, Work]:
        """Return the numbers of the finished bands, and what was done for each."""
        marks = {number: self._file(number, 'json') for number in range(len(self._widths))}
        return {number: Work(*json.loads(mark.read_text())) for number, mark in marks.items() if mark.exists()}

    def total(self) -> Work:
        """Return what was done for all finished bands."""
        return Work(*(sum(counts) for counts in zip(*self.finished().values(), strict=True)))

    @contextmanager
    def writing(self, band: int) -> Iterator['BandWriter']:
        """Open a band for writing; it is finished at the end of the block.

        Raises:
            OSError: The disk is full, or refuses.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            names = (*self._layers, *(['seam'] if self._plan.bands[band].seam else []))
            files = {name: stack.enter_context(open(self._file(band, name), 'wb')) for name in names}
            signals = self._signals
            writer = BandWriter(files, None if signals is None else lambda row: signals.reached(band, row))
            yield writer
            writer.sync()
        write_text(self._file(band, 'json'), json.dumps(writer.work))
        if band:
            self._file(band - 1, 'seam').unlink(missing_ok=True)  # no other band needs it

    def inherited(self, band: int) -> Callable[[int], np.ndarray] | None:
        """Return a function from a row of windows to the seam of the band on the left; None without one.

        Shape:
            - its result: (classes, window, seam of the band on the left), float32
        """
        width = self._plan.bands[band - 1].seam if band else 0
        if width == 0:
            return None
        shape = *self._seam, width
        path, count, waits = self._file(band - 1, 'seam'), int(np.prod(shape)), band - 1 not in self.finished()

        def read(row: int) -> np.ndarray:
            if waits and self._signals is not None:
                self._signals.wait(band - 1, row)
            return _read(path, np.dtype(np.float32), count * row, count).reshape(shape)

        return read

    def read(self, layer: str, top: int, rows: int, columns: slice) -> np.ndarray:
        """Read a rectangle of a map from bands that hold it.

        Shape:
            - result: (rows, columns.stop - columns.start), uint8
        """
        found, left = [], 0
        for number, width in enumerate(self._widths):
            inside = slice(max(columns.start - left, 0), max(min(columns.stop - left, width), 0))
            if inside.start < inside.stop:
                values = _read(self._file(number, layer), np.dtype(np.uint8), width * top, width * rows)
                found.append(values.reshape(rows, width)[:, inside])
            left += width
        return np.concatenate(found, axis=1)

    def remove(self) -> None:
        """Remove all bands."""
        shutil.rmtree(self.folder, ignore_errors=True)


class BandWriter:
    """A band that is being written.

    Args:
        files: Open files of its layers and its seam.
        reached: Called with the number of each row of windows whose seam others may read now.
    """

    def __init__(self, files: Mapping[str, BinaryIO], reached: Callable[[int], object] | None) -> None:
        self._files, self._reached, self._row = files, reached, 0
        self.work = Work(0, 0)

    def write(self, values: Mapping[str, np.ndarray | None]) -> None:
        """Add the finished rows of the next row of windows.

        Args:
            values: Rows per layer, and the ``'seam'`` if there is one.
        """
        for name, file in self._files.items():
            file.write(np.ascontiguousarray(values[name]).data)
        if self._reached is None:
            for file in self._files.values():
                file.flush()
        else:
            self.sync()
            self._reached(self._row)
        self._row += 1

    def sync(self) -> None:
        """Flush what was written to the disk."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())


def _read(path: Path, kind: np.dtype, first: int, count: int) -> np.ndarray:
    values = np.empty(0, kind)
    if path.exists():  # opened anew for every part: on shared disks this shows what others have written
        values = np.fromfile(path, kind, count, offset=first * kind.itemsize)
    if len(values) != count:
        raise InputError(f'{path}: is not whole; remove its folder and start again')
    return values


def remove_bands(folder: Path, kept: set[Path]) -> None:
    """Remove the bands of earlier runs in a folder, except the given folders of bands."""
    for path in folder.iterdir():
        if _FOLDER.fullmatch(path.name) and path not in kept and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
