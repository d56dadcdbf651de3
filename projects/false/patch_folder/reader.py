"""Read the patches of a folder one by one, from image files or packed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from projects.false.imagery.images import read_image

from .description import read_description
from .lists import list_images
from .packed import PackedPatches


class PatchReader:
    """The patches of a folder, or its packed patches where there are no image files.

    Args:
        root: Folder as a converter leaves it, or any folder of images.
        images: Its folder of images, '' for ``root`` itself.
        names: List of the patches to read, relative to ``root``; None takes all.
        note: Called with a line that names the files that are left out.

    Raises:
        InputError: There are no images, or the list does not fit.
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
        self._packed: PackedPatches | None = None
        self._paths: list[Path] = []
        described = (root / 'dataset.json').is_file()
        self.bands = int(read_description(root).get('bands', {}).get('count', 3)) if described else 3
        if (root / 'packed').is_dir() and not self._folder.is_dir():
            self._packed = PackedPatches(root / 'packed')
            self._rows = np.arange(len(self._packed)) if chosen is None else self._packed.rows(chosen)
        else:
            self._paths = list_images(self._folder, chosen, note)

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
