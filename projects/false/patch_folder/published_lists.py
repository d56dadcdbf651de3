"""Translate the lists of Potsdam patches that the paper's authors published into names of converted patches.

A line of such a list is a tile (``2_10``) and a number n from 1 to 576. This project takes patch n for window n - 1 of
the 24 x 24 windows of the tile, counted row by row, with the last row and column shifted inwards. The lists themselves
do not state this order.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from projects.false.common.errors import InputError
from projects.false.imagery.windows import grid

PUBLISHED_LISTS = {'potsdam_1pct_138': 'train', 'potsdam_val_1500': 'test'}  # the split of a list's tiles, by its name
WINDOWS = grid(6000, 6000, 256, 256)


def read_published(name: str) -> list[tuple[str, int]]:
    """Read a published list.

    Args:
        name: Key of :data:`PUBLISHED_LISTS`.

    Returns:
        Tile and patch number, counted from 1, of every line.

    Raises:
        InputError: No list has this name.
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


def published_patches(name: str, description: Mapping[str, Any]) -> list[str]:
    """Find the patches of a published list in a converted Potsdam.

    Args:
        name: Key of :data:`PUBLISHED_LISTS`.
        description: Content of ``dataset.json``. A tile is recognised by the two numbers in the stem of its source,
            such as ``top_potsdam_2_10``.

    Returns:
        Names of patches, in the order of the list.

    Raises:
        InputError: A tile is missing, occurs twice, was cut into other windows, or belongs to the wrong split.
    """
    entries = read_published(name)
    wanted = sorted({tile for tile, _ in entries})
    by_tile: dict[str, dict[tuple[int, int], Mapping[str, Any]]] = {tile: {} for tile in wanted}
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
            f'{", ..." if len(absent) > 6 else ""}); convert all 38 tiles of Potsdam, '
            'excluding none, with stems such as top_potsdam_2_10'
        )
    for tile in wanted:
        if sorted(by_tile[tile]) != WINDOWS:
            raise InputError(
                f'{source_of[tile]}: {len(by_tile[tile])} patches, but {name} needs all {len(WINDOWS)} windows of its '
                '6000 x 6000 pixels; convert with patch size and stride 256'
            )
    chosen = [by_tile[tile][WINDOWS[number - 1]] for tile, number in entries]
    role = PUBLISHED_LISTS[name]
    wrong = sorted(
        {patch['source'] for patch in chosen if (patch['split'] in ('train', 'pretrain')) != (role == 'train')}
    )
    if wrong:
        raise InputError(
            f'{name}: {wrong[0]} is not for {"training" if role == "train" else "testing"} in this data '
            f'({len(wrong)} such tiles); convert with the published test tiles'
        )
    return [patch['name'] for patch in chosen]


def _tile_of(stem: str) -> str:
    """Return the tile of a stem, ``2_10`` of ``top_potsdam_02_10_RGB``; a stem without two numbers as it is."""
    match = re.search(r'(?<!\d)0*(\d+)_0*(\d+)(?:_[A-Za-z]+)*$', stem)
    return f'{match[1]}_{match[2]}' if match else stem
