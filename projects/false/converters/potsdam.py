"""ISPRS Potsdam as it is downloaded: 38 tiles, their colour labels, and the paper's split."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from projects.false.common.errors import InputError
from projects.false.imagery.archives import SourceFile, by_name, list_files
from projects.false.imagery.palettes import PALETTES
from projects.false.patch_folder.description import Conversion, finished_before

from .cutting import Pair
from .labelled import convert_pairs
from .options import CutOptions

TRAIN_TILES = (
    *('2_10', '2_11', '2_12', '3_10', '3_11', '3_12', '4_10', '4_11', '4_12', '5_10', '5_11', '5_12'),
    *('6_7', '6_8', '6_9', '6_10', '6_11', '6_12', '7_7', '7_8', '7_9', '7_10', '7_11', '7_12'),
)
TEST_TILES = (
    *('2_13', '2_14', '3_13', '3_14', '4_13', '4_14', '4_15'),
    *('5_13', '5_14', '5_15', '6_13', '6_14', '6_15', '7_13'),
)
BANDS = {
    'rgb': ('red', 'green', 'blue'),
    'irrg': ('near infrared', 'red', 'green'),
    'rgbir': ('red', 'green', 'blue', 'near infrared'),
}
ZIPS = {'rgb': '2_Ortho_RGB.zip', 'irrg': '3_Ortho_IRRG.zip', 'rgbir': '4_Ortho_RGBIR.zip'}
LABELS = {
    'all': ('label', '5_Labels_all.zip'),
    'no-boundary': ('label_noBoundary', '5_Labels_all_noBoundary.zip'),
}
TILE_SIDE = 6000


def convert_potsdam(
    source: str | Path,
    out: str | Path,
    options: CutOptions,
    bands: str = 'rgb',
    labels: str = 'all',
    exclude: Sequence[str] = (),
    val_tiles: Sequence[str] = (),
) -> Conversion:
    """Cut the tiles of Potsdam into patches; 24 tiles to train, 14 to test, as the paper does.

    Args:
        source: Folder with the zips or with their content, in any folders below it; or one zip with everything.
        out: Output folder.
        options: How to cut; 256 pixels give the paper's 576 patches a tile.
        bands: A key of :data:`BANDS`.
        labels: ``'all'``, or ``'no-boundary'`` for the labels whose borders between objects are black and ignored.
        exclude: Tiles to leave out, such as ``'7_10'``.
        val_tiles: Tiles of the training set to validate on instead.

    Raises:
        InputError: Tiles are missing or unusable, or an argument is out of range.
    """
    for what, known, given in (('bands', BANDS, bands), ('labels', LABELS, labels)):
        if given not in known:
            raise InputError(f'{what} is {given!r}; give one of {", ".join(known)}')
    tiles = _tiles(exclude, val_tiles)
    palette = PALETTES['potsdam']
    arguments = {
        'converter': 'potsdam',
        'source': str(Path(source).resolve()),
        'labels': labels,
        'exclude': sorted(exclude),
        'val_tiles': sorted(val_tiles),
        **options.arguments(palette, BANDS[bands]),
    }
    earlier = finished_before(out, arguments, options.overwrite)
    if earlier:
        return earlier
    pairs = potsdam_pairs(source, tiles, bands, labels)
    split_of = {_stem(tile): split for tile, split in tiles.items()}
    return convert_pairs(pairs, split_of, out, palette, BANDS[bands], options, arguments)


def _tiles(exclude: Sequence[str], val_tiles: Sequence[str]) -> dict[str, str]:
    split_of = {**dict.fromkeys(TRAIN_TILES, 'train'), **dict.fromkeys(TEST_TILES, 'test')}
    for option, given, known in (('exclude', exclude, split_of), ('val-tiles', val_tiles, TRAIN_TILES)):
        unknown = [tile for tile in given if tile not in known]
        if unknown:
            raise InputError(f'--{option} {unknown[0]}: no such tile; the tiles are {" ".join(known)}')
    split_of.update(dict.fromkeys(val_tiles, 'val'))
    return {tile: split for tile, split in split_of.items() if tile not in exclude}


def _stem(tile: str) -> str:
    return f'top_potsdam_{tile}'


def potsdam_pairs(source: str | Path, tiles: Iterable[str], bands: str, labels: str) -> list[Pair]:
    """Find image and label of every tile.

    Raises:
        InputError: Some are missing; the message names the tiles.
    """
    kind, image_kind = LABELS[labels][0], bands.upper()
    files = list_files(source)
    images, masks = (_by_tile(files, wanted) for wanted in (image_kind, kind))
    tiles = list(tiles)
    missing = {
        tile: ' and '.join(lacking)
        for tile in tiles
        if (lacking := [name for name, found in (('image', images), ('label', masks)) if tile not in found])
    }
    if len(missing) == len(tiles):
        raise InputError(
            f'{source}: no tile has both image and label ({len(images)} images {_stem("*")}_{image_kind}.tif, '
            f'{len(masks)} labels {_stem("*")}_{kind}.tif); give the folder with {ZIPS[bands]} and '
            f'{LABELS[labels][1]}, zipped or unpacked, or choose others with --bands and --labels'
        )
    if missing:
        named = ', '.join(f'{tile} ({lacking})' for tile, lacking in missing.items())
        raise InputError(
            f'{source}: {len(missing)} of {len(tiles)} tiles are missing: {named}; download {ZIPS[bands]} and '
            f'{LABELS[labels][1]} again, or go on without them: --exclude {" ".join(missing)}'
        )
    return [Pair(_stem(tile), images[tile], masks[tile]) for tile in tiles]


def _by_tile(files: Iterable[SourceFile], kind: str) -> dict[str, SourceFile]:
    pattern = re.compile(rf'top_potsdam_0*(\d+)_0*(\d+)_{kind}\.tiff?')
    found = {}
    for name, file in by_name(file for file in files if pattern.fullmatch(file.name)).items():
        found['_'.join(pattern.fullmatch(name).groups())] = file
    return found


def geometry_notes(description: dict) -> list[str]:
    """What to tell about tiles of another size than the published ones."""
    sizes = {name: (source['height'], source['width']) for name, source in description['sources'].items()}
    other = [name for name, size in sizes.items() if size != (TILE_SIDE, TILE_SIDE)]
    if not other:
        return []
    height, width = sizes[other[0]]
    return [
        f'{len(other)} of {len(sizes)} tiles are not {TILE_SIDE} x {TILE_SIDE} ({other[0]} has {height} x {width}), so '
        'the numbers of patches are not those of the paper'
    ]
