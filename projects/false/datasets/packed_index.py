"""The index of packed patches: names that are mapped into memory, and found by bisection."""

import os
from pathlib import Path

import numpy as np


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
