"""The lists of Potsdam patches that the paper's authors published, as names of patches here.

A line of such a list is a tile (``2_10``) and a number from 1 to 576. That patch ``n`` is window ``n - 1`` of the
24 x 24 windows of its tile, counted row by row with the last row and column shifted inwards, is this project's reading:
the lists do not say it.
"""

import re
from importlib.resources import files

from projects.false.common.errors import InputError
from projects.false.imagery.windows import grid

# Name of the list -> the split that its tiles belong to.
PUBLISHED_LISTS = {'potsdam_1pct_138': 'train', 'potsdam_val_1500': 'test'}
WINDOWS = grid(6000, 6000, 256, 256)


def read_published(name: str) -> list[tuple[str, int]]:
    """Tile and patch number, from 1, of every line.

    Raises:
        InputError: No list has that name.
    """
    if name not in PUBLISHED_LISTS:
        raise InputError(f'published list {name!r} is not known; give one of {", ".join(PUBLISHED_LISTS)}')
    lines = (
        files('projects.false.patch_folder')
        .joinpath('published', f'{name}.txt')
        .read_text(encoding='utf-8')
        .splitlines()
    )
    return [(tile, int(number)) for tile, number in (line.split() for line in lines)]


def published_patches(name: str, description: dict) -> list[str]:
    """Find the patches of a published list in a converted Potsdam.

    Args:
        name: Key of :data:`PUBLISHED_LISTS`.
        description: ``dataset.json``; tiles are known by their numbers in the source's stem (``top_potsdam_2_10``).

    Returns:
        Names of patches, in the order of the list.

    Raises:
        InputError: A tile is absent, there twice, cut otherwise, or on the wrong side of the split.
    """
    entries = read_published(name)
    wanted = sorted({tile for tile, _ in entries})
    by_tile: dict[str, dict[tuple[int, int], dict]] = {tile: {} for tile in wanted}
    source_of: dict[str, str] = {}
    for patch in description['patches']:
        tile = _tile_of(patch['source'])
        if tile not in by_tile:
            continue
        if source_of.setdefault(tile, patch['source']) != patch['source']:
            raise InputError(f'tile {tile} is there twice, as {source_of[tile]!r} and {patch["source"]!r}; keep one')
        by_tile[tile][patch['row'], patch['col']] = patch
    absent = [tile for tile in wanted if not by_tile[tile]]
    if absent:
        raise InputError(
            f'{name}: {len(absent)} of its {len(wanted)} tiles are not in the data ({", ".join(absent[:6])}'
            f'{", ..." if len(absent) > 6 else ""}); convert all 38 tiles of Potsdam, none excluded, '
            'with stems such as top_potsdam_2_10'
        )
    for tile in wanted:
        if sorted(by_tile[tile]) != WINDOWS:
            raise InputError(
                f'{source_of[tile]}: {len(by_tile[tile])} patches, but {name} counts the {len(WINDOWS)} windows of 256 '
                'pixels in a tile of 6000 x 6000; convert with patch size and stride 256'
            )
    chosen = [by_tile[tile][WINDOWS[number - 1]] for tile, number in entries]
    role = PUBLISHED_LISTS[name]
    wrong = sorted({patch['source'] for patch in chosen if (patch['split'] == 'train') != (role == 'train')})
    if wrong:
        raise InputError(
            f'{name}: {wrong[0]} is not for {"training" if role == "train" else "testing"} in this data '
            f'({len(wrong)} such tiles); convert with the published test tiles'
        )
    return [patch['name'] for patch in chosen]


def _tile_of(stem: str) -> str:
    """``top_potsdam_02_10_RGB`` -> ``2_10``; the stem itself where no two numbers stand at its end."""
    match = re.search(r'(?<!\d)0*(\d+)_0*(\d+)(?:_[A-Za-z]+)*$', stem)
    return f'{match[1]}_{match[2]}' if match else stem
