"""ISPRS Potsdam as downloaded: 38 tiles with colour labels, and the paper's split."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from projects.false.common.errors import InputError, some
from projects.false.imagery.archives import SourceFile, by_name, list_files
from projects.false.imagery.palettes import PALETTES
from projects.false.patch_folder.description import Conversion

from .cutting import Pair
from .labelled import SplitPairs, convert_labelled
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
    """Cut the tiles of Potsdam into patches, 24 tiles for training and 14 for testing as in the paper.

    See :func:`.labelled.convert_labelled` for the output.

    Args:
        source: Folder with the zips or their content, at any depth; or one zip with everything.
        out: Output folder.
        options: Options for cutting; 256 pixels give the paper's 576 patches per tile.
        bands: A key of :data:`BANDS`.
        labels: ``'all'``, or ``'no-boundary'`` for the labels in which borders between objects are black and ignored.
        exclude: Tiles to leave out, such as ``'7_10'``.
        val_tiles: Training tiles to validate on instead.

    Raises:
        InputError: Tiles are missing or unusable, or an argument is out of range.
    """
    for what, known, given in (('bands', BANDS, bands), ('labels', LABELS, labels)):
        if given not in known:
            raise InputError(f'{what} is {given!r}; give one of {", ".join(known)}')
    split_of = split_tiles(exclude, val_tiles)

    def inputs(_: Iterable[str]) -> dict[str, object]:
        return {
            'source': str(Path(source).resolve()),
            'labels': labels,
            'exclude': sorted(exclude),
            'val_tiles': sorted(val_tiles),
        }

    def find() -> SplitPairs:
        pairs = potsdam_pairs(source, list(split_of), bands, labels)
        return SplitPairs(pairs, {_stem(tile): split for tile, split in split_of.items()}, {})

    return convert_labelled('potsdam', (source,), inputs, find, out, PALETTES['potsdam'], BANDS[bands], options)


def split_tiles(exclude: Sequence[str], val_tiles: Sequence[str]) -> dict[str, str]:
    """Assign the tiles to splits: tile -> ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        InputError: A tile is unknown, or a validation tile is not one of the training tiles.
    """
    split_of = {**dict.fromkeys(TRAIN_TILES, 'train'), **dict.fromkeys(TEST_TILES, 'test')}
    for option, given, known in (('exclude', exclude, tuple(split_of)), ('val-tiles', val_tiles, TRAIN_TILES)):
        unknown = [tile for tile in given if tile not in known]
        if unknown:
            raise InputError(f'--{option} {unknown[0]}: no such tile; the tiles are {" ".join(known)}')
    split_of.update(dict.fromkeys(val_tiles, 'val'))
    return {tile: split for tile, split in split_of.items() if tile not in exclude}


def _stem(tile: str) -> str:
    return f'top_potsdam_{tile}'


def potsdam_pairs(source: str | Path, tiles: Sequence[str], bands: str, labels: str) -> list[Pair]:
    """Find image and label of every tile.

    Raises:
        InputError: Some are missing; the message names the tiles.
    """
    label_kind, image_kind = LABELS[labels][0], bands.upper()
    files = list_files(source)
    images, masks = _by_tile(files, image_kind), _by_tile(files, label_kind)
    missing = {
        tile: ' and '.join(lacking)
        for tile in tiles
        if (lacking := [name for name, found in (('image', images), ('label', masks)) if tile not in found])
    }
    if len(missing) == len(tiles):
        raise InputError(
            f'{source}: no tile has both image and label ({len(images)} images {_stem("*")}_{image_kind}.tif, '
            f'{len(masks)} labels {_stem("*")}_{label_kind}.tif); give the folder with {ZIPS[bands]} and '
            f'{LABELS[labels][1]}, zipped or unpacked, or choose others with --bands and --labels'
        )
    if missing:
        named = some(f'{tile} ({lacking})' for tile, lacking in missing.items())
        raise InputError(
            f'{source}: {len(missing)} of {len(tiles)} tiles are missing: {named}; download {ZIPS[bands]} and '
            f'{LABELS[labels][1]} again, or leave these tiles out: --exclude {" ".join(missing)}'
        )
    return [Pair(_stem(tile), images[tile], masks[tile]) for tile in tiles]


def _by_tile(files: Iterable[SourceFile], kind: str) -> dict[str, SourceFile]:
    """Index the TIFFs of one kind by tile; the download writes some numbers with a leading zero."""
    pattern = re.compile(rf'top_potsdam_0*(\d+)_0*(\d+)_{kind}\.tiff?', re.IGNORECASE)
    named = (file for file in files if pattern.fullmatch(file.name))
    return by_name(named, lambda file: pattern.sub(r'\1_\2', file.name))


def geometry_notes(description: dict[str, Any]) -> list[str]:
    """Return a note if tiles differ in size from the published ones."""
    sizes = {name: (source['height'], source['width']) for name, source in description['sources'].items()}
    other = [name for name, size in sizes.items() if size != (TILE_SIDE, TILE_SIDE)]
    if not other:
        return []
    height, width = sizes[other[0]]
    return [
        f'{len(other)} of {len(sizes)} tiles are not {TILE_SIDE} x {TILE_SIDE} ({other[0]} has {height} x {width}), so '
        "the numbers of patches differ from the paper's"
    ]
