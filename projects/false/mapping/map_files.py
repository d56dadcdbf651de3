"""The files of one map: the class map, and its confidence, areas, polygons, preview, class names and styles.

The class map takes its name last, so a map that exists is complete.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from rasterio.crs import CRS
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_write
from projects.false.common.threads import Background
from projects.false.imagery.rasters import Raster, open_raster
from projects.false.imagery.versions import state_of
from projects.false.vectors.polygon_file import PolygonFile, read_tags
from projects.false.vectors.styles import polygon_style, raster_style

from .bands.band_files import BandFiles, Signals, Work
from .class_map_file import MapFile, class_tags, map_file, pixel_hectares, unwritable
from .map_image import ImageMapping, MappedStrip
from .options import MapOptions
from .pixel_rule import PixelRule
from .preview import preview_png
from .qgis.companions import area_table, class_names_xml, trace_map
from .qgis.earlier_files import FINGERPRINT, MAP, EarlierFiles, fingerprint
from .segmenter import Segmenter
from .windows import Band, WindowPlan


class MapFiles:
    """The files made from one image.

    Args:
        raster: The image.
        rule: How its values become pixels.
        segmenter: The model.
        plan: The windows.
        folder: Output folder.
        options: Which files to write.
        signals: Messages to processes that map other bands of the image; None if this process maps all.
    """

    def __init__(
        self,
        raster: Raster,
        rule: PixelRule,
        segmenter: Segmenter,
        plan: WindowPlan,
        folder: Path,
        options: MapOptions,
        signals: Signals | None = None,
    ) -> None:
        self._plan, self._shared = plan, signals is not None
        self._raster, self._rule, self._palette, self._options = raster, rule, segmenter.palette, options
        style = raster_style(self._palette).encode()
        self._earlier = EarlierFiles(folder / raster.stem, self._beside, style)
        facts: list[object] = [state_of(raster), rule, segmenter.identity, self._palette.classes, self._palette.colors]
        facts += [plan.window, plan.stride, plan.blend]
        if options.with_confidence and options.temperature != 1:
            facts.append(options.temperature)
        self._fingerprint = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        self._layers = ('classes', 'confidence') if options.with_confidence else ('classes',)
        batch_size, threads = options.batch_and_threads(segmenter)
        facts += [batch_size, plan.band, self._layers]  # all bands of a map must be computed with the same settings
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        self.bands = BandFiles(self.path, digest, plan, len(segmenter.palette.classes), self._layers, signals)
        confidence = options.with_confidence, options.temperature
        self._mapping = ImageMapping(raster, rule, segmenter, plan, batch_size, threads, *confidence)
        self._tags = {FINGERPRINT: self._fingerprint, 'SOURCE': raster.path.name, 'MODEL': segmenter.identity}

    @property
    def band_count(self) -> int:
        """Number of bands; an image of one needs no :meth:`join`."""
        return len(self._plan.bands)

    @property
    def path(self) -> Path:
        """The class map."""
        return self._named(MAP)

    @property
    def names(self) -> list[Path]:
        """Every file that belongs to this map, asked for or not."""
        return [self._named(ending) for ending in (MAP, '_classes.qml', *self._beside)]

    def _named(self, ending: str) -> Path:
        return self._earlier.named(ending)

    def complete(self) -> bool:
        """Return True if all files exist and were made from the same image, model and windows.

        Raises:
            InputError: The map exists, was made from something else, and may not be replaced; or a file that would be
                written exists and is of no map.
        """
        complete = self._complete()
        if not complete and not self._options.overwrite:
            self._earlier.check_free()
        return complete

    def _complete(self) -> bool:
        if not self.path.exists():
            return False
        same = self._is_ours(self.path)
        if same and not self._named('_classes.qml').exists():  # of a map made before there were styles
            _write(self._named('_classes.qml'), raster_style(self._palette).encode())
        if not same and not self._options.overwrite:
            raise InputError(
                f'{self.path}: exists and was made from another image, model or window, or with another '
                'temperature; give another --out, or --overwrite'
            )
        if not same or not all(self._named(ending).exists() for ending, wanted in self._beside.items() if wanted):
            return False
        if self._options.with_confidence and not self._is_ours(self._named('_confidence.tif')):
            return False
        found = read_tags(self._named('_polygons.gpkg')) if self._options.polygons else self._polygon_tags
        return all(found.get(key) == value for key, value in self._polygon_tags.items())

    def _is_ours(self, path: Path) -> bool:
        """Return True if a map was made from the same image, model and windows."""
        return fingerprint(path) == self._fingerprint

    @property
    def _polygon_tags(self) -> dict[str, str]:
        chosen = {'MIN_AREA': f'{self._options.min_area:g}', 'SIMPLIFY': f'{self._options.simplify:g}'}
        return self._tags | chosen

    @property
    def _beside(self) -> dict[str, bool]:
        """Ending of every file beside the class map, and whether it is asked for."""
        return {
            '_classes.tif.aux.xml': True,
            '_confidence.tif': self._options.with_confidence,
            '_preview.png': self._options.preview,
            '_areas.csv': self._options.areas,
            '_polygons.gpkg': self._options.polygons,
            '_polygons.qml': self._options.polygons,
        }

    def write(self) -> tuple[np.ndarray, Work]:
        """Map the image and write all files, in a background thread while the model continues.

        Returns:
            Number of pixels per value of the map, shape (256,), and what the model did.

        Raises:
            InputError: The image cannot be read, or a file cannot be written.
        """
        bands = self._plan.bands
        with self._maps() as maps:
            if len(bands) == 1:
                self._run(bands[0], None, lambda strip: maps.write(_values(strip, self._layers)))
                work = Work(self._mapping.windows, self._mapping.skipped)
            else:
                for number in range(len(bands)):
                    last = number + 1 == len(bands)
                    self.write_band(number, partial(maps.join, self.bands) if last else None)
                maps.join(self.bands, self._raster.height)
                work = self.bands.total()
        self.bands.remove()
        return maps.counts, work

    def write_band(self, number: int, after: Callable[[int], object] | None = None) -> None:
        """Map one band of a wide image for :meth:`join`, unless an earlier run did.

        Args:
            number: Number of the band.
            after: Called in the background with the number of rows of the band that are on the disk.

        Raises:
            InputError: The image cannot be read, or a file cannot be written.
        """
        if number in self.bands.finished():
            return
        before, rows = Work(self._mapping.windows, self._mapping.skipped), 0
        try:
            with self.bands.writing(number) as band:

                def write(strip: MappedStrip) -> None:
                    nonlocal rows
                    band.write({**_values(strip, self._layers), 'seam': strip.seam()})
                    rows += strip.rows
                    if after is not None:
                        after(rows)

                self._run(self._plan.bands[number], self.bands.inherited(number), write)
                band.work = Work(self._mapping.windows - before.windows, self._mapping.skipped - before.skipped)
        except OSError as error:
            raise unwritable(self.path, f'band {number}', error) from error

    def join(self) -> tuple[np.ndarray, Work]:
        """Write all files from the finished bands of a wide image; result as for :meth:`write`."""
        with self._maps() as maps:
            maps.join(self.bands, self._raster.height)
        work = self.bands.total()
        self.bands.remove()
        return maps.counts, work

    def _run(
        self,
        band: Band,
        inherited: Callable[[int], np.ndarray] | None,
        write: Callable[[MappedStrip], object],
    ) -> None:
        with Background(write) as background, _progress(shown=not self._shared) as progress:
            height, width = self._raster.height, self._raster.width
            name = escape(self._raster.path.name)
            task = progress.add_task(name, total=height * width, completed=height * band.left)
            for strip in self._mapping.strips(background.check, band, inherited):
                background.put(strip)
                progress.advance(task, strip.strip.classes.numel())

    @contextmanager
    def _maps(self) -> Iterator['_OpenMaps']:
        """Open the maps; at the end of the block write the files beside them, and give the maps their final names."""
        with ExitStack() as stack:
            georeference = self._georeference()
            size = self._raster.height, self._raster.width
            tags = {**self._tags, **class_tags(self._palette)}
            polygons = self._polygons(georeference) if self._options.polygons else None
            classes = stack.enter_context(map_file(self.path, *size, georeference, tags, self._palette))
            files = {'classes': classes}
            if self._options.with_confidence:
                out = self._named('_confidence.tif')
                unit = {**self._tags, 'UNIT': 'per cent'}
                files['confidence'] = stack.enter_context(map_file(out, *size, georeference, unit))
            maps = _OpenMaps(files)
            yield maps
            for file in files.values():
                file.seal()
            if polygons is not None:
                trace_map(polygons, classes.temporary, files['confidence'].temporary)
            companions = self._companions(classes.temporary, maps.counts, georeference)
            if not self._is_ours(self.path):
                self._earlier.remove()
            for ending, content in companions.items():
                _write(self._named(ending), content)

    def _polygons(self, georeference: dict) -> PolygonFile:
        size = self._raster.height, self._raster.width
        place = georeference.get('crs'), georeference.get('transform')
        chosen = self._options.min_area, self._options.simplify
        return PolygonFile(self._named('_polygons.gpkg'), *size, self._palette, *place, *chosen, self._polygon_tags)

    def _georeference(self) -> dict:
        """Return the georeference of the image as rasterio takes it: crs and transform, or ground control points."""
        with open_raster(self._raster.path) as opened:
            georeference: dict = {}
            points, system = opened.gcps
            if opened.crs:
                georeference['crs'] = opened.crs
            if not opened.transform.is_identity:
                georeference['transform'] = opened.transform
            elif points:
                georeference.update(gcps=points, crs=system or CRS())
            if opened.rpcs:
                georeference['rpcs'] = opened.rpcs
            return georeference

    def _companions(self, temporary: Path, counts: np.ndarray, georeference: dict) -> dict[str, bytes]:
        """Return the small files beside the map: ending -> content."""
        palette, options = self._palette, self._options
        names = class_names_xml(palette).encode()
        made = {'_classes.qml': raster_style(palette).encode(), '_classes.tif.aux.xml': names}
        if options.areas:
            hectares = pixel_hectares(georeference.get('crs'), georeference.get('transform'))
            made['_areas.csv'] = area_table(counts, palette.classes, hectares).encode()
        if options.preview:
            made['_preview.png'] = preview_png(self._raster, self._rule, temporary, palette)
        if options.polygons:
            made['_polygons.qml'] = polygon_style(palette).encode()
        return made


class _OpenMaps:
    """The maps of one image that are being written.

    Args:
        files: One per layer.
    """

    def __init__(self, files: Mapping[str, MapFile]) -> None:
        self._files = files
        self.counts = np.zeros(256, np.int64)  # pixels per class
        self._joined = 0

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        """Add rows to every layer."""
        self.counts += np.bincount(values['classes'].ravel(), minlength=256)
        for name, file in self._files.items():
            file.write(values[name])

    def join(self, bands: BandFiles, until: int) -> None:
        """Copy the rows of tiles from the bands, up to row ``until``, which all bands have reached."""
        while rows := next(iter(self._files.values())).next_rows:
            if self._joined + rows > until:
                break
            for name, file in self._files.items():

                def pixels(columns: slice, name: str = name) -> np.ndarray:
                    part = bands.read(name, self._joined, rows, columns)
                    if name == 'classes':
                        self.counts += np.bincount(part.ravel(), minlength=256)
                    return part

                file.write_tiles(pixels)
            self._joined += rows


def _values(strip: MappedStrip, layers: Sequence[str]) -> dict[str, np.ndarray]:
    return {layer: strip.classes() if layer == 'classes' else strip.confidence() for layer in layers}


def _progress(shown: bool) -> Progress:
    """Return a progress bar, which is only shown in a terminal."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not (shown and console.is_terminal))


def _write(path: Path, data: bytes) -> None:
    try:
        with atomic_write(path) as file:
            file.write(data)
    except OSError as error:
        raise InputError(
            f'{path}: writing failed ({error.strerror or error}); make room or give another --out'
        ) from error
