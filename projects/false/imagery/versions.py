"""Tell versions of an image apart, by its files and by those beside them that change how GDAL reads it."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .image_files import files_behind
from .rasters import Raster
from .remote import is_remote, remote_state

_CONTAINERS = ('PAMDataset', 'PAMRasterBand', 'Metadata')  # of facts that GDAL stores beside an image


def state_of(raster: Raster) -> list[tuple[object, ...]]:
    """Return what identifies a version of an image, and of every image that a virtual one is made of.

    That is its name, its size, time or tag of the last change, its rational polynomial coefficients, and the files
    beside it from which GDAL takes a place, a nodata value or a mask. Statistics, which QGIS stores beside an image
    that is looked at, do not count.
    """
    states = _states(raster.path)
    coefficients: Any = raster.place.get('rpcs')
    if coefficients:  # by their values, since vendors keep them in files of many names
        states.append(('rpcs', *sorted(coefficients.items())))
    return states


def digest_of(paths: Iterable[Path]) -> str:
    """Return a digest of the versions of images, in which a file that is replaced by another of its name shows."""
    lines = (' '.join(map(str, state)) for path in paths for state in _states(path))
    return hashlib.sha256('\n'.join(lines).encode(errors='surrogateescape')).hexdigest()[:16]


def _states(path: Path) -> list[tuple[object, ...]]:
    return [
        remote_state(file) if is_remote(file) else (file.name, *_version(file), *_files_beside(file))
        for file in files_behind(path)
    ]


def _version(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _files_beside(path: Path) -> list[tuple[object, ...]]:
    suffix = path.suffix[1:].lower()
    endings = sorted({f'{suffix[0]}{suffix[-1]}w', f'{suffix}w', 'wld'})  # of world files
    found: list[tuple[object, ...]] = [
        (ending, world.read_bytes().hex())
        for ending in endings
        for world in (path.with_suffix(f'.{ending}'), path.with_suffix(f'.{ending.upper()}'))
        if world.is_file()
    ]
    mask, facts = Path(f'{path}.msk'), Path(f'{path}.aux.xml')
    if mask.is_file():
        found.append(('msk', *_version(mask)))
    if facts.is_file() and (known := _facts_beside(facts)):
        found.append(('aux.xml', *known))
    return found


def _facts_beside(path: Path) -> list[str]:
    """Return what GDAL stored beside an image, without statistics and histograms."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError):
        return []  # GDAL does not read it either
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == 'Histograms' or child.get('key', '').startswith('STATISTICS_'):
                parent.remove(child)
    leaves = (element for element in root.iter() if not len(element))
    return [ElementTree.tostring(leaf, encoding='unicode').strip() for leaf in leaves if leaf.tag not in _CONTAINERS]
