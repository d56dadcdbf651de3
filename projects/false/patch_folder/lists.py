"""Lists of patch names in ``splits/``, and the patches in a folder."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from projects.false.common.errors import InputError
from projects.false.common.files import write_text
from projects.false.imagery.images import IMAGE_SUFFIXES


def read_list(path: str | Path) -> list[str]:
    """Read a list of one name a line; empty lines and what follows a ``#`` at the start or after a space are left out.

    Raises:
        InputError: The file is missing, not text, or holds no name.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{path}: list not readable ({error}); give a text file with one name a line') from error
    names = [name for line in lines if (name := (' ' + line).split(' #')[0].strip())]
    if not names:
        raise InputError(f'{path}: list holds no name; write one name a line, or leave the option out')
    return names


def write_list(path: str | Path, names: Iterable[str]) -> None:
    """Write one name a line; readers see the old file or the new one, never half of it."""
    write_text(path, ''.join(f'{name}\n' for name in names))


def list_folder(folder: Path) -> tuple[list[str], dict[str, int]]:
    """Images of a folder and all below it, in the order of the data sets.

    Returns:
        Names relative to the folder, and the time of the last change (ns) of it and of every folder below.
    """
    names, times = [], {}
    for parent, _, files in os.walk(folder):
        inside = os.path.relpath(parent, folder).replace(os.sep, '/')
        times[inside] = os.stat(parent).st_mtime_ns
        found = [name for name in files if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES]
        names += found if inside == '.' else [f'{inside}/{name}' for name in found]
    return sorted(names, key=lambda name: name.split('/')), times


def read_names(path: Path) -> list[str]:
    """Read a list of patches, one name a line.

    Raises:
        InputError: The list is missing or empty.
    """
    if not path.is_file():
        raise InputError(f'{path}: no such list of patches; make it with the converter, or set ann_file')
    names = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if not names:
        raise InputError(f'{path}: the list is empty; make the data again or choose another list')
    return names


class SplitList(NamedTuple):
    """A list of patches.

    Args:
        name: File name without suffix.
        patches: Names, in the order of the file.
        labelled: Labels are used: every list but ``pretrain``.
        training: The patches are trained on.
    """

    name: str
    patches: list[str]
    labelled: bool
    training: bool


def read_lists(data_root: str | Path) -> list[SplitList]:
    """Read ``splits/*.txt``: train, val and test first, then the others by name.

    For training are ``pretrain``, ``train``, what begins with ``train_``, and lists that name training patches only.

    Raises:
        InputError: There is no list, one is unreadable or empty, or one names a patch twice.
    """
    folder = Path(data_root) / 'splits'
    paths = {path.stem: path for path in folder.glob('*.txt')}
    if not paths:
        raise InputError(f'{folder}: holds no list of patches (*.txt); give a folder made by tools/dataset_converters')
    first = [name for name in ('train', 'val', 'test') if name in paths]
    names = {name: read_list(paths[name]) for name in [*first, *sorted(set(paths) - set(first))]}
    for name, patches in names.items():
        if len(set(patches)) != len(patches):
            twice = next(patch for patch in patches if patches.count(patch) > 1)
            raise InputError(f'{paths[name]}: {twice!r} is listed twice; list every patch once')
    trained = set(names.get('train', ())) | set(names.get('pretrain', ()))
    return [
        SplitList(
            name,
            patches,
            labelled=name != 'pretrain',
            training=name in ('train', 'pretrain')
            or name.startswith('train_')
            or (name not in ('val', 'test') and trained.issuperset(patches)),
        )
        for name, patches in names.items()
    ]


def sides(lists: list[SplitList]) -> tuple[list[str], dict[str, str]]:
    """Patches for training, and those for testing with the first list that names them; in order, each once."""
    training = dict.fromkeys(patch for entry in lists if entry.training for patch in entry.patches)
    testing: dict[str, str] = {}
    for entry in lists:
        if not entry.training:
            for patch in entry.patches:
                testing.setdefault(patch, entry.name)
    return list(training), testing


def list_images(folder: Path, names: Path | None = None) -> list[Path]:
    """Images of a folder and all below it, sorted, or those that a list names.

    Args:
        folder: Where the images are.
        names: Text file with one name a line, relative to ``folder``, with or without suffix; None takes all images.

    Raises:
        InputError: The folder or list is missing, there is nothing in it, or the list names an absent image.
    """
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder; data/README.md tells how to make the data, or set data_root')
    found = [folder / name for name in list_folder(folder)[0]]
    if not found:
        raise InputError(f'{folder}: holds no image ({", ".join(IMAGE_SUFFIXES)}); check data_root')
    if names is None:
        return found
    wanted = read_names(names)
    by_name: dict[str, list[Path]] = {}
    for path in found:
        relative = path.relative_to(folder)
        by_name.setdefault(str(relative), []).append(path)
        by_name.setdefault(str(relative.with_suffix('')), []).append(path)
    absent = [name for name in wanted if name not in by_name]
    if absent:
        raise InputError(
            f'{names}: {len(absent)} of {len(wanted)} images are not in {folder}, the first is {absent[0]!r}; '
            'convert the data again or mend the list'
        )
    twice = [name for name in wanted if len(by_name[name]) > 1]
    if twice:
        raise InputError(f'{names}: {twice[0]!r} stands for {", ".join(map(str, by_name[twice[0]]))}; add the suffix')
    return [by_name[name][0] for name in wanted]
