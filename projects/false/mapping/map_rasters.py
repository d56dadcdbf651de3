"""Map any number of images; each map appears when it is complete, and complete maps are not made again."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import Faults
from projects.false.common.files import check_apart, remove_stale
from projects.false.common.work_lock import work_dir_locked
from projects.false.vectors.labels import vector_libraries

from .map_files import MapFiles
from .map_image import ImageMapping
from .options import MapOptions
from .pixel_rule import choose_rule
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

    Memory depends on the width of an image, by the rows of one window, and not on its height. A JPEG is the exception,
    which is decoded as a whole.

    Args:
        segmenter: The model.
        sources: Files that GDAL reads (GeoTIFF, VRT, JPEG, PNG, ...), and folders, which are searched recursively; web
            addresses of GeoTIFFs where the options allow them.
        out: Output folder. An image NAME.tif becomes ``NAME_classes.tif``, 8 bit, 255 = nodata.
        options: Options of the mapping, and the files to write.
        note: Called with lines about what was left out or is lost.

    Yields:
        One record per image, as soon as its map is complete.

    Raises:
        InputError: Something cannot be read, written or mapped with this model. Maps that are complete stay.

    Example:
        >>> segmenter = load_segmenter('configs/upernet_r18_mbrsc.py', 'iter_200.pth')  # doctest: +SKIP
        >>> for mapped in map_rasters(segmenter, ['scene.tif'], 'maps'):  # doctest: +SKIP
        ...     print(mapped.path)
    """
    options, folder = options or MapOptions(), Path(out)
    if options.polygons:
        vector_libraries()
    segmenter = FlippedSegmenter(segmenter) if options.flip else segmenter
    segmenter.check_window(options.plan(segmenter).window)
    batch_size, threads = options.batch_and_threads(segmenter)
    check_apart(folder, *(source for source in sources if Path(source).is_dir()))
    rasters = find_sources(sources, note=note, remote=options.allow_remote)
    rules, faults = [], Faults('images')
    for raster in rasters:
        with faults.noted():
            rules.append(choose_rule(raster, segmenter.bands, options.bands, options.value_range, options.recorded))
    faults.check()
    with work_dir_locked(folder, option='--out'):
        remove_stale(folder)
        for raster, rule in zip(rasters, rules, strict=True):
            plan = options.plan(segmenter, raster.height, raster.width)
            files = MapFiles(raster, rule, segmenter, plan, folder, options)
            if files.complete():
                yield Mapped(files.path)
                continue
            mapping = ImageMapping(
                raster, rule, segmenter, plan, batch_size, threads, options.confidence or options.polygons
            )
            yield Mapped(files.path, files.write(mapping), mapping.windows, mapping.skipped)
