"""Find the images to map, virtual rasters included, and read them from the top down, a little ahead of the model."""

import re
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from projects.false.common.errors import InputError
from projects.false.common.threads import map_ahead
from projects.false.imagery.images import band_order, read_image
from projects.false.imagery.levels import to_8_bit
from projects.false.imagery.rasters import DRIVERS, Raster, find_rasters, inspect_rasters, open_handle, read_window

from .pixel_rule import PixelRule
from .windows import Pixels, all_valid

MAP_DRIVERS = {**DRIVERS, '.vrt': 'VRT'}
# Little cache, since every block is read once; a broken JPEG block is an error, not grey pixels.
GDAL_OPTIONS = {'GDAL_CACHEMAX': 32, 'GDAL_ERROR_ON_LIBJPEG_WARNING': True}
_PIECE_WIDTH = 2048  # approximate number of pixels of a row that are read at once
_LEAST_ROWS, _MOST_ROWS = 64, 1024  # height of a piece; the former for files with higher blocks


def find_sources(sources: Sequence[str | Path], limit: int | None = None) -> list[Raster]:
    """Find and inspect the given files, and the images in the given folders and below them.

    Args:
        sources: Files and folders.
        limit: Number of images to take, from the first on; None takes all.

    Raises:
        InputError: Something is missing, damaged or unusable.
    """
    paths = find_rasters(sources, MAP_DRIVERS)[:limit]
    for path in paths:
        files_behind(path)
    return inspect_rasters(paths, MAP_DRIVERS)


def files_behind(path: Path, seen: tuple[Path, ...] = ()) -> list[Path]:
    """List the file itself, and for a virtual raster every image that it is made of.

    Raises:
        InputError: A virtual raster names something other than image files on this machine. GDAL would open web
            addresses, databases and programs by such names.
    """
    if path.suffix.lower() != '.vrt':
        return [path]
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise InputError(f'{path}: cannot be read as a VRT ({error}); make it again with gdalbuildvrt') from error
    if root.tag != 'VRTDataset' or root.get('subClass') or root.find('.//PixelFunctionType') is not None:
        raise InputError(
            f'{path}: is not a plain mosaic; convert it to a TIFF: gdal_translate {path.name} {path.stem}.tif'
        )
    files = [path]
    for element in root.iter('SourceFilename'):
        name = (element.text or '').strip()
        source = path.parent / name if element.get('relativeToVRT') == '1' else Path(name)
        if re.match(r'/vsi|\w\w+:', name) or source.suffix.lower() not in MAP_DRIVERS or not source.is_file():
            raise InputError(
                f'{path}: names {name!r}, which is not an image file here ({", ".join(MAP_DRIVERS)}); '
                'copy its images beside it and make it again with gdalbuildvrt'
            )
        if source.resolve() in (path.resolve(), *seen):
            raise InputError(f'{path}: contains itself; make it again with gdalbuildvrt')
        files += files_behind(source, (*seen, path.resolve()))
    return files


def read_rows(raster: Raster, rule: PixelRule, threads: int) -> Generator[list[Pixels], None, None]:
    """Read an image in whole blocks of its file, each block once.

    A JPEG file is decoded as a whole by the decoder that training uses, since decoders differ in how they upsample the
    colours.

    Args:
        raster: The image.
        rule: How its values become pixels.
        threads: Pieces to read at the same time; the result does not depend on it.

    Yields:
        Pieces of one height that lie side by side and fill the width.

    Raises:
        InputError: A block cannot be read; the message says where it is.
    """
    if raster.path.suffix.lower() in ('.jpg', '.jpeg'):
        yield [_read_jpeg(raster, rule)]
        return
    with _Handles(raster) as handles:
        pieces = _pieces(raster, *handles.get().block_shapes[0])
        threads = 1 if raster.path.suffix.lower() == '.png' else threads  # a PNG can only be read from the top
        read = map_ahead(lambda piece: _read_piece(handles, piece, rule), pieces, threads, ahead=2 * threads)
        row: list[Pixels] = []
        for piece, part in zip(pieces, read, strict=True):
            row.append(part)
            if piece.column + piece.width == raster.width:
                yield row
                row = []


def _read_jpeg(raster: Raster, rule: PixelRule) -> Pixels:
    bgr = read_image(raster.path, raster.band_count)
    order = band_order(raster.band_count)
    pixels = bgr[..., [order[band - 1] for band in rule.bands]]
    valid = all_valid(*pixels.shape[:2])
    return Pixels(to_8_bit(pixels, valid, rule.ranges) if rule.ranges else pixels, valid)


class _Piece(NamedTuple):
    row: int
    column: int
    height: int
    width: int


def _pieces(raster: Raster, block_height: int, block_width: int) -> list[_Piece]:
    """Divide the image into pieces that end where blocks of the file end, row by row."""
    height = max(1, -(-_LEAST_ROWS // block_height)) * block_height if block_height <= _MOST_ROWS else _LEAST_ROWS
    width = max(1, _PIECE_WIDTH // block_width) * block_width
    return [
        _Piece(row, column, min(height, raster.height - row), min(width, raster.width - column))
        for row in range(0, raster.height, height)
        for column in range(0, raster.width, width)
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
                handle = open_handle(self.raster.path, MAP_DRIVERS)
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
    where = f'row {row}, column {column}' + (f', byte {offset} of the file' if offset else '')
    return InputError(
        f'{handle.name}: cannot be read at {where} ({error.__cause__ or error}); it is damaged: copy it again'
    )
