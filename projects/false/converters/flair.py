"""FLAIR #1 of IGN: aerial images of France with 19 classes, as published or as a reduced copy with an index.

The published files are ``D034_2021/Z4_UU/img/IMG_025537.tif`` and ``.../msk/MSK_025537.tif``: domain (departement and
year), zone, five bands, classes from 1. A reduced copy has ``images/NAME.jpg``, ``masks/NAME.png`` with classes from 0,
and ``index.csv``. Nine groups of classes are kept; what is rare becomes 255.
https://arxiv.org/abs/2211.12979
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from projects.false.common.errors import InputError, some
from projects.false.imagery.archives import SourceFile, by_name, list_files
from projects.false.imagery.image_files import list_imagery
from projects.false.imagery.images import read_index_mask, read_valid_image
from projects.false.imagery.palettes import IGNORE_INDEX, PALETTES
from projects.false.imagery.rasters import open_raster
from projects.false.patch_folder.description import Conversion
from projects.false.patch_folder.lists import nfc

from .cutting import Pair, Readers
from .flair_splits import HELD_OUT, POOL, Tile, ZoneChoice, split_indexed, split_zones
from .labelled import SplitPairs, convert_labelled
from .options import RGB, CutOptions

BANDS = {'rgb': RGB, 'rgbir': (*RGB, 'near infrared')}
PUBLISHED_BANDS = 5  # red, green, blue, near infrared, elevation
# Class of the palette for every published class from 1 on: building, pervious surface, impervious surface, bare soil,
# water, coniferous, deciduous, brushwood, vineyard, herbaceous vegetation, agricultural land, plowed land. Then come
# swimming pool, snow, clear cut, mixed, ligneous, greenhouse and other, which a reduced copy holds as one class, 12.
KEPT = (0, 1, 2, 1, 3, 4, 4, 5, 6, 7, 8, 8)
PUBLISHED_CLASSES = {value + 1: group for value, group in enumerate(KEPT)} | dict.fromkeys(range(13, 20), IGNORE_INDEX)
REDUCED_CLASSES = dict(enumerate((*KEPT, IGNORE_INDEX)))
INDEX = 'index.csv'
COLUMNS = ('name', 'zone', 'x0', 'y0', 'split')


def convert_flair(
    source: str | Path,
    out: str | Path,
    options: CutOptions,
    bands: str = 'rgb',
    train_zones: Sequence[str] = (),
    val_zones: Sequence[str] = (),
    test_zones: Sequence[str] = (),
    val_strip: int = 0,
) -> Conversion:
    """Cut images of FLAIR #1 into patches of nine classes, split by zones or strips of ground.

    With an index, its ``val`` images are for testing and its ``pool`` images for training, except those that touch an
    image for validation or testing. Unused images are listed in ``unused_images.txt``. See
    :func:`.labelled.convert_labelled` for the rest of the output.

    Args:
        source: Folder with the published files at any depth, zipped or unpacked; or a folder with ``index.csv``.
        out: Output folder.
        options: Options for cutting.
        bands: A key of :data:`BANDS`; near infrared is in the published files only.
        train_zones, val_zones, test_zones, val_strip: See :class:`ZoneChoice`. Test zones are for the published files,
            strips for an index.

    Raises:
        InputError: Files are missing or unusable, a zone is unknown or chosen twice, or an argument is out of range.
    """
    if bands not in BANDS:
        raise InputError(f'bands is {bands!r}; give one of {", ".join(BANDS)}')
    if val_strip < 0:
        raise InputError(f'val strip is {val_strip}; give the rows or columns of images to validate on, 0 for none')
    indexed = (Path(source) / INDEX).is_file()
    if indexed and bands != 'rgb':
        raise InputError(f'--bands {bands}: the JPEGs beside {INDEX} have red, green and blue only; give --bands rgb')
    if indexed and test_zones:
        raise InputError(f'--test-zones {test_zones[0]}: {INDEX} names the test images; leave --test-zones out')
    if val_strip and not indexed:
        raise InputError(f'--val-strip {val_strip}: strips need an {INDEX} with places; give --val-zones')
    zones = ZoneChoice(train_zones, val_zones, test_zones, val_strip)

    def inputs(_: Iterable[str]) -> dict[str, object]:
        chosen = {f'{name}_zones': sorted(getattr(zones, name)) for name in ('train', 'val', 'test')}
        return {'source': str(Path(source).resolve()), **chosen, 'val_strip': val_strip}

    def find() -> SplitPairs:
        tiles = indexed_tiles(Path(source)) if indexed else published_tiles(source)
        split_of = split_indexed(tiles, zones) if indexed else split_zones(tiles, zones)
        unused = [tile.pair.stem for tile in tiles if tile.pair.stem not in split_of]
        pairs = [tile.pair for tile in tiles if tile.pair.stem in split_of]
        return SplitPairs(pairs, split_of, {'unused_images.txt': unused} if unused else {})

    reader = read_valid_image if indexed else partial(read_published, bands=len(BANDS[bands]))
    readers = Readers(reader, partial(read_classes, groups=REDUCED_CLASSES if indexed else PUBLISHED_CLASSES))
    return convert_labelled('flair', (source,), inputs, find, out, PALETTES['flair'], BANDS[bands], options, readers)


def read_published(path: Path, bands: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the first bands of a published image, blue first, and its valid pixels, None if all are valid.

    Shape:
        - results: (H, W, bands), uint8, and (H, W), bool

    Raises:
        InputError: The file is damaged or has other bands than the published ones.
    """
    with open_raster(path) as raster:
        found = raster.count
    if found != PUBLISHED_BANDS:
        raise InputError(
            f'{path}: has {found} band(s), images of FLAIR #1 have {PUBLISHED_BANDS} (red, green, blue, near infrared, '
            'elevation); download it again'
        )
    image, valid = read_valid_image(path, PUBLISHED_BANDS)
    return image[..., :bands], valid


def read_classes(path: Path, groups: Mapping[int, int]) -> np.ndarray:
    """Read a mask and turn its values into the classes of the palette.

    Args:
        path: Mask with one 8-bit band.
        groups: Value -> class, or 255.

    Shape:
        - result: (H, W), uint8

    Raises:
        InputError: The file is damaged or holds a value that no group has.
    """
    mask = read_index_mask(path, IGNORE_INDEX)
    wrong = sorted(set(np.unique(mask).tolist()) - set(groups))
    if wrong:
        raise InputError(
            f'{path}: values {wrong} are no classes of FLAIR #1 here ({min(groups)} to {max(groups)}); '
            f'give masks with 1 to 19 as published, or with 0 to 12 beside {INDEX}'
        )
    table = np.full(256, IGNORE_INDEX, np.uint8)
    table[list(groups)] = list(groups.values())
    classes: np.ndarray = table[mask]
    return classes


def published_tiles(source: str | Path) -> list[Tile]:
    """Find the published images and masks; the folders of the domains may lie below others.

    Raises:
        InputError: There are none, an image or mask lacks its counterpart, or folders have other names.
    """
    files = list_files(source)
    images, masks = (_by_number(files, kind) for kind in ('IMG', 'MSK'))
    if not images and not masks:
        raise InputError(
            f'{source}: no IMG_*.tif and no {INDEX} in it; give the folder with the domains (D034_2021/Z4_UU/img, msk) '
            f'of FLAIR #1, or one with images, masks and {INDEX}'
        )
    gaps = [f'MSK_{n}.tif' for n in images if n not in masks] + [f'IMG_{n}.tif' for n in masks if n not in images]
    if gaps:
        raise InputError(
            f'{source}: {len(gaps)} file(s) missing: {some(sorted(gaps))}; download again, or remove these pairs'
        )
    tiles = []
    for number, image in images.items():
        match = re.search(r'(?:^|/)(D\w+)/(Z\w+)/img/[^/]+$', str(image))
        if not match:
            raise InputError(f'{image}: is not in folders such as D034_2021/Z4_UU/img; restore the published folders')
        domain, zone = match.groups()
        tiles.append(Tile(Pair(f'{domain}_{zone}_{number}', image, masks[number]), domain, zone))
    return sorted(tiles, key=lambda tile: tile.pair.stem)


def _by_number(files: Sequence[SourceFile], kind: str) -> dict[str, SourceFile]:
    pattern = re.compile(rf'{kind}_(\d+)\.tiff?', re.IGNORECASE)
    named = (file for file in files if pattern.fullmatch(file.name))
    return by_name(named, lambda file: pattern.sub(r'\1', file.name))


def indexed_tiles(source: Path) -> list[Tile]:
    """Find the images and masks that ``index.csv`` names.

    Raises:
        InputError: The index is unusable, names a missing file, or leaves an image out.
    """
    path = source / INDEX
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f'{path}: cannot be read as CSV ({error}); copy it again') from error
    lacking = [column for column in COLUMNS if not rows or column not in rows[0]]
    if lacking:
        raise InputError(f'{path}: has no rows or no column {lacking[0]!r}; its columns are {", ".join(COLUMNS)}')
    images, masks = _by_stem(source / 'images', '.jpg'), _by_stem(source / 'masks', '.png')
    tiles = [
        _indexed_tile(source, row, images, masks, f'{path}, line {number}') for number, row in enumerate(rows, start=2)
    ]
    names = [nfc(tile.pair.stem) for tile in tiles]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(f'{path}: {twice[0]} is in several rows; keep one')
    files = [file.path for tile in tiles for file in (tile.pair.image, tile.pair.mask) if file]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise InputError(f'{path}: {len(missing)} file(s) missing: {some(missing)}; copy them, or remove the rows')
    more = sorted(images.keys() - set(names))
    if more:
        raise InputError(f'{path}: no row for {len(more)} image(s): {some(more)}; add rows, or move them away')
    return sorted(tiles, key=lambda tile: tile.pair.stem)


def _by_stem(folder: Path, suffix: str) -> dict[str, Path]:
    """Index the files of a folder by their stems in Unicode form NFC; suffixes may be in upper or lower case."""
    names = list_imagery(folder, [suffix]).names if folder.is_dir() else []
    return {nfc(Path(name).stem): folder / name for name in names if '/' not in name}


def _indexed_tile(
    source: Path, row: Mapping[str, str | None], images: Mapping[str, Path], masks: Mapping[str, Path], where: str
) -> Tile:
    name, zone, x, y, split = (row[column] or '' for column in COLUMNS)
    if not name or not zone or split not in (POOL, HELD_OUT):
        raise InputError(f'{where}: has name {name!r}, zone {zone!r}, split {split!r}; split is {POOL} or {HELD_OUT}')
    place = _metres(x, f'{where}: x0'), _metres(y, f'{where}: y0')
    domain = name.partition(f'_{zone}_')[0] if f'_{zone}_' in name else ''
    image = images.get(nfc(name), source / 'images' / f'{name}.jpg')
    mask = masks.get(nfc(name), source / 'masks' / f'{name}.png')
    return Tile(Pair(name, SourceFile(image), SourceFile(mask)), domain, zone, place, split)


def _metres(text: str, where: str) -> float:
    try:
        metres = float(text)
    except ValueError:
        metres = math.nan
    if not math.isfinite(metres):
        raise InputError(f'{where} is {text!r}, which is no number; give metres east and north')
    return metres
