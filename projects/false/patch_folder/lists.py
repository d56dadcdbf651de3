"""The lists of a data set: what they name, and whether for training or for testing."""

from pathlib import Path
from typing import NamedTuple

from projects.false.datasets.splits import read_list
from projects.false.errors import InputError


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
