"""Assign images of FLAIR #1 to training, validation and test: by zones, by strips of ground, and by what touches."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError, some

from .cutting import Pair

SIDE = 102.4  # metres: 512 pixels of 0.2 m
_TOUCH = SIDE + 1  # metres between the corners of images that touch, with room for rounded coordinates
POOL, HELD_OUT = 'pool', 'val'  # what the column ``split`` of an index holds

Place = tuple[float, float]


class Tile(NamedTuple):
    """An image with its mask and where it lies.

    Args:
        pair: The files; the stem is domain, zone and number.
        domain: Such as ``'D034_2021'``; empty if an index does not tell.
        zone: Such as ``'Z4_UU'``.
        place: Upper left corner in metres east and north; None in the published layout.
        split: ``'pool'`` or ``'val'`` of the index; empty in the published layout.
    """

    pair: Pair
    domain: str
    zone: str
    place: Place | None = None
    split: str = ''

    @property
    def zones(self) -> tuple[str, str, str]:
        """Names of the location: domain and zone such as ``'D034_2021_Z4_UU'``, then each by itself."""
        return f'{self.domain}_{self.zone}'.lstrip('_'), self.domain, self.zone


class ZoneChoice(NamedTuple):
    """Assignment of zones to splits.

    Args:
        train, val, test: Zones (``Z4_UU``), domains (``D034_2021``), both (``D034_2021_Z4_UU``), or glob patterns of
            them. Without ``train``, all remaining zones are for training.
        val_strip: Number of rows or columns of images to validate on per zone, on the side opposite its test images.
    """

    train: Sequence[str] = ()
    val: Sequence[str] = ()
    test: Sequence[str] = ()
    val_strip: int = 0


def split_indexed(tiles: Sequence[Tile], zones: ZoneChoice) -> dict[str, str]:
    """Test on the images that the index holds out, validate on zones or strips, and train on what touches neither.

    Returns:
        Stem -> ``'train'``, ``'val'`` or ``'test'``; images that are not used are left out.

    Raises:
        InputError: A zone is unknown, chosen twice, or too small for the strip.
    """
    pool, test = ([tile for tile in tiles if tile.split == split] for split in (POOL, HELD_OUT))
    split_of = split_zones(pool, zones)
    if zones.val_strip:
        split_of.update((stem, 'val') for stem in _strips(pool, test, zones.val_strip) if stem in split_of)
    val = [tile for tile in pool if split_of.get(tile.pair.stem) == 'val']
    too_near = {'val': _touching(pool, test), 'train': _touching(pool, [*val, *test])}
    kept = {stem: split for stem, split in split_of.items() if stem not in too_near[split]}
    return {**kept, **{tile.pair.stem: 'test' for tile in test}}


def split_zones(tiles: Sequence[Tile], zones: ZoneChoice) -> dict[str, str]:
    """Assign whole zones to splits.

    Returns:
        Stem -> ``'train'``, ``'val'`` or ``'test'``; images that are not used are left out.

    Raises:
        InputError: A zone is unknown or chosen twice.
    """
    split_of: dict[str, str] = {}
    for split in ('val', 'test', 'train'):
        for pattern in getattr(zones, split):
            matches = [tile.pair.stem for tile in tiles if any(fnmatchcase(name, pattern) for name in tile.zones)]
            if not matches:
                known = sorted({tile.zones[0] for tile in tiles})
                raise InputError(f'--{split}-zones {pattern}: no such zone or domain; there are {some(known)}')
            other = next((split_of[stem] for stem in matches if split_of.get(stem, split) != split), None)
            if other:
                raise InputError(f'--{split}-zones {pattern}: is in --{other}-zones too; keep it in one of the two')
            split_of.update(dict.fromkeys(matches, split))
    if zones.train:
        return split_of
    return {tile.pair.stem: split_of.get(tile.pair.stem, 'train') for tile in tiles}


def _strips(pool: Sequence[Tile], test: Sequence[Tile], width: int) -> list[str]:
    """List the images of the outermost rows or columns of every zone, on the side opposite to its test images."""
    stems: list[str] = []
    places, held_out = _places(pool), _places(test)
    for zone in places.keys() & held_out.keys():
        axis, sign = _side_of(held_out[zone], places[zone], f'--val-strip {width}: zone {zone}')
        lines = sorted({place[axis] * sign for place in places[zone].values()})
        if len(lines) < width + 2:
            raise InputError(
                f'--val-strip {width}: zone {zone} has {len(lines)} rows or columns, {width + 2} are needed with an '
                'unused one between; give a smaller number'
            )
        stems += [stem for stem, place in places[zone].items() if place[axis] * sign <= lines[width - 1]]
    return stems


def _places(tiles: Sequence[Tile]) -> dict[str, dict[str, Place]]:
    """Return the place of every tile by zone, named with its domain, and stem."""
    found: dict[str, dict[str, Place]] = defaultdict(dict)
    for tile in tiles:
        if tile.place is not None:
            found[tile.zones[0]][tile.pair.stem] = tile.place
    return found


def _side_of(these: Mapping[str, Place], others: Mapping[str, Place], where: str) -> tuple[int, int]:
    """Return the axis (0 east, 1 north) along which ``these`` lie beyond all others, and 1 for its upper end or -1."""
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
        if min(p[axis] * sign for p in these.values()) > max(p[axis] * sign for p in others.values()):
            return axis, sign
    raise InputError(f'{where} has test images on no single side of the others; give --val-zones')


def _touching(tiles: Sequence[Tile], others: Sequence[Tile]) -> set[str]:
    """List the images that touch one of the others, even if only at a corner."""
    corners = np.array([tile.place for tile in others], float).reshape(-1, 2)
    return {
        tile.pair.stem
        for tile in tiles
        if (np.abs(corners - np.array(tile.place, float)).max(1, initial=0) <= _TOUCH).any()
    }
