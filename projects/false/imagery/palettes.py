"""Palettes: the classes of a data set and the colours that masks use for them.

A palette is known by name, or read from JSON, ``dataset.json`` or the metainfo of a data set.
:mod:`.mask_colors` turns colour masks into class indices and back.
"""

import colorsys
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from projects.false.common.errors import InputError

IGNORE_INDEX = 255
MAX_CLASSES = 254  # what is left of 8 bits

FARTHEST = 442  # distance from black to white in RGB, rounded up

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """Classes of a data set and the colours that its masks use for them.

    Args:
        name: Name for messages.
        classes: Class names; the position is the class index.
        colors: One RGB colour per class.
        ignore_colors: RGB colours that become 255 (ignored by loss and metrics).
        binarise: If given, every channel is set to 255 where it is at least this value and to 0 elsewhere before the
            lookup, which mends masks that went through a lossy format. None takes colours as they are.
        index_masks: Masks hold class indices (0 .. C-1, 255 ignored) in one band; ``colors`` only serve for display.
        tolerance: Largest distance in RGB, 0 to 442, at which an unlisted colour becomes the nearest listed one, for
            masks that were compressed or resampled.

    Raises:
        InputError: Classes and colours are not consistent.
    """

    name: str
    classes: tuple[str, ...]
    colors: tuple[Color, ...]
    ignore_colors: tuple[Color, ...] = ()
    binarise: int | None = None
    index_masks: bool = False
    tolerance: float = 0

    def __post_init__(self) -> None:
        where = f'palette {self.name!r}'
        if not 1 <= len(self.classes) <= MAX_CLASSES:
            raise InputError(f'{where}: {len(self.classes)} classes; give 1 to {MAX_CLASSES}')
        if len(self.colors) != len(self.classes):
            raise InputError(f'{where}: {len(self.classes)} classes but {len(self.colors)} colors; give one per class')
        if len(set(self.classes)) != len(self.classes):
            raise InputError(f'{where}: a class name occurs twice in {list(self.classes)}; make them different')
        every = self.colors + self.ignore_colors
        twice = sorted({color for color in every if every.count(color) > 1})
        if twice:
            raise InputError(f'{where}: color {to_hex(twice[0])} occurs twice; give every class its own')
        if not 0 <= self.tolerance <= FARTHEST:
            raise InputError(f'{where}: tolerance is {self.tolerance}; give a distance in RGB from 0 to {FARTHEST}')
        if self.tolerance and self.index_masks:
            raise InputError(f'{where}: tolerance is for colours; leave it or "index_masks" out')
        if self.binarise is not None:
            if not 1 <= self.binarise <= 255:
                raise InputError(f'{where}: binarise is {self.binarise}; give 1 to 255, or leave it out')
            inner = [color for color in every if not set(color) <= {0, 255}]
            if inner:
                raise InputError(
                    f'{where}: color {to_hex(inner[0])} can never occur after binarising; '
                    'use channels of 0 and 255 only, or leave binarise out'
                )

    def with_tolerance(self, tolerance: float) -> 'Palette':
        """Return the same palette with another tolerance.

        Raises:
            InputError: The tolerance is out of range, or masks hold indices.
        """
        return replace(self, tolerance=tolerance)

    def with_classes(self, classes: Iterable[str]) -> 'Palette':
        """Return the same palette with other class names, in the same order."""
        return replace(self, classes=tuple(classes))

    @property
    def metainfo(self) -> dict[str, list[Any]]:
        """Classes and colours as the metainfo of an OpenMMLab data set."""
        return {'classes': list(self.classes), 'palette': [list(color) for color in self.colors]}

    @classmethod
    def from_metainfo(cls, metainfo: Mapping[str, Any], name: str = 'of the data set') -> 'Palette':
        """Make a palette for display from the metainfo of a data set or model.

        Colours may occur twice there; the later one is moved by one step of blue until it is free.

        Args:
            metainfo: ``classes``, and ``palette`` with one RGB colour per class.
            name: Name for messages.
        """
        taken: list[Color] = []
        for red, green, blue in metainfo['palette']:
            color = int(red), int(green), int(blue)
            while color in taken:
                color = (*color[:2], (color[2] + 1) % 256)
            taken.append(color)
        return cls(name, tuple(metainfo['classes']), tuple(taken), index_masks=True)

    @classmethod
    def from_description(cls, description: Mapping[str, Any], path: str | Path = 'dataset.json') -> 'Palette':
        """Make the palette of a converted data set, whose masks hold indices already.

        Args:
            description: Content of ``dataset.json``.
            path: The file, for messages.

        Raises:
            InputError: Classes and colours are missing or not consistent.
        """
        content = {'classes': description.get('classes'), 'colors': description.get('colors')}
        return _from_json({**content, 'ignore': description.get('ignore_colors', []), 'index_masks': True}, Path(path))


def to_hex(color: Color) -> str:
    """Write a colour as text: ``(255, 0, 16)`` -> ``'#FF0010'``."""
    return '#{:02X}{:02X}{:02X}'.format(*color)


# Distinct for most people, including those with red-green colour blindness; further colours are spread over the hues.
_DISTINCT = (
    '#E69F00',
    '#0072B2',
    '#009E73',
    '#F0E442',
    '#CC79A7',
    '#56B4E9',
    '#D55E00',
    '#7F5539',
    '#8C8C8C',
    '#5E3C99',
)


def distinct_colors(count: int) -> list[Color]:
    """Return colours for classes that have none, all different and none black or white.

    Args:
        count: Number of colours, 0 to 254.
    """
    found = [_parse_color(color, Path()) for color in _DISTINCT]
    for number in range(count - len(found)):
        light = 0.95 - 0.15 * (number % 4)
        red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.55 + 0.1 * (number % 3), light)
        color = round(red * 255), round(green * 255), round(blue * 255)
        while color in found:
            color = (*color[:2], (color[2] + 1) % 256)
        found.append(color)
    return found[:count]


PALETTES: dict[str, Palette] = {
    palette.name: palette
    for palette in (
        Palette(
            name='potsdam',
            classes=('impervious surfaces', 'building', 'low vegetation', 'tree', 'car', 'clutter'),
            colors=((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)),
            ignore_colors=((0, 0, 0),),
            binarise=128,
        ),
        Palette(
            name='dglc',
            classes=('urban', 'agriculture', 'rangeland', 'forest', 'water', 'barren'),
            colors=((0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255, 255, 255)),
            ignore_colors=((0, 0, 0),),
            binarise=128,
        ),
        Palette(
            name='xiangtan',
            classes=(
                'background',
                'farmland',
                'urban',
                'rural',
                'water',
                'woodland',
                'grassland',
                'other artificial surface',
                'road',
            ),
            colors=(
                (0, 0, 0),
                (240, 220, 110),
                (200, 40, 40),
                (235, 140, 120),
                (50, 110, 220),
                (20, 110, 40),
                (150, 210, 90),
                (160, 110, 170),
                (150, 150, 150),
            ),
            index_masks=True,
        ),
        Palette(
            name='mbrsc',
            classes=('building', 'land', 'road', 'vegetation', 'water'),
            colors=((60, 16, 152), (132, 41, 246), (110, 193, 228), (254, 221, 58), (226, 169, 41)),
            ignore_colors=((155, 155, 155), (0, 0, 0)),
        ),
        Palette(
            name='synthetic',
            classes=('road', 'building', 'field', 'tree', 'water', 'bare soil', 'car'),
            colors=(
                (128, 128, 128),
                (200, 40, 40),
                (230, 210, 90),
                (30, 120, 40),
                (40, 100, 220),
                (170, 115, 70),
                (250, 80, 220),
            ),
            ignore_colors=((0, 0, 0),),
        ),
        Palette(
            name='flair',
            classes=(
                'building',
                'open soil',
                'impervious surface',
                'water',
                'trees',
                'brushwood',
                'vineyard',
                'herbaceous vegetation',
                'agricultural land',
            ),
            colors=(
                (219, 14, 154),
                (169, 113, 1),
                (248, 12, 0),
                (21, 83, 174),
                (25, 74, 38),
                (243, 166, 13),
                (102, 0, 130),
                (85, 255, 0),
                (255, 243, 13),
            ),
            index_masks=True,
        ),
    )
}


def load_palette(spec: str | Path) -> Palette:
    """Find a palette by name, or read one from a JSON file.

    Args:
        spec: A key of :data:`PALETTES`, or the path of a file such as
            ``{"classes": ["roof", "ground"], "colors": ["#FF0000", [0, 128, 0]], "ignore": ["#000000"]}``. A colour is
            "#RRGGBB" or three numbers from 0 to 255; ``"binarise": 128``, ``"index_masks": true`` and
            ``"tolerance": 60`` may be added. A ``dataset.json`` gives the classes of its masks.

    Raises:
        InputError: Neither a name nor a readable, consistent file.
    """
    if str(spec) in PALETTES:
        return PALETTES[str(spec)]
    path = Path(spec)
    if not path.is_file():
        raise InputError(
            f'palette {str(spec)!r}: no such name and no such file; known names: {", ".join(PALETTES)}; '
            'or give a JSON file with "classes", "colors" and "ignore"'
        )
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: not readable as JSON ({error}); mend it, or name a known palette') from error
    if path.name == 'dataset.json' and isinstance(content, dict):
        return Palette.from_description(content, path)
    return _from_json(content, path)


def _from_json(content: object, path: Path) -> Palette:
    optional = {'ignore', 'binarise', 'index_masks', 'tolerance'}
    if not isinstance(content, dict) or not {'classes', 'colors'} <= set(content):
        raise InputError(f'{path}: a palette file is an object with "classes" and "colors" (and "ignore")')
    surplus = sorted(set(content) - {'classes', 'colors'} - optional)
    if surplus:
        raise InputError(f'{path}: unknown key {surplus[0]!r}; known: classes, colors, {", ".join(sorted(optional))}')
    for key in ('classes', 'colors', 'ignore'):
        if not isinstance(content.get(key, []), list):
            raise InputError(f'{path}: {key!r} is {content[key]!r}; give a list')
    names = content['classes']
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise InputError(f'{path}: "classes" holds {names!r}; give a list of names')
    binarise = content.get('binarise')
    if binarise is not None and type(binarise) is not int:
        raise InputError(f'{path}: "binarise" is {binarise!r}; give a number from 1 to 255')
    tolerance = content.get('tolerance', 0)
    if type(tolerance) not in (int, float):
        raise InputError(f'{path}: "tolerance" is {tolerance!r}; give a distance in RGB from 0 to {FARTHEST}')
    if type(content.get('index_masks', False)) is not bool:
        raise InputError(f'{path}: "index_masks" is {content["index_masks"]!r}; give true or false')
    return Palette(
        name=str(path),
        classes=tuple(names),
        colors=tuple(_parse_color(color, path) for color in content['colors']),
        ignore_colors=tuple(_parse_color(color, path) for color in content.get('ignore', [])),
        binarise=binarise,
        index_masks=content.get('index_masks', False),
        tolerance=tolerance,
    )


def _parse_color(value: object, path: Path) -> Color:
    if isinstance(value, str) and re.fullmatch(r'#[0-9a-fA-F]{6}', value):
        return (int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16))
    if isinstance(value, list) and len(value) == 3 and all(type(v) is int and 0 <= v <= 255 for v in value):
        red, green, blue = value
        return red, green, blue
    raise InputError(f'{path}: color {value!r}; write "#RRGGBB" or three numbers from 0 to 255')
