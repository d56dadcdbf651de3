"""Find the images to map, virtual rasters included, and read from the top down, a little ahead."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from projects.false.common.errors import InputError
from projects.false.common.threads import map_ahead
from projects.false.imagery.image_files import describe_left_out
from projects.false.imagery.levels import to_8_bit
from projects.false.imagery.pixels import read_window
from projects.false.imagery.rasters import Raster, find_rasters, inspect_rasters, open_handle
from projects.false.imagery.remote import is_remote, unreachable

from .pixel_rule import PixelRule
from .windows import Pixels, all_valid

# Little cache, since every block is read once; a broken JPEG block is an error, not grey pixels.
GDAL_OPTIONS = {'GDAL_CACHEMAX': 32, 'GDAL_ERROR_ON_LIBJPEG_WARNING': True}
_IN_ANY_ORDER = ('GTiff', 'VRT', 'HFA', 'JP2OpenJPEG')  # others can only be read from the top
_PIECE_WIDTH = 2048  # approximate number of pixels of a row that are read at once
_LEAST_ROWS, _MOST_ROWS = 64, 1024  # height of a piece; the former for files with higher blocks


def find_sources(
    sources: Sequence[str | Path],
    limit: int | None = None,
    note: Callable[[str], object] = lambda line: None,
    remote: bool = False,
) -> list[Raster]:
    """Find and inspect the given files, and the images in the given folders and below them.

    Args:
        sources: Files and folders.
        limit: Number of images to take, from the first on; None takes all.
        note: Called with a line that counts and names the files that are left out.
        remote: Web addresses may be among the sources.

    Raises:
        InputError: Something is missing, damaged or unusable.
    """
    paths, left_out = find_rasters(sources, mosaics=True, remote=remote)
    rasters = inspect_rasters(paths[:limit])
    if left_out:
        note(describe_left_out(left_out))
    return rasters


def read_rows(
    raster: Raster, rule: PixelRule, threads: int, columns: tuple[int, int] | None = None
) -> Generator[list[Pixels], None, None]:
    """Read an image, or a band of its columns, in whole blocks of its file, each block once.

    A JPEG is decoded as one, since :func:`~projects.false.imagery.pixels.read_window` decodes it as a whole.

    Args:
        raster: The image.
        rule: How its values become pixels.
        threads: Pieces to read at the same time; the result does not depend on it.
        columns: First and last column, the last excluded; None reads all.

    Yields:
        Pieces of one height that lie side by side and fill these columns.

    Raises:
        InputError: A block cannot be read; the message says where it is.
    """
    with _Handles(raster) as handles:
        driver, block = handles.get().driver, handles.get().block_shapes[0]
        start, stop = columns or (0, raster.width)
        pieces = _pieces(raster.height, start, stop, *((raster.height, raster.width) if driver == 'JPEG' else block))
        threads = threads if driver in _IN_ANY_ORDER else 1
        read = map_ahead(lambda piece: _read_piece(handles, piece, rule), pieces, threads, ahead=2 * threads)
        row: list[Pixels] = []
        for piece, part in zip(pieces, read, strict=True):
            row.append(part)
            if piece.column + piece.width == stop:
                yield row
                row = []


class _Piece(NamedTuple):
    row: int
    column: int
    height: int
    width: int


def _pieces(rows: int, start: int, stop: int, block_height: int, block_width: int) -> list[_Piece]:
    """Divide columns of the image into pieces that end where blocks of the file end, row by row."""
    height = max(1, -(-_LEAST_ROWS // block_height)) * block_height if block_height <= _MOST_ROWS else _LEAST_ROWS
    width = max(1, _PIECE_WIDTH // block_width) * block_width
    edges = [start, *range((start // width + 1) * width, stop, width), stop]
    return [
        _Piece(row, left, min(height, rows - row), right - left)
        for row in range(0, rows, height)
        for left, right in pairwise(edges)
    ]


class _Handles:
    """The file, opened once per thread, since threads must not share a handle of GDAL."""

    def __init__(self, raster: Raster) -> None:
        self.raster = raster
        self._local, self._lock, self._open = threading.local(), threading.Lock(), ExitStack()

    def __enter__(self) -> '_Handles':
        return self

    def __exit__(self, *error) -> None:
        self._open.close()

    def get(self) -> DatasetReader:
        if not hasattr(self._local, 'handle'):
            with rasterio.Env(**GDAL_OPTIONS):
                handle = open_handle(self.raster.path)
            with self._lock:
                self._open.callback(handle.close)  # not its context, which would keep its own Env open
            self._local.handle = handle
        return self._local.handle


def _read_piece(handles: _Handles, piece: _Piece, rule: PixelRule) -> Pixels:
    handle = handles.get()
    with rasterio.Env(**GDAL_OPTIONS):
        try:
            pixels, valid = read_window(handle, rule.bands, *piece)
        except RasterioError as error:
            raise _unreadable(handle, piece, rule, error) from error
    everywhere = bool(valid.all())
    if rule.ranges is not None or not everywhere:
        pixels = to_8_bit(pixels, valid, rule.ranges)
    return Pixels(pixels, all_valid(*valid.shape) if everywhere else valid)


def _unreadable(handle: DatasetReader, piece: _Piece, rule: PixelRule, error: RasterioError) -> InputError:
    """Find the block of a piece that cannot be read, and say where it is in the file."""
    block_height, block_width = handle.block_shapes[0]
    row, column, offset = piece.row, piece.column, None
    for block_row in range(piece.row // block_height, -(-(piece.row + piece.height) // block_height)):
        for block_column in range(piece.column // block_width, -(-(piece.column + piece.width) // block_width)):
            first = block_row * block_height, block_column * block_width
            size = min(block_height, handle.height - first[0]), min(block_width, handle.width - first[1])
            try:
                read_window(handle, rule.bands, *first, *size)
            except RasterioError as found:
                (row, column), error = first, found
                offset = handle.get_tag_item(f'BLOCK_OFFSET_{block_column}_{block_row}', 'TIFF', bidx=rule.bands[0])
                break
        else:
            continue
        break
    if is_remote(Path(handle.name)):
        return unreachable(Path(handle.name), error.__cause__ or error)
    where = f'row {row}, column {column}' + (f', byte {offset} of the file' if offset else '')
    return InputError(
        f'{handle.name}: cannot be read at {where} ({error.__cause__ or error}); it is damaged: copy it again'
    )
