"""Packed patches: one memory-mapped array and an index in place of a million files.

This module holds the format and reads it; :mod:`.packing` writes it. ``docs/packed.md`` describes the format.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from projects.false.common.errors import InputError
from projects.false.imagery.image_files import list_imagery

from .lists import read_list

FORMAT = 1
DESCRIPTION = 'packed.json'


class PackedPatches:
    """The patches of a ``packed`` folder. Opening maps files and reads none; processes share the pages they touch.

    Args:
        folder: The ``packed`` folder that tools/pack.py made.
        root: Folder of the data set, whose images the packed ones are compared with, by name. None skips this.

    Raises:
        InputError: The folder is missing, cut off, of another format, or out of date.
    """

    def __init__(self, folder: str | Path, root: str | Path | None = None) -> None:
        self.folder, self._root = Path(folder), Path(folder).parent if root is None else Path(root)
        self.description = _read_packed_json(self.folder, self._root)
        for name, size in self.description['files'].items():
            self._check_size(name, size)
        if root is not None:
            for facts in self.description['sources'].values():
                changed = names_changed(Path(root), facts)
                if changed:
                    raise InputError(f'{self.folder}: out of date, {changed}; {self.way_out}')
        shape = (self.description['patches'], *self.description['shape'])
        # Plain arrays over the mapped files: taking a row of np.memmap itself costs half as much again.
        self._images = np.asarray(self._map('images.npy', shape))
        self._masks = (
            np.asarray(self._map('masks.npy', shape[:3])) if 'masks.npy' in self.description['files'] else None
        )
        self.labelled = self._map('labelled.npy', shape[:1]) if self._masks is not None else None
        self._names = self._map('names.npy', shape[:1])
        self._keys, self._key_rows = (self._map(f'{name}.npy', (2 * shape[0],)) for name in ('keys', 'key_rows'))

    @property
    def way_out(self) -> str:
        """The command that makes these packed patches again."""
        return way_out(self.folder, self._root, self.description)

    def _check_size(self, name: str, size: int) -> None:
        try:
            found = os.stat(self.folder / name).st_size
        except OSError:
            raise InputError(f'{self.folder / name}: no such file; {self.way_out}') from None
        if found != size:
            raise InputError(f'{self.folder / name}: has {found} bytes, not {size}; {self.way_out}')

    def _map(self, name: str | Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
        try:
            array: np.ndarray = np.load(self.folder / name, mmap_mode='r', allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f'{self.folder / name}: not readable ({error}); {self.way_out}') from error
        if shape is not None and array.shape != shape:
            raise InputError(f'{self.folder / name}: shape {array.shape}, not {shape}; {self.way_out}')
        return array

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedPatches, (self.folder,), {'_root': self._root}  # another process maps the same files

    def __len__(self) -> int:
        return len(self._names)

    def name(self, row: int) -> str:
        """Return the name of a patch, relative to the folder that it was packed from, with suffix."""
        return _from_bytes(self._names[row])

    def image(self, row: int) -> np.ndarray:
        """Copy one image, shape (H, W, C), uint8; bands in the order of LoadPatch, blue first."""
        return np.array(self._images[row])

    def mask(self, row: int) -> np.ndarray:
        """Copy one index mask, shape (H, W), uint8; only where patches were packed with masks."""
        assert self._masks is not None
        return np.array(self._masks[row])

    def stored_list(self, text: bytes) -> Path:
        """Return the file that keeps the rows of a list with this content."""
        return self.folder / 'lists' / f'{hashlib.sha256(text).hexdigest()}.npy'

    def rows(self, path: Path) -> np.ndarray:
        """Return the rows of the patches that a list names, in its order.

        The rows of lists that existed at the time of packing are stored; other lists are looked up.

        Args:
            path: List as for :func:`.lists.read_list`; names are with or without suffix.

        Raises:
            InputError: The list is missing or empty, or names something absent or ambiguous.
        """
        if path.is_file():
            stored = self.stored_list(path.read_bytes())
            if stored.is_file():
                return self._map(stored.relative_to(self.folder))
        return self.look_up(path)

    def look_up(self, path: Path) -> np.ndarray:
        """Return the rows of a list without looking for stored ones."""
        return self.find(read_list(path, _Keys(self._keys)), path)

    def find(self, names: Sequence[str], path: Path) -> np.ndarray:
        """Return the rows of names; ``path`` is the list that they are from, for the message."""
        first, count = find_names(names, self._keys)
        if (count == 0).any():
            raise InputError(
                f'{path}: {np.count_nonzero(count == 0)} of {len(names)} patches are not in {self.folder}, the first '
                f'is {names[int(np.argmax(count == 0))]!r}; {self.way_out}, or mend the list'
            )
        if (count > 1).any():
            place = int(np.argmax(count > 1))
            several = [self.name(row) for row in np.sort(self._key_rows[first[place] : first[place] + count[place]])]
            raise InputError(f'{path}: {names[place]!r} stands for {", ".join(several)}; add the suffix')
        rows: np.ndarray = self._key_rows[first]
        return rows


def _read_packed_json(folder: Path, root: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file():
        raise InputError(f'{path}: no packed patches; {way_out(folder, root)}, or leave packed=True out')
    try:
        description: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
        version = description['format']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: not readable ({error!r}); {way_out(folder, root)}') from error
    if version != FORMAT:
        raise InputError(f'{path}: format {version!r}, this version reads format {FORMAT}; {way_out(folder, root)}')
    return description


def way_out(folder: Path, root: Path, description: dict[str, Any] | None = None) -> str:
    """Return the command that makes packed patches (again).

    Args:
        folder: Their folder, which tools/pack.py makes as ``root/packed``.
        root: Folder of the data set.
        description: Content of their packed.json if they exist; it tells which folders they were packed from.
    """
    command = f'run: python tools/pack.py {root}'
    for kind, facts in (description or {}).get('sources', {}).items():
        if facts['folder'] != kind:
            command += f' --{kind} ' + ("''" if facts['folder'] == '.' else facts['folder'])
    made = root / 'packed'
    return command if os.path.abspath(folder) == os.path.abspath(made) else f'{command} and move {made} to {folder}'


def write_index(out: Path, names: Sequence[str]) -> None:
    """Write names and keys of the patches.

    ``names.npy`` has the names in the order of the rows. A list may name a patch with or without suffix, so
    ``keys.npy`` has both forms of all names, sorted, and ``key_rows.npy`` the row of each.

    Args:
        out: Folder to write into.
        names: Name of every row, with suffix.
    """
    encoded = np.array([_to_bytes(name) for name in names])
    np.save(out / 'names.npy', encoded)
    keys = np.concatenate([encoded, np.array([_to_bytes(os.path.splitext(name)[0]) for name in names])])
    order = np.argsort(keys, kind='stable')
    np.save(out / 'keys.npy', keys[order])
    np.save(out / 'key_rows.npy', order % len(names))


def find_names(names: Sequence[str], keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Look names up in sorted keys.

    Returns:
        For every name, the position of its first key and the number of equal keys: 0 if there is no such patch, more
        than 1 if the name without suffix is ambiguous.
    """
    wanted = np.array([_to_bytes(name) for name in names])
    length = keys.dtype.itemsize
    fits = np.char.str_len(wanted) <= length if wanted.dtype.itemsize > length else np.True_
    order = np.argsort(wanted, kind='stable')  # neighbouring keys lie on the same pages
    asked = wanted[order].astype(keys.dtype)
    first, last = np.empty(len(names), int), np.empty(len(names), int)
    first[order] = np.searchsorted(keys, asked, 'left')
    last[order] = np.searchsorted(keys, asked, 'right')
    return first, np.where(fits, last - first, 0)


class _Keys(Set[str]):
    """The sorted keys as a set of names, none of them in memory."""

    def __init__(self, keys: np.ndarray) -> None:
        self._keys = keys

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(find_names([name], self._keys)[1][0])

    def __iter__(self) -> Iterator[str]:
        return map(_from_bytes, self._keys)

    def __len__(self) -> int:
        return len(self._keys)


# File names need not be UTF-8; surrogates carry what is not.
def _to_bytes(name: str) -> bytes:
    return name.encode('utf-8', 'surrogateescape')


def _from_bytes(name: bytes) -> str:
    return name.decode('utf-8', 'surrogateescape')


def source_facts(root: Path, folder: str, names: Sequence[str], times: dict[str, int]) -> dict[str, Any]:
    """Describe a source folder for packed.json, so that a later change is noticed.

    Args:
        root: Folder of the data set.
        folder: The source folder, relative to it.
        names, times: From :func:`~projects.false.imagery.image_files.list_imagery`.
    """
    state = hashlib.sha256()
    for name in names:
        found = os.stat(root / folder / name)
        state.update(_to_bytes(f'{name}\0{found.st_size}\0{found.st_mtime_ns}\n'))
    return {
        'folder': folder,
        'files': len(names),
        'names_sha256': _names_digest(names),
        'state_sha256': state.hexdigest(),  # names, sizes and times of change
        'folders': times,
    }


def names_changed(root: Path, facts: dict[str, Any]) -> str | None:
    """Say how the names in a source folder differ from the packed ones, or return None.

    The folders' times are compared first, which costs nothing: if they are equal, so are the names. The names are
    listed only if a time differs, as in a copy. A missing source counts as unchanged, as the packed form is enough.
    """
    folder = root / facts['folder']
    if not folder.is_dir():
        return None
    if all(_changed_at(folder / inside) == time for inside, time in facts['folders'].items()):
        return None
    names = list_imagery(folder).names
    if len(names) != facts['files']:
        return f'{folder} holds {len(names)} images, {facts["files"]} were packed'
    if _names_digest(names) != facts['names_sha256']:
        return f'{folder} holds images of other names than were packed'
    return None


def _names_digest(names: Sequence[str]) -> str:
    return hashlib.sha256(_to_bytes('\n'.join(names))).hexdigest()


def _changed_at(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1
