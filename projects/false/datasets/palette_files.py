"""Palettes from JSON files."""

import json
import re
from pathlib import Path

from projects.false.errors import InputError

from .palette import Color, Palette


def read_palette(path: str | Path) -> Palette:
    """Read a palette such as ``{"classes": ["roof", "ground"], "colors": ["#FF0000", [0, 128, 0]], "ignore": []}``.

    Args:
        path: JSON file with "classes" and "colors", and where wanted "ignore", "binarise" and "index_masks" as in
            :class:`Palette`. A colour is "#RRGGBB" or three numbers from 0 to 255.

    Raises:
        InputError: Not readable, or not consistent.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: not readable as JSON ({error}); mend it, or name a known palette') from error
    return _from_json(content, path)


def described_palette(description: dict, path: str | Path) -> Palette:
    """The palette that ``dataset.json`` describes; masks there hold indices already.

    Args:
        description: Content of the file.
        path: The file, for messages.

    Raises:
        InputError: Classes and colours are missing or not consistent.
    """
    content = {'classes': description.get('classes'), 'colors': description.get('colors')}
    return _from_json(content | {'ignore': description.get('ignore_colors', [])}, Path(path))


def _from_json(content: object, path: Path) -> Palette:
    optional = {'ignore', 'binarise', 'index_masks'}
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
    return Palette(
        name=str(path),
        classes=tuple(names),
        colors=tuple(_parse_color(color, path) for color in content['colors']),
        ignore_colors=tuple(_parse_color(color, path) for color in content.get('ignore', [])),
        binarise=binarise,
        index_masks=bool(content.get('index_masks', False)),
    )


def _parse_color(value: object, path: Path) -> Color:
    if isinstance(value, str) and re.fullmatch(r'#[0-9a-fA-F]{6}', value):
        return (int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16))
    if isinstance(value, list) and len(value) == 3 and all(type(v) is int and 0 <= v <= 255 for v in value):
        return tuple(value)
    raise InputError(f'{path}: color {value!r}; write "#RRGGBB" or three numbers from 0 to 255')
