"""Lists of patches in ``splits/``, and the images in a folder.

Every list in the project is read by :func:`read_list`, so that training, splits, audits and converters agree on what
a line means.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from projects.false.common.errors import InputError
from projects.false.common.files import write_text
from projects.false.imagery.image_files import KNOWN_SUFFIXES, describe_left_out, list_imagery


def read_list(path: str | Path, known: Set[str] = frozenset()) -> list[str]:
    """Read a list of names, one per line; lines end with LF, CR LF or CR.

    A byte order mark and empty lines are dropped, and so are comments: ``#`` at the start of a line or after a space,
    and all that follows. A line that is a known name as a whole keeps its ``#``, as in ``tile #2``. Names are compared
    in Unicode form NFC, since some file systems and archives decompose accents.

    Args:
        path: Text file, UTF-8.
        known: The names that the list chooses from, such as those of the images. Without them every ``#`` after a
            space begins a comment.

    Returns:
        The names in the order of the file, spelled as in ``known``, or in form NFC if they are not in it.

    Raises:
        InputError: The file is missing, is not text, or holds no name.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except FileNotFoundError as error:
        raise InputError(f'{path}: no such list; give a text file with one name per line') from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{path}: list not readable ({error}); give a text file with one name per line') from error
    names = _names_in(text, known)
    if not names:
        raise InputError(f'{path}: the list is empty; write one name per line, or choose another list')
    return names


def _names_in(text: str, known: Set[str]) -> list[str]:
    spellings = _Spellings(known)
    return [name for line in re.split(r'\r\n|\n|\r', text) if (name := _name_in(line.strip(), spellings))]


def _name_in(line: str, spellings: '_Spellings') -> str:
    if line.isascii() and '#' not in line:
        return line  # nearly every line: nothing to cut off, and only one way to spell it
    whole = spellings.find(line)
    if whole is not None:
        return whole
    name = re.split(r'(?:^|\s)#', line, maxsplit=1)[0].strip()
    return spellings.find(name) or nfc(name)


class _Spellings:
    """Lookup of known names in any Unicode form; a name in exactly the requested form is preferred."""

    def __init__(self, known: Set[str]) -> None:
        self._known = known

    def find(self, name: str) -> str | None:
        return name if name in self._known else self._by_form.get(nfc(name))

    @cached_property
    def _by_form(self) -> dict[str, str]:
        return {nfc(name): name for name in self._known if not name.isascii()}


def nfc(name: str) -> str:
    """Return a name in Unicode form NFC, in which names compare."""
    return unicodedata.normalize('NFC', name)


def file_in_any_form(folder: Path, name: str) -> Path:
    """Return the path of a file that is in a folder under any Unicode form of a name; as named if there is none."""
    forms = (name, *(unicodedata.normalize(form, name) for form in ('NFC', 'NFD'))) if not name.isascii() else ()
    return next((path for form in forms if (path := folder / form).exists()), folder / name)


def write_list(path: str | Path, names: Iterable[str]) -> None:
    """Write one name per line; readers see the old file or the new one, never half of it.

    Raises:
        InputError: :func:`read_list` would not give a name back, such as one with a line break in it.
        OSError: The file system refuses.
    """
    names = list(names)
    text = ''.join(f'{name}\n' for name in names)
    for name, found in zip_longest(names, _names_in(text.removeprefix('\ufeff'), set(names))):
        if name != found or not _is_unicode(name):
            raise InputError(
                f'{path}: a list cannot hold {name!r}, as white space at the ends of a name, line breaks and bytes '
                'that are not UTF-8 get lost; rename the file'
            )
    write_text(path, text)


def _is_unicode(name: str) -> bool:
    """Return False for a file name that is not UTF-8, whose bytes surrogates stand for."""
    return name.isascii() or not any('\ud800' <= letter <= '\udfff' for letter in name)


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


def read_lists(
    data_root: str | Path, known: Set[str] = frozenset(), spelling: Callable[[str], str] = lambda name: name
) -> list[SplitList]:
    """Read ``splits/*.txt``: train, val and test first, then the others by name.

    Training lists are ``pretrain``, ``train``, every ``train_*``, and lists that name training patches only.

    Args:
        data_root: Folder of a data set.
        known: Names of its patches, as for :func:`read_list`.
        spelling: Returns one name for all names of a patch, which a list may give with suffix or without.

    Raises:
        InputError: There is no list, one is unreadable or empty, or one names a patch twice.
    """
    folder = Path(data_root) / 'splits'
    paths = {path.stem: path for path in folder.glob('*.txt')}
    if not paths:
        raise InputError(f'{folder}: holds no list of patches (*.txt); give a folder made by tools/dataset_converters')
    first = [name for name in ('train', 'val', 'test') if name in paths]
    order = [*first, *sorted(set(paths) - set(first))]
    names = {name: [spelling(patch) for patch in read_list(paths[name], known)] for name in order}
    for name, patches in names.items():
        check_once(patches, paths[name])
    trained = {*names.get('train', ()), *names.get('pretrain', ())}
    return [
        SplitList(name, patches, labelled=name != 'pretrain', training=_is_training(name, patches, trained))
        for name, patches in names.items()
    ]


def check_once(patches: Sequence[str], path: Path) -> None:
    """Refuse a list that names a patch twice.

    Raises:
        InputError: It does; the message names the first such patch.
    """
    twice = next((patch for patch, count in Counter(patches).items() if count > 1), None)
    if twice is not None:
        raise InputError(f'{path}: {twice!r} is listed twice; list every patch once')


def is_training_name(name: str) -> bool:
    """Return whether a list is for training by its name alone: ``pretrain``, ``train`` and every ``train_*``."""
    return name in ('train', 'pretrain') or name.startswith('train_')


def _is_training(name: str, patches: Collection[str], trained: set[str]) -> bool:
    if is_training_name(name):
        return True
    return name not in ('val', 'test') and trained.issuperset(patches)


def sides(lists: Iterable[SplitList]) -> tuple[list[str], dict[str, str]]:
    """Separate the patches for training from those for testing.

    Returns:
        Patches for training, and a map from each patch for testing to the first list that names it; each in order,
        without repetition.
    """
    training: dict[str, None] = {}
    testing: dict[str, str] = {}
    for entry in lists:
        for patch in entry.patches:
            if entry.training:
                training[patch] = None
            else:
                testing.setdefault(patch, entry.name)
    return list(training), testing


def list_images(
    folder: Path, names: Path | None = None, note: Callable[[str], object] = lambda line: None
) -> list[Path]:
    """List the images of a folder and all below it, sorted, or those that a list names.

    Args:
        folder: Where the images are.
        names: List of images as for :func:`read_list`, relative to ``folder``, with or without suffix; None takes all
            images.
        note: Called with a line that counts and names the files that are left out, where all images are taken.

    Raises:
        InputError: The folder or list is missing, there is nothing in it, or the list names an absent image.
    """
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder; data/README.md tells how to make the data, or set data_root')
    found, left_out, _ = list_imagery(folder)
    if not found:
        raise InputError(f'{folder}: holds no image ({KNOWN_SUFFIXES}); check data_root')
    if names is None:
        if left_out:
            note(f'{folder}: {describe_left_out(left_out)}')
        return [folder / name for name in found]
    by_name: dict[str, list[str]] = {}
    for name in found:
        for key in (name, os.path.splitext(name)[0]):
            by_name.setdefault(key, []).append(name)
    wanted = read_list(names, by_name.keys())
    absent = [name for name in wanted if name not in by_name]
    if absent:
        raise InputError(
            f'{names}: {len(absent)} of {len(wanted)} images are not in {folder}, the first is {absent[0]!r}; '
            'convert the data again or mend the list'
        )
    for name in wanted:
        if len(by_name[name]) > 1:
            several = ', '.join(str(folder / image) for image in by_name[name])
            raise InputError(f'{names}: {name!r} stands for {several}; add the suffix')
    return [folder / by_name[name][0] for name in wanted]
