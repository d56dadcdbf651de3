"""The rule that turns raster values into the 8-bit pixels that the model was fine-tuned on."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from projects.false.common.errors import InputError
from projects.false.common.published import PREPROCESSING, read_preprocessing
from projects.false.imagery.rasters import Raster
from projects.false.patch_folder.description import read_recorded_values


class PixelRule(NamedTuple):
    """Bands to take, and the values that become 0 and 255.

    Args:
        bands: Counted from 1, red first.
        ranges: Values that become 0 and 255, per band; None takes 8-bit pixels as they are.
    """

    bands: tuple[int, ...]
    ranges: tuple[tuple[float, float], ...] | None


def recorded_rule(data_root: str | Path) -> PixelRule | None:
    """Read the rule by which ``rasters.py`` or ``vectors.py`` made a data set; None if another converter did.

    Raises:
        InputError: The folder has no readable dataset.json.
    """
    return stored_rule(read_recorded_values(data_root), Path(data_root, 'dataset.json'), 'convert the data again')


def published_rule(folder: Path) -> PixelRule | None:
    """Read the rule that a published model carries; None if its data was 8 bit to begin with.

    Raises:
        InputError: The file with the rule is damaged, or names bands where their numbers belong.
    """
    return stored_rule(read_preprocessing(folder).get('recorded'), folder / PREPROCESSING, 'publish the model again')


def stored_rule(stored: Mapping[str, Any] | None, path: str | Path, way_out: str) -> PixelRule | None:
    """Return a rule that a file holds as JSON.

    Args:
        stored: ``bands`` and ``ranges``; None if the file holds no rule.
        path: The file, for the message.
        way_out: How to make the file anew.

    Raises:
        InputError: The bands are no numbers.
    """
    if stored is None:
        return None
    bands, ranges = stored['bands'], stored['ranges']
    if not all(isinstance(band, int) for band in bands):
        named = ', '.join(map(str, bands))
        raise InputError(f'{path}: names the bands {named} where it should number them; {way_out}')
    return PixelRule(tuple(bands), ranges and tuple((low, high) for low, high in ranges))


def choose_rule(
    raster: Raster,
    wanted: int,
    bands: Sequence[int] | None = None,
    value_range: Sequence[float] | None = None,
    recorded: PixelRule | None = None,
) -> PixelRule:
    """Choose the rule for a raster.

    Args:
        raster: The image.
        wanted: Number of bands that the model takes.
        bands: ``--bands``; None takes the recorded bands. Without those, the raster must have as many bands as the
            model takes, not counting alpha, and all are taken.
        value_range: ``--range``, for every band; None takes the recorded ranges, or else 8-bit pixels as they are.
        recorded: The rule by which the model's data was made, if that is known.

    Raises:
        InputError: The raster lacks a band, the number of bands does not fit, a range is needed and none is known, or
            the pixels are 8 bit and would all be dark by the recorded ranges.
    """
    chosen = tuple(bands or (recorded.bands if recorded else range(1, wanted + 1)))
    if len(chosen) != wanted:
        raise InputError(f'--bands {" ".join(map(str, chosen))}: the model takes {wanted} band(s); give as many')
    absent = [band for band in chosen if not 1 <= band <= raster.band_count]
    if absent:
        raise InputError(
            f'{raster.path}: has {raster.band_count} band(s), no band {absent[0]}, and the model takes {wanted}; '
            'give --bands that it has, or another model'
        )
    if not bands and not recorded and raster.band_count - raster.alpha != wanted:
        raise InputError(
            f'{raster.path}: has {raster.band_count} bands, the model takes {wanted}; say which, red first: '
            f'--bands {" ".join(map(str, chosen))}'
        )
    if value_range is not None:
        low, high = value_range
        if not -math.inf < low < high < math.inf:
            raise InputError(f'--range {low:g} {high:g}: give two finite numbers, the lower one first')
        return PixelRule(chosen, ((low, high),) * wanted)
    ranges = recorded.ranges if recorded else None
    if ranges is None and raster.dtype != 'uint8':
        raise InputError(
            f'{raster.path}: pixels are {raster.dtype}, the model takes 8 bit; give --range LOW HIGH, the values that '
            'become 0 and 255, or --data FOLDER of the data set that was scaled alike'
        )
    if ranges is not None and len(ranges) != wanted:
        raise InputError(f'the data set has ranges of {len(ranges)} band(s), the model takes {wanted}; give --range')
    if ranges is not None and raster.dtype == 'uint8' and all((low + high) / 2 > 255 for low, high in ranges):
        low, high = ranges[0]
        raise InputError(
            f'{raster.path}: pixels are 8 bit, the model was trained on values of {low:g} to {high:g}; give an image '
            'with such values, or --range 0 255 if this one was scaled alike'
        )
    return PixelRule(chosen, ranges)
