"""What is known of the patches that lists name: their origin, one spelling of their names, and their pictures."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from projects.false.common.errors import InputError
from projects.false.patch_folder.description import read_description
from projects.false.patch_folder.lists import nfc
from projects.false.patch_folder.pixels import PatchPixels, Place


class Origin(NamedTuple):
    """Where a patch comes from.

    Args:
        image: Name of the image that it was cut from.
        tile: Name of the tile that the image is a part of; '' if it is none.
        row, col: First pixel in the image; -1 where it is not known.
    """

    image: str
    tile: str
    row: int
    col: int


def compile_pattern(pattern: str | None, option: str, group: str = '') -> re.Pattern[str] | None:
    """Compile a pattern of the command line; None stays None.

    Raises:
        InputError: It is no regular expression, or lacks the group.
    """
    try:
        compiled = re.compile(pattern) if pattern is not None else None
    except re.error as error:
        raise InputError(f'{option} {pattern}: is no regular expression ({error}); mend it') from error
    if compiled is not None and group and group not in compiled.groupindex:
        raise InputError(
            f'{option} {pattern}: has no group {group!r}; write the image as (?P<image>...), and row and column, where '
            r'names tell, as (?P<row>\d+) and (?P<col>\d+)'
        )
    return compiled


class ListedPatches:
    """The patches of a folder: what is known of them, and their pictures."""

    def __init__(self, root: Path, names: re.Pattern[str] | None, tile: re.Pattern[str] | None) -> None:
        self.root, self._names, self._tile = root, names, tile
        described = names is None or (root / 'dataset.json').is_file()
        description = read_description(root) if described else {}
        patches: Sequence[Mapping[str, Any]] = description.get('patches', ())
        self.records = {nfc(patch['name']): patch for patch in patches}
        self.sources: Mapping[str, Mapping[str, Any]] = description.get('sources', {})
        self.size = int(description.get('patch_size', 0))
        self._pixels = PatchPixels(root, len((description.get('bands') or {}).get('names') or 'RGB'))
        if not described and not root.is_dir():
            raise InputError(f'{root}: no such folder; give the folder of the images')

    @cached_property
    def known_names(self) -> set[str]:
        return self.records.keys() | self._pixels.names  # both in NFC, so that every spelling of a patch is one name

    @cached_property
    def _spelling(self) -> dict[Place, str]:
        return self._pixels.names_by_place(self.records)

    def spelling(self, line: str) -> str:
        """Return the name in dataset.json of a patch that a line gives with suffix or folder; others as they are."""
        plain = self._plain(line)
        for form in (line, plain, Path(plain).name):
            if form in self.records:
                return form
        return self._spelling.get(self._pixels.place(line), line)

    def picture(self, name: str) -> Callable[[], np.ndarray] | None:
        """Return a function that reads the image of a patch; None if there is none."""
        plain = self._plain(name)
        found = (self._pixels.find(form) for form in (name, plain, Path(plain).name))
        return next((read for read in found if read is not None), None)

    def origin(self, line: str) -> Origin | None:
        """Return where a patch comes from; None for a line about which nothing is known."""
        record = self.records.get(line) or self.records.get(Path(self._plain(line)).name)
        if record is not None and 'source' in record:
            image = str(record['source'])
            return Origin(image, self._tile_of(image), int(record.get('row', -1)), int(record.get('col', -1)))
        match = self._names.search(line) if self._names else None
        if match is None:
            return None
        parts = match.groupdict()
        image = parts['image'] or ''
        place = {axis: parts.get(axis) or '-1' for axis in ('row', 'col')}
        for axis, text in place.items():
            if not text.removeprefix('-').isdecimal():
                raise InputError(f'--names: takes {text!r} for the {axis} of {line!r}; write it as (?P<{axis}>\\d+)')
        return Origin(image, parts.get('tile') or self._tile_of(image), int(place['row']), int(place['col']))

    def _tile_of(self, image: str) -> str:
        match = self._tile.search(image) if self._tile else None
        return match[0] if match else ''

    @staticmethod
    def _plain(line: str) -> str:
        """Return the first path of a line without suffix; lists of image and mask have two."""
        first = line if ' ' not in line else line.split()[0]
        return os.path.splitext(first)[0]
