"""The palettes that the project knows, by name."""

from pathlib import Path

from projects.false.datasets.color_codes import IGNORE_INDEX, colors_to_index, index_to_colors
from projects.false.datasets.palette import Palette, to_hex
from projects.false.datasets.palette_files import read_palette
from projects.false.errors import InputError

__all__ = ['IGNORE_INDEX', 'PALETTES', 'Palette', 'colors_to_index', 'index_to_colors', 'load_palette', 'to_hex']

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
    )
}


def load_palette(spec: str | Path) -> Palette:
    """Find a palette by name, or read one from a JSON file.

    Args:
        spec: A key of :data:`PALETTES`, or the path of a file such as
            ``{"classes": ["roof", "ground"], "colors": ["#FF0000", [0, 128, 0]], "ignore": ["#000000"]}``;
            ``"binarise": 128`` and ``"index_masks": true`` may be added.

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
    return read_palette(path)
