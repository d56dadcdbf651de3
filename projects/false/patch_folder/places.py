"""Where patches were cut: their raster, and their first row and column in it, from ``dataset.json``."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from projects.false.common.errors import InputError

from .description import read_description
from .lists import nfc

_REMEDY = 'convert the rasters with tools/dataset_converters'


class Places:
    """The places of all patches of a data set, in memory that grows by some dozens of bytes per patch.

    Args:
        root: Folder with ``dataset.json``.

    Raises:
        InputError: The file is missing or damaged, or does not tell where its patches were cut.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        patches = read_description(root)['patches']
        try:
            found = [(nfc(patch['name']).encode(), patch['source'], patch['row'], patch['col']) for patch in patches]
        except KeyError as error:
            raise InputError(
                f'{self.root / "dataset.json"}: a patch has no {error}, so its place is unknown; {_REMEDY}'
            ) from None
        names, sources, rows, columns = zip(*found, strict=True)
        self.sources = sorted(set(sources))
        numbers = {source: number for number, source in enumerate(self.sources)}
        order = sorted(range(len(names)), key=names.__getitem__)
        self._names = np.array([names[index] for index in order])
        self._table = np.array([(numbers[sources[i]], rows[i], columns[i]) for i in order])

    def of(self, names: Sequence[str]) -> np.ndarray:
        """Return number of the raster, row and column of patches.

        Args:
            names: Names without suffix, with or without the folders above them.

        Returns:
            Shape (N, 3), int.

        Raises:
            InputError: A patch is not in ``dataset.json``.
        """
        places = np.empty((len(names), 3), int)
        for number, name in enumerate(names):
            places[number] = self._table[self._find(name)]
        return places

    def _find(self, name: str) -> int:
        for spelling in (nfc(name), nfc(name).rpartition('/')[2]):
            encoded = spelling.encode()
            index = int(np.searchsorted(self._names, np.bytes_(encoded)))
            if index < len(self._names) and self._names[index] == encoded:
                return index
        raise InputError(f'{self.root / "dataset.json"}: does not know the patch {name!r}; {_REMEDY}')


@lru_cache(maxsize=8)
def read_places(root: Path) -> Places:
    """Read the places of a data set once per process."""
    return Places(root)


@lru_cache(maxsize=4096)
def described_folder(folder: Path) -> Path:
    """Find the folder with ``dataset.json``: a folder or one of those above it.

    Raises:
        InputError: There is none.
    """
    for above in (folder, *folder.parents):
        if (above / 'dataset.json').is_file():
            return above
    raise InputError(f'{folder}: no dataset.json here or above, so that places are unknown; {_REMEDY}')


def name_of_patch(path: Path) -> str:
    """Return the name of a patch, relative to the folder ``images``, or to the packed patches, without suffix."""
    below = next((above for above in path.parents if above.name in ('images', 'images.npy')), path.parent)
    return path.relative_to(below).with_suffix('').as_posix()
