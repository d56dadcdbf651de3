"""Outputs of a selection besides its list: a contact sheet, and the windows on the ground for annotators."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_path, atomic_write, writable
from projects.false.label_audit.shared_ground import Ground, Window
from projects.false.reports.pictures import font_of, three_bands

from .features import Read

SHOWN = 120  # patches on a contact sheet
_SIDE, _COLUMNS, _GAP, _LINE = 144, 10, 8, 17
_INK, _MUTED = (28, 31, 35), (96, 103, 111)


def write_contact_sheet(path: Path, title: str, names: Sequence[str], reads: Sequence[Read]) -> int:
    """Write a PNG of the chosen patches in the order of choice, or of :data:`SHOWN` spread evenly over it.

    Args:
        path: The file.
        title: Text at the top.
        names: Chosen patches.
        reads: Functions that return them, blue first.

    Returns:
        The number of patches on the sheet.

    Raises:
        InputError: A patch is unreadable, or the file cannot be written.
    """
    shown = np.linspace(0, len(names) - 1, min(SHOWN, len(names))).round().astype(int).tolist()
    columns = min(_COLUMNS, max(4, len(shown)))
    rows = -(-len(shown) // columns)
    width, height = _GAP + columns * (_SIDE + _GAP), 2 * _GAP + _LINE + rows * (_SIDE + _LINE + _GAP)
    sheet = Image.new('RGB', (width, height), 'white')
    draw = ImageDraw.Draw(sheet)
    small = font_of(10)
    draw.text(
        (_GAP, _GAP // 2), _fitting(title, width - 2 * _GAP, font_of(13, bold=True)), _INK, font_of(13, bold=True)
    )
    for place, number in enumerate(shown):
        row, column = divmod(place, columns)
        left, top = _GAP + column * (_SIDE + _GAP), _GAP + _LINE + row * (_SIDE + _LINE + _GAP)
        picture = three_bands(reads[number]())[..., ::-1]
        shrinks = max(picture.shape[:2]) > _SIDE
        how = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST_EXACT
        scale = _SIDE / max(picture.shape[:2])
        size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
        sheet.paste(Image.fromarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=how)), (left, top))
        draw.text((left, top + _SIDE + 2), _fitting(f'{number + 1} {names[number]}', _SIDE, small), _MUTED, small)
    with writable(path, 'choose another --out'), atomic_write(path) as file:
        sheet.save(file, 'PNG')
    return len(shown)


def _fitting(text: str, width: int, font: Any) -> str:
    """Shorten a text in its middle until it is at most so many pixels wide; names differ at their ends."""
    if font.getlength(text) <= width:
        return text
    keep = len(text) - 1
    while keep > 2 and font.getlength(f'{text[: keep // 3]}…{text[-(keep - keep // 3) :]}') > width:
        keep -= 1
    return f'{text[: keep // 3]}…{text[-(keep - keep // 3) :]}'


def write_windows(
    path: Path,
    names: Sequence[str],
    records: Mapping[str, Mapping[str, Any]],
    sources: Mapping[str, Mapping[str, Any]],
    size: int,
) -> int:
    """Write the outlines of georeferenced patches as a GeoPackage with a layer ``windows``.

    Its columns are ``number`` (the order of choice, from 1), ``patch``, ``image``, ``row`` and ``col``. Windows of
    images in several reference systems are written in the most common one.

    Args:
        path: The file.
        names: Chosen patches.
        records: Patch -> its record in ``dataset.json``.
        sources: Image -> its record there.
        size: Side of the patches in pixels.

    Returns:
        The number of windows; 0 if no image is georeferenced, and then there is no file.

    Raises:
        InputError: The file cannot be written, or a library for it is missing.
    """
    placed = [
        (number, name)
        for number, name in enumerate(names, start=1)
        if name in records and 'transform' in sources.get(records[name].get('source', ''), ())
    ]
    if not placed or not size:
        return 0
    try:
        import pyogrio
        import shapely
    except ImportError as error:
        raise InputError(f'{path}: needs {error.name}; install it: pip install pyogrio shapely') from error
    windows = [
        Window(records[name]['source'], int(records[name]['row']), int(records[name]['col']), size)
        for _, name in placed
    ]
    ground = Ground(windows, sources)
    columns: dict[str, np.ndarray] = {
        'number': np.array([number for number, _ in placed], np.int64),
        'patch': np.array([name for _, name in placed], object),
        'image': np.array([window.source for window in windows], object),
        'row': np.array([window.row for window in windows], np.int64),
        'col': np.array([window.col for window in windows], np.int64),
    }
    with writable(path, 'choose another --out'), atomic_path(path) as temporary:
        whole = temporary.with_name(f'{temporary.name}.gpkg')  # GDAL warns of other suffixes
        try:
            pyogrio.raw.write(
                whole,
                geometry=shapely.to_wkb(shapely.polygons(ground.corners)),
                field_data=list(columns.values()),
                fields=list(columns),
                layer='windows',
                driver='GPKG',
                geometry_type='Polygon',
                crs=ground.system or None,
            )
            whole.rename(temporary)
        finally:
            whole.unlink(missing_ok=True)
    return len(placed)
