"""Rasters to map: the project's image files, and virtual rasters (VRT) made of them."""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from projects.false.errors import InputError
from projects.false.imagery.rasters import DRIVERS, Raster, find_rasters, inspect_rasters

MAP_DRIVERS = {**DRIVERS, '.vrt': 'VRT'}


def find_sources(sources: Sequence[str | Path], most: int | None = None) -> list[Raster]:
    """Find and open the given files and the images of the given folders and all below them.

    Args:
        sources: Files and folders.
        most: Take the first of them only; None takes all.

    Raises:
        InputError: Something is missing, damaged or unusable.
    """
    paths = find_rasters(sources, MAP_DRIVERS)[:most]
    for path in paths:
        files_behind(path)
    return inspect_rasters(paths, MAP_DRIVERS)


def files_behind(path: Path, seen: tuple[Path, ...] = ()) -> list[Path]:
    """The file, and if it is a virtual raster every image it is made of.

    Raises:
        InputError: A virtual raster is not made of image files of this machine alone: GDAL would open web addresses,
            databases and programs by the names in it.
    """
    if path.suffix.lower() != '.vrt':
        return [path]
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise InputError(f'{path}: cannot be read as a VRT ({error}); make it again with gdalbuildvrt') from error
    if root.tag != 'VRTDataset' or root.get('subClass') or root.find('.//PixelFunctionType') is not None:
        raise InputError(f'{path}: is no plain mosaic; make a TIFF of it: gdal_translate {path.name} {path.stem}.tif')
    files = [path]
    for element in root.iter('SourceFilename'):
        name = (element.text or '').strip()
        source = path.parent / name if element.get('relativeToVRT') == '1' else Path(name)
        if re.match(r'/vsi|\w\w+:', name) or source.suffix.lower() not in MAP_DRIVERS or not source.is_file():
            raise InputError(
                f'{path}: names {name!r}, which is no image file here ({", ".join(MAP_DRIVERS)}); '
                'copy its images beside it and make it again with gdalbuildvrt'
            )
        if source.resolve() in (path.resolve(), *seen):
            raise InputError(f'{path}: contains itself; make it again with gdalbuildvrt')
        files += files_behind(source, (*seen, path.resolve()))
    return files
