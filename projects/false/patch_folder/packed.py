"""Read packed patches: one memory-mapped array and an index in place of a million files.

``docs/packed.md`` has the format."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from projects.false.common.errors import InputError

from .lists import list_folder, read_names

FORMAT = 1
DESCRIPTION = 'packed.json'


class PackedPatches:
    """The reading side. Opening maps files and reads none; processes share the pages that they touch.

    Args:
        folder: The ``packed`` folder that tools/pack.py made.
        root: Folder of the data set, whose images the packed ones are compared with, by name. None leaves it out.

    Raises:
        InputError: The folder is missing, cut off, of another format, or out of date.
    """

    def __init__(self, folder: str | Path, root: str | Path | None = None) -> None:
        self.folder = Path(folder)
        self.description = read_description(self.folder)
        for name, size in self.description['files'].items():
            self._check_size(name, size)
        if root is not None:
            for facts in self.description['sources'].values():
                changed = names_changed(Path(root), facts)
                if changed:
                    raise InputError(f'{self.folder}: out of date, {changed}; {way_out(self.folder)}')
        self._open()

    def _open(self) -> None:
        shape = (self.description['patches'], *self.description['shape'])
        self._images = self._map('images.npy', shape)
        self._masks = self._map('masks.npy', shape[:3]) if 'masks.npy' in self.description['files'] else None
        self.labelled = self._map('labelled.npy', shape[:1]) if self._masks is not None else None
        self._names = self._map('names.npy', shape[:1])
        self._keys, self._key_rows = (self._map(f'{name}.npy', (2 * shape[0],)) for name in ('keys', 'key_rows'))

    def _check_size(self, name: str, size: int) -> None:
        try:
            found = os.stat(self.folder / name).st_size
        except OSError:
            raise InputError(f'{self.folder / name}: no such file; {way_out(self.folder)}') from None
        if found != size:
            raise InputError(f'{self.folder / name}: has {found} bytes, not {size}; {way_out(self.folder)}')

    def _map(self, name: str | Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
        try:
            array = np.load(self.folder / name, mmap_mode='r', allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f'{self.folder / name}: not readable ({error}); {way_out(self.folder)}') from error
        if shape is not None and array.shape != shape:
            raise InputError(f'{self.folder / name}: shape {array.shape}, not {shape}; {way_out(self.folder)}')
        return array

    def __reduce__(self):
        return PackedPatches, (self.folder,)  # another process maps the same files; nothing is copied

    def __len__(self) -> int:
        return len(self._names)

    def name(self, row: int) -> str:
        """Name of a patch, relative to the folder that it was packed from, with suffix."""
        return self._names[row].decode('utf-8', 'surrogateescape')

    def image(self, row: int) -> np.ndarray:
        """A copy of one image, shape (H, W, C), uint8; bands in the order of LoadPatch, blue first."""
        return np.array(self._images[row])

    def mask(self, row: int) -> np.ndarray:
        """A copy of one index mask, shape (H, W), uint8."""
        return np.array(self._masks[row])

    def stored_list(self, text: bytes) -> Path:
        """Where the rows of a list with this content are kept."""
        return self.folder / 'lists' / f'{hashlib.sha256(text).hexdigest()}.npy'

    def rows(self, path: Path) -> np.ndarray:
        """Rows of the patches that a list names (one a line, with or without suffix), in its order.

        Lists that were there when the patches were packed are opened as they are; others are looked up.

        Raises:
            InputError: The list is missing or empty, or names something absent or ambiguous.
        """
        if path.is_file():
            stored = self.stored_list(path.read_bytes())
            if stored.is_file():
                return self._map(stored.relative_to(self.folder))
        return self.find(read_names(path), path)

    def find(self, names: list[str], path: Path) -> np.ndarray:
        """Look names up; ``path`` is the list that they are from, for the message."""
        first, count = find_names(names, self._keys)
        if (count == 0).any():
            raise InputError(
                f'{path}: {np.count_nonzero(count == 0)} of {len(names)} patches are not in {self.folder}, the first '
                f'is {names[int(np.argmax(count == 0))]!r}; {way_out(self.folder)}, or mend the list'
            )
        if (count > 1).any():
            place = int(np.argmax(count > 1))
            several = [self.name(row) for row in np.sort(self._key_rows[first[place] : first[place] + count[place]])]
            raise InputError(f'{path}: {names[place]!r} stands for {", ".join(several)}; add the suffix')
        return self._key_rows[first]


def read_description(folder: Path) -> dict:
    """packed.json of this format.

    Raises:
        InputError: It is missing, damaged, or of another version.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise InputError(f'{path}: no packed patches; {way_out(folder)}, or leave packed=True out')
    try:
        description = json.loads(path.read_text(encoding='utf-8'))
        version = description['format']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: not readable ({error!r}); {way_out(folder)}') from error
    if version != FORMAT:
        raise InputError(f'{path}: format {version!r}, this version reads format {FORMAT}; {way_out(folder)}')
    return description


def way_out(folder: Path) -> str:
    """The command that makes packed patches (again)."""
    return f'run: python tools/pack.py {folder.parent}'


def write_index(out: Path, names: list[str]) -> None:
    """Write names and keys of the patches.

    ``names.npy`` has the names in the order of the rows. A list may name a patch with or without suffix, so
    ``keys.npy`` has both forms of all names, sorted, and ``key_rows.npy`` the row of each.

    Args:
        out: Folder to write into.
        names: Name of every row, with suffix.
    """
    encoded = np.array([_bytes(name) for name in names])
    np.save(out / 'names.npy', encoded)
    keys = np.concatenate([encoded, np.array([_bytes(os.path.splitext(name)[0]) for name in names])])
    order = np.argsort(keys, kind='stable')
    np.save(out / 'keys.npy', keys[order])
    np.save(out / 'key_rows.npy', order % len(names))


def find_names(names: list[str], keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Look names up.

    Returns:
        For every name, where its first key is and how many keys are equal to it: 0 if there is no such patch, several
        if the name without suffix stands for several.
    """
    wanted = np.array([_bytes(name) for name in names])
    length = keys.dtype.itemsize
    fits = np.char.str_len(wanted) <= length if wanted.dtype.itemsize > length else np.True_
    order = np.argsort(wanted, kind='stable')  # neighbouring keys lie on the same pages
    asked = wanted[order].astype(keys.dtype)
    first, last = np.empty(len(names), int), np.empty(len(names), int)
    first[order] = np.searchsorted(keys, asked, 'left')
    last[order] = np.searchsorted(keys, asked, 'right')
    return first, np.where(fits, last - first, 0)


def _bytes(name: str) -> bytes:
    return name.encode('utf-8', 'surrogateescape')


def source_facts(root: Path, folder: str, names: list[str], times: dict[str, int]) -> dict:
    """What packed.json keeps of a source folder.

    Args:
        root: Folder of the data set.
        folder: The source folder, relative to it.
        names, times: From :func:`list_folder`.
    """
    state = hashlib.sha256()
    for name in names:
        found = os.stat(root / folder / name)
        state.update(f'{name}\0{found.st_size}\0{found.st_mtime_ns}\n'.encode('utf-8', 'surrogateescape'))
    return {
        'folder': folder,
        'files': len(names),
        'names_sha256': names_digest(names),
        'state_sha256': state.hexdigest(),  # names, sizes and times of change
        'folders': times,
    }


def names_digest(names: list[str]) -> str:
    """SHA-256 of the names, in their order."""
    return hashlib.sha256('\n'.join(names).encode('utf-8', 'surrogateescape')).hexdigest()


def names_changed(root: Path, facts: dict) -> str | None:
    """Say what is different about the names in a source folder, or None.

    Looks at the folders' times first: that costs nothing, and a folder whose time stands has the same names. Only if a
    time differs, as in a copy, are the names listed. A source that is gone did not change: the packed form is enough.
    """
    folder = root / facts['folder']
    if not folder.is_dir():
        return None
    if all(_time(folder / inside) == time for inside, time in facts['folders'].items()):
        return None
    names, _ = list_folder(folder)
    if len(names) != facts['files']:
        return f'{folder} holds {len(names)} images, {facts["files"]} were packed'
    if names_digest(names) != facts['names_sha256']:
        return f'{folder} holds images of other names than were packed'
    return None


def _time(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1
