"""Images with labels as polygons, lines and points, in GeoPackage, GeoJSON, Shapefile or FlatGeobuf.

Labels may be sparse: a pixel that no polygon covers is ignored, a patch without any label serves pretraining alone.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine

from projects.false.common.errors import InputError
from projects.false.common.files import check_apart
from projects.false.imagery.archives import SourceFile
from projects.false.imagery.images import band_order, write_patch
from projects.false.imagery.levels import choose_ranges, count_levels, to_8_bit
from projects.false.imagery.palettes import IGNORE_INDEX, Palette, distinct_colors, load_palette
from projects.false.imagery.pixels import read_window
from projects.false.imagery.rasters import Raster, choose_bands, find_rasters, inspect_rasters, open_raster
from projects.false.imagery.versions import digest_of
from projects.false.imagery.windows import grid
from projects.false.patch_folder.description import Conversion
from projects.false.vectors.burning import Burner, BurntImage, Place
from projects.false.vectors.labels import (
    Features,
    layer_file,
    mended_lines,
    order_classes,
    read_features,
    vector_libraries,
)

from .cutting import CutPair, LabelledPatch, Pair, strips
from .image_splits import assign_splits, list_arguments
from .labelled import SplitPairs, convert_labelled
from .options import RGB, CutOptions
from .shrinking import shrink_mask, shrink_pair


@dataclass(frozen=True)
class LabelOptions:
    """How features become labels.

    Args:
        class_field: Field of the class names; numbers count as names.
        classes: Names in the order of their indices; empty takes all that occur.
        palette: A known palette or JSON file, whose classes are taken with their colours; excludes ``classes``.
        ignore: Names whose pixels are ignored (255); one that is among the classes keeps its index.
        priority: Names that win where polygons overlap, the strongest first; the others follow in their order.
        buffer: Half of the width of lines and the radius of points, in metres.
        area: Files of polygons, where labels count; pixels outside are ignored.
        background: Class of the pixels in the area (or of all pixels, if no area is given) that nothing covers.
        val_area, test_area: Files of polygons. Patches that touch one are for validation or test, and their pixels
            outside it are ignored. Windows that overlap such a patch but touch no area are left out.
    """

    class_field: str
    classes: Sequence[str] = ()
    palette: str | None = None
    ignore: Sequence[str] = ()
    priority: Sequence[str] = ()
    buffer: float | None = None
    area: str | None = None
    background: str | None = None
    val_area: str | None = None
    test_area: str | None = None


@dataclass(frozen=True)
class PixelOptions:
    """Which values of an image become pixels: as for :func:`.rasters.convert_rasters`."""

    bands: Sequence[int] | None = None
    stretch: Sequence[float] | None = None
    value_range: Sequence[float] | None = None


def convert_vectors(
    images: str | Path,
    labels: Sequence[str | Path],
    out: str | Path,
    how: LabelOptions,
    options: CutOptions,
    pixels: PixelOptions | None = None,
    val_list: str | Path | None = None,
    test_list: str | Path | None = None,
) -> Conversion:
    """Cut images into patches, and burn their labels into index masks.

    Memory does not grow with the images: each worker holds a strip of at most 4,096 pixels by the patch size. Patches
    without a label are listed in ``splits/pretrain.txt`` alone. See :func:`.labelled.convert_labelled` for the output.

    Args:
        images: An image with a reference system, or a folder of them.
        labels: Files of polygons, lines and points in any reference system; ``FILE|layername=NAME`` for one of several
            layers.
        out: Output folder.
        how: How features become labels.
        options: Options for cutting.
        pixels: Bands and ranges.
        val_list, test_list: Text files with stems or glob patterns of images for validation and test.

    Raises:
        InputError: The input is unusable, no label lies on an image, or ``out`` was made with other arguments.
    """
    check_apart(out, images)
    pixels = pixels or PixelOptions()
    found = [read_features(source, how.class_field) for source in labels]
    areas = {
        name: None if source is None else [_read_area(source)]
        for name, source in (('area', how.area), ('val_area', how.val_area), ('test_area', how.test_area))
    }
    palette = _palette(found, how)
    burner = Burner(found, palette.classes, how.priority, how.buffer, areas['area'], how.background, how.ignore)
    splits = {
        split: Burner(area, [''])
        for split, area in (('val', areas['val_area']), ('test', areas['test_area']))
        if area is not None
    }
    paths, left_out = find_rasters([images])
    rasters = inspect_rasters(paths)
    chosen = choose_bands(rasters, pixels.bands)
    names = [rasters[0].names[band - 1] or f'band {band}' for band in chosen]
    ranges = choose_ranges(rasters, chosen, pixels.stretch, pixels.value_range)
    by_stem = {raster.stem: raster for raster in rasters}
    overlaps: Counter[tuple[str, str]] = Counter()
    area_files = {split: str(source) for split, source in (('val', how.val_area), ('test', how.test_area)) if source}
    held: set[str] = set()  # splits that got a patch from their area

    def inputs(stems: Iterable[str]) -> dict[str, object]:
        return {
            'images': str(Path(images).resolve()),
            'images_state': digest_of(raster.path for raster in rasters),
            'labels': {one.source: _digest(one) for one in found},
            **{name: _digest(area[0]) for name, area in areas.items() if area},
            'class_field': how.class_field,
            'ignore': list(how.ignore),
            'priority': list(how.priority),
            'buffer': how.buffer,
            'background': how.background,
            'stretch': list(pixels.stretch) if pixels.stretch else None,
            'range': list(pixels.value_range) if pixels.value_range else None,
            'band_numbers': list(chosen),
            **list_arguments(val_list, test_list, stems),
        }

    def find() -> SplitPairs:
        pairs = [Pair(raster.stem, SourceFile(raster.path), SourceFile(Path(labels[0]))) for raster in rasters]
        return SplitPairs(pairs, assign_splits(list(by_stem), val_list, test_list), {}, left_out)

    def prepare() -> None:
        touched: Counter[str | Path] = Counter()
        for raster in rasters:
            burnt = burner.on(_place(raster))
            touched[labels[0]] += burnt.count()
            overlaps.update(burnt.overlaps())
            for split, area in splits.items():
                touched[area_files[split]] += area.on(_place(raster)).count()
        for source in (labels[0], *area_files.values()):
            if not touched[source]:
                raise InputError(
                    f'{source}: no feature lies on {images}; compare both in QGIS, and check reference systems'
                )

    def cut(pair: Pair, folder: Path) -> CutPair:
        raster = by_stem[pair.stem]
        cutter = _Cutter(raster, burner, splits, palette, chosen, ranges, options)
        cut_pair = cutter.cut(folder, [str(source) for source in labels])
        held.update(cut_pair.splits.values())
        return cut_pair

    def facts() -> dict[str, object]:
        for split, source in area_files.items():
            if split not in held:
                raise InputError(
                    f'{source}: no patch with data and a label is left for {split}; give another --{split}-area'
                )
        return {
            'ranges': ranges,
            'mended_labels': mended_lines(found),
            'overlaps': [{'wins': one, 'loses': two, 'pixels': count} for (one, two), count in overlaps.most_common()],
        }

    bands = RGB if pixels.bands is None and not any(rasters[0].names) else names
    layers = (*labels, how.area, how.val_area, how.test_area)
    files = [None if layer is None else layer_file(layer) for layer in layers]
    sources = images, *files, val_list, test_list, how.palette
    return convert_labelled(
        'vectors', sources, inputs, find, out, palette, bands, options, cut=cut, prepare=prepare, facts=facts
    )


def _palette(found: Sequence[Features], how: LabelOptions) -> Palette:
    if how.palette and how.classes:
        raise InputError('--palette names the classes already; leave --classes out, or --palette')
    known = load_palette(how.palette) if how.palette else None
    classes = order_classes(found, known.classes if known else how.classes, how.ignore)
    if not set(classes) - set(how.ignore):
        raise InputError(f'--ignore {" ".join(how.ignore)}: no class is left; leave one out')
    colors = known.colors if known else distinct_colors(len(classes))
    return Palette(known.name if known else 'labels', tuple(classes), tuple(colors), index_masks=True)


def _read_area(source: str) -> Features:
    """Read an area; lines and points, which have none, are no part of it, whatever ``--buffer`` says of labels."""
    area = read_features(source, None)
    _, shapely = vector_libraries()
    thin = int((shapely.get_dimensions(area.geometries) < 2).sum())
    if thin:
        raise InputError(
            f'{source}: an area holds polygons alone, and this one holds {thin} lines and points; widen them in QGIS '
            '(Vector, Geoprocessing, Buffer), or take them out'
        )
    return area


def _digest(features: Features) -> str:
    """Return a digest of the labels, which a program may edit without renaming the file."""
    _, shapely = vector_libraries()
    digest = hashlib.sha256(features.crs.to_wkt().encode())
    for geometry, name in zip(shapely.to_wkb(features.geometries), features.classes, strict=True):
        digest.update(geometry + str(name).encode())
    return digest.hexdigest()[:16]


def _place(raster: Raster) -> Place:
    place: dict[str, Any] = raster.place
    if 'crs' not in place or 'transform' not in place:
        raise InputError(
            f'{raster.path}: has no reference system and transform, so that polygons have no place on it; warp it with '
            f'gdalwarp, or set them: gdal_edit.py -a_srs EPSG:CODE -a_ullr LEFT TOP RIGHT BOTTOM {raster.path.name}'
        )
    crs = CRS.from_user_input(place['crs'])
    return Place(str(raster.path), crs, Affine(*place['transform']), raster.height, raster.width)


class _Cutter:
    """Cuts one image, strip by strip."""

    def __init__(
        self,
        raster: Raster,
        burner: Burner,
        splits: dict[str, Burner],
        palette: Palette,
        bands: Sequence[int],
        ranges: Sequence[Sequence[float]] | None,
        options: CutOptions,
    ) -> None:
        self._raster, self._palette, self._bands, self._ranges = raster, palette, bands, ranges
        self._size, self._step, self._shrink = options.patch_size, options.step, options.shrink
        self._labels = burner.on(_place(raster))
        self._areas: dict[str, BurntImage] = {split: area.on(_place(raster)) for split, area in splits.items()}

    def cut(self, out: Path, labels: Sequence[str]) -> CutPair:
        """Write the patches to ``out/images`` and ``out/masks``."""
        raster, size, shrink = self._raster, self._size, self._shrink
        if raster.height % shrink or raster.width % shrink:
            raise InputError(
                f'{raster.path}: {raster.height} x {raster.width} pixels do not split into blocks of --shrink '
                f'{shrink}; give a common divisor'
            )
        height, width = raster.height // shrink, raster.width // shrink
        patches: list[LabelledPatch] = []
        split_of: dict[str, str] = {}
        left_out: Counter[str] = Counter()
        levels = np.zeros((len(self._bands), 256), np.int64)
        try:
            windows = grid(height, width, size, self._step)
        except InputError as error:
            raise InputError(f'{raster.path}: {error}') from error
        held = self._held(windows)
        apart = [window for window in windows if window in held or not _overlaps(window, list(held), size)]
        with open_raster(raster.path) as opened:
            for row, columns in strips(apart, size):
                image, valid, mask, areas = self._read(opened, row, columns[0], columns[-1] + size - columns[0])
                for column in columns:
                    part = np.s_[:, column - columns[0] : column - columns[0] + size]
                    index, split = mask[part], held.get((row, column))
                    if split:
                        index = np.where(areas[split][part], index, np.uint8(IGNORE_INDEX))
                    counts = np.bincount(index.ravel(), minlength=IGNORE_INDEX + 1)
                    labelled = bool(counts[:IGNORE_INDEX].any())
                    if not valid[part].any() or (split and not labelled):
                        left_out['windows_without_data' if not valid[part].any() else 'held_out_without_label'] += 1
                        continue
                    name = f'{raster.stem}_{row}_{column}'
                    if split:
                        split_of[name] = split
                    write_patch(out / 'images' / name, image[part][..., band_order(len(self._bands))])
                    write_patch(out / 'masks' / name, index)
                    if not split:
                        levels += count_levels(image[part], valid[part].astype(np.uint8))
                    known = [*counts[: len(self._palette.classes)].tolist(), int(counts[IGNORE_INDEX])]
                    patches.append(LabelledPatch(name, raster.stem, row, column, known))
        place: dict[str, Any] = dict(raster.place)
        a, b, c, d, e, f = place['transform']
        place['transform'] = [a * shrink, b * shrink, c, d * shrink, e * shrink, f]
        source = {'image': str(raster.path), 'mask': list(labels), **place, 'height': height, 'width': width}
        if len(apart) < len(windows):
            left_out['windows_between_splits'] = len(windows) - len(apart)
        source |= left_out
        return CutPair(patches, levels, source, split_of)

    def _held(self, windows: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
        """Return the windows that touch an area, with the area's split; validation takes precedence."""
        found: dict[tuple[int, int], str] = {}
        for row, columns in strips(windows, self._size) if self._areas else ():
            for split, inside in self._inside(row, columns[0], columns[-1] + self._size - columns[0]).items():
                for column in columns:
                    if inside[:, column - columns[0] : column - columns[0] + self._size].any():
                        found.setdefault((row, column), split)
        return found

    def _inside(self, row: int, column: int, width: int) -> dict[str, np.ndarray]:
        """Return masks of the areas in a strip, (patch size, width), bool."""
        shrink = self._shrink
        window = row * shrink, column * shrink, self._size * shrink, width * shrink
        areas = {split: (area.read(*window) == 0).astype(np.uint8) for split, area in self._areas.items()}
        return {split: shrink_mask(inside, shrink) > 0 for split, inside in areas.items()}

    def _read(
        self, opened: Any, row: int, column: int, width: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Read a strip as patches show it: pixels, mask of valid pixels, labels, and masks of the areas."""
        shrink = self._shrink
        window = row * shrink, column * shrink, self._size * shrink, width * shrink
        pixels, valid = read_window(opened, self._bands, *window)
        pixels = to_8_bit(pixels, valid, self._ranges)
        mask = self._labels.read(*window)
        mask[~valid] = IGNORE_INDEX
        if shrink > 1:
            pixels, mask, valid = shrink_pair(pixels, mask, valid, shrink)
        return pixels, valid, mask, self._inside(row, column, width)


def _overlaps(window: tuple[int, int], others: Sequence[tuple[int, int]], size: int) -> bool:
    return bool(others) and bool((np.abs(np.subtract(others, window)) < size).all(axis=1).any())
