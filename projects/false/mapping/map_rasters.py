"""Map any number of images; each map appears when it is complete, and complete maps are not made again."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rasterio.crs import CRS

from projects.false.common.errors import Faults, InputError
from projects.false.common.files import check_apart, remove_stale
from projects.false.common.work_lock import work_dir_locked
from projects.false.imagery.image_files import files_behind
from projects.false.imagery.rasters import Raster
from projects.false.imagery.remote import is_remote
from projects.false.vectors.labels import check_vector_name, vector_libraries
from projects.false.vectors.polygon_file import check_lengths

from .bands.band_files import Signals, remove_bands
from .class_map_file import check_storable
from .map_files import MapFiles
from .options import MapOptions
from .pixel_rule import choose_rule
from .qgis.companions import check_place
from .segmenter import FlippedSegmenter, Segmenter
from .sources import find_sources


class Mapped(NamedTuple):
    """The result for one image.

    Args:
        path: The map.
        counts: Number of pixels per value of the map; None if the map was complete already.
        windows: Windows that the model saw.
        skipped: Windows without data.

    Shape:
        - counts: (256,)
    """

    path: Path
    counts: np.ndarray | None = None
    windows: int = 0
    skipped: int = 0


def map_rasters(
    segmenter: Segmenter,
    sources: Sequence[str | Path],
    out: str | Path,
    options: MapOptions | None = None,
    note: Callable[[str], object] = lambda line: None,
) -> Iterator[Mapped]:
    """Map images, one after the other.

    Memory depends neither on the width of an image nor on its height: bands of columns are mapped one after the other.
    Wide images need room in ``out`` until their maps are complete, see docs/maps.md. A JPEG is the exception, which is
    decoded as a whole.

    Args:
        segmenter: The model.
        sources: Files that GDAL reads (GeoTIFF, VRT, JPEG, PNG, ...), and folders, which are searched recursively; web
            addresses of GeoTIFFs where the options allow them.
        out: Output folder. An image NAME.tif becomes ``NAME_classes.tif``, 8 bit, 255 = nodata.
        options: Options of the mapping, and the files to write.
        note: Called with lines about files left out and information lost.

    Yields:
        One record per image, as soon as its map is complete.

    Raises:
        InputError: Something cannot be read, written or mapped with this model. Maps that are complete stay.

    Example:
        >>> segmenter = load_segmenter('configs/upernet_r18_mbrsc.py', 'iter_200.pth')  # doctest: +SKIP
        >>> for mapped in map_rasters(segmenter, ['scene.tif'], 'maps'):  # doctest: +SKIP
        ...     print(mapped.path)
    """
    folder = Path(out)
    found = plan_maps(segmenter, sources, folder, options or MapOptions(), note)
    with work_dir_locked(folder, option='--out'):
        remove_leftovers(folder, found)
        for files in found:
            if files.complete():
                yield Mapped(files.path)
            else:
                counts, work = files.write()
                yield Mapped(files.path, counts, *work)


def plan_maps(
    segmenter: Segmenter,
    sources: Sequence[str | Path],
    folder: Path,
    options: MapOptions,
    note: Callable[[str], object],
    signals: Callable[[int], Signals] | None = None,
) -> list[MapFiles]:
    """Find the images, and choose how each is mapped; nothing is written.

    Args:
        segmenter, sources, folder, options, note: As for :func:`map_rasters`.
        signals: Takes the number of an image; returns the messages to processes that map its other bands.

    Raises:
        InputError: An image cannot be read, or not be mapped with this model.
    """
    if options.polygons:
        vector_libraries()
        check_vector_name(folder / '_', folder)
        check_lengths(options.min_area, options.simplify)
    segmenter = FlippedSegmenter(segmenter) if options.flip else segmenter
    segmenter.check_window(options.plan(segmenter).window)
    options.batch_and_threads(segmenter)
    check_apart(folder, *(source for source in sources if Path(source).is_dir()))
    rasters = find_sources(sources, note=note, remote=options.allow_remote)
    rules, faults = [], Faults('images')
    for raster in rasters:
        with faults.noted():
            rules.append(choose_rule(raster, segmenter.bands, options.bands, options.value_range, options.recorded))
            if 'crs' in raster.place:
                check_storable(CRS.from_user_input(raster.place['crs']), raster.path)
            if options.polygons:
                check_vector_name(Path(raster.stem), raster.path)
                check_place(raster)
    faults.check()
    found = []
    for number, (raster, rule) in enumerate(zip(rasters, rules, strict=True)):
        plan = options.plan(segmenter, raster.height, raster.width)
        found.append(MapFiles(raster, rule, segmenter, plan, folder, options, signals and signals(number)))
    _check_outputs(rasters, found)
    return found


def _check_outputs(rasters: Sequence[Raster], found: Sequence[MapFiles]) -> None:
    """Refuse a map of which a file has the name of an image to map, or of a part of one."""
    local = [raster.path for raster in rasters if not is_remote(raster.path)]
    images = {part.resolve(): path for path in local for part in files_behind(path)}
    for files in found:
        for name in files.names:
            if name.resolve() in images:
                raise InputError(f'{name}: is an image to map and a file of the map {files.path}; give another --out')


def remove_leftovers(folder: Path, found: Sequence[MapFiles]) -> None:
    """Remove what killed runs left in the output folder, except bands from which this run continues."""
    remove_stale(folder)
    remove_bands(folder, {files.bands.folder for files in found})
