"""The pixels of patches, by number in a list or by name: from image files, or packed ones where there are no files."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Set
from functools import cached_property
from pathlib import Path

import numpy as np

from projects.false.imagery.image_files import list_imagery
from projects.false.imagery.images import read_image

from .description import read_band_count
from .lists import list_images, nfc
from .packed import PackedPatches

Place = str | int | None  # file of a patch in its folder, row of a packed one, or no such patch


def packed_instead(root: Path, folder: Path) -> PackedPatches | None:
    """Return the packed patches of ``root`` if they exist and its folder of images does not; None otherwise.

    Raises:
        InputError: They are damaged.
    """
    return PackedPatches(root / 'packed', root) if not folder.is_dir() and (root / 'packed').is_dir() else None


class PatchReader:
    """The patches of a folder, or its packed patches where there are no image files.

    Args:
        root: Folder as a converter leaves it, or any folder of images.
        images: Its folder of images, '' for ``root`` itself.
        names: List of the patches to read, relative to ``root``; None takes all.
        note: Called with a line that names the files that are left out.

    Raises:
        InputError: There are no images, the list does not fit, or ``dataset.json`` states no number of bands.
    """

    def __init__(
        self,
        root: str | Path,
        images: str = 'images',
        names: str | None = None,
        note: Callable[[str], object] = lambda line: None,
    ) -> None:
        root = Path(root)
        chosen = None if names is None else root / names
        self._folder = root / images
        self._packed = packed_instead(root, self._folder)
        self._paths: list[Path] = []
        self.bands = read_band_count(root)
        if self._packed is None:
            self._paths = list_images(self._folder, chosen, note)
        else:
            self._rows = np.arange(len(self._packed)) if chosen is None else self._packed.rows(chosen)

    def __len__(self) -> int:
        return len(self._paths) if self._packed is None else len(self._rows)

    def name(self, number: int) -> str:
        """Return the name of a patch, relative to the folder of the images, without suffix."""
        if self._packed is None:
            return self._paths[number].relative_to(self._folder).with_suffix('').as_posix()
        return Path(self._packed.name(int(self._rows[number]))).with_suffix('').as_posix()

    def image(self, number: int) -> np.ndarray:
        """Return the pixels of a patch, (H, W, bands), uint8, blue, green and red first.

        Raises:
            InputError: The file is unusable.
        """
        if self._packed is None:
            return read_image(self._paths[number], self.bands)
        return self._packed.image(int(self._rows[number]))


class PatchPixels:
    """Reads patches by their names; opening lists the folder and reads no image.

    Args:
        data_root: Folder of patches as a converter leaves it, or any folder of images.
        bands: Number of bands of every image.

    Raises:
        InputError: The folder has packed patches only, and they are damaged.
    """

    def __init__(self, data_root: str | Path, bands: int = 3) -> None:
        self.root, self.bands = Path(data_root), bands
        self._packed = packed_instead(self.root, self.root / 'images')
        self._folder = self.root / 'images' if (self.root / 'images').is_dir() else self.root

    @cached_property
    def _files(self) -> dict[str, str | int]:
        """Name in any form, with or without folder and suffix -> file, or row of the packed patches."""
        found: dict[str, str | int] = {}
        if self._packed is not None:
            every: list[tuple[str, str | int]] = [(self._packed.name(row), row) for row in range(len(self._packed))]
        else:
            every = [(name, name) for name in list_imagery(self._folder).names] if self._folder.is_dir() else []
        whole = (lambda name: name, lambda name: os.path.splitext(name)[0])
        for form in (*whole, lambda name: Path(name).stem):  # the name of one file comes before the end of another's
            for name, place in every:
                found.setdefault(nfc(form(name)), place)
        return found

    @property
    def names(self) -> Set[str]:
        """All names, each with and without folder and suffix."""
        return self._files.keys()

    def place(self, name: str) -> Place:
        """Return where a patch is, which is equal for all forms of its name; None if there is no such image."""
        return self._files.get(nfc(name))

    def names_by_place(self, names: Iterable[str]) -> dict[Place, str]:
        """Return the name of every place among some names, so that all forms of a name lead to one."""
        places = {self.place(name): name for name in names}
        places.pop(None, None)
        return places

    def find(self, name: str) -> Callable[[], np.ndarray] | None:
        """Return a function that reads a patch, blue first; None if there is no such image.

        Shape:
            - result of the function: (H, W, bands), uint8
        """
        place = self.place(name)
        if place is None:
            return None
        if isinstance(place, int):
            packed, row = self._packed, place
            assert packed is not None
            return lambda: packed.image(row)
        path = self._folder / place
        return lambda: read_image(path, self.bands)

    def state(self, names: Iterable[str]) -> str:
        """Return a text that changes if an image changes: the digest of their sizes and times of change.

        Args:
            names: Names of patches that are there.
        """
        if self._packed is not None:
            return json.dumps(self._packed.description, sort_keys=True)
        digest = hashlib.sha256()
        for name in names:
            found = os.stat(self._folder / str(self._files[nfc(name)]))
            digest.update(f'{found.st_size} {found.st_mtime_ns}\n'.encode())
        return digest.hexdigest()
