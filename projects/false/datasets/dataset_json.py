"""Read back what a converter wrote into dataset.json."""

import json
from pathlib import Path

from projects.false.errors import InputError

_REMEDY = 'give a folder made by tools/dataset_converters, or convert the data again'


def read_description(data_root: str | Path) -> dict:
    """Read ``dataset.json`` of a folder of patches.

    Args:
        data_root: Folder with ``dataset.json``.

    Raises:
        InputError: The folder or the file is missing, or the file is damaged.
    """
    path = Path(data_root) / 'dataset.json'
    if not Path(data_root).is_dir():
        raise InputError(f'{data_root}: no such folder; {_REMEDY}')
    if not path.is_file():
        raise InputError(f'{path}: no such file; {_REMEDY}')
    try:
        description = json.loads(path.read_text(encoding='utf-8'))
        names = [patch['name'] for patch in description['patches']]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: no readable description of patches ({error!r}); {_REMEDY}') from error
    if len(set(names)) != len(names):
        raise InputError(f'{path}: a patch is listed twice; {_REMEDY}')
    return description


def read_labelled_description(data_root: str | Path) -> dict:
    """The same for a folder whose patches must have labels.

    Raises:
        InputError: As above, or the data has no classes, no pixel counts, or neither masks nor packed patches.
    """
    description, root = read_description(data_root), Path(data_root)
    path = root / 'dataset.json'
    if not description.get('classes'):
        raise InputError(f'{path}: has no classes, so this is imagery without labels; give labelled data')
    if not (root / 'masks').is_dir() and not (root / 'packed').is_dir():
        raise InputError(f'{root / "masks"}: no such folder, so there are no labels; {_REMEDY}')
    counts = len(description['classes']) + 1
    for patch in description['patches']:
        absent = {'split', 'source', 'row', 'col', 'pixels'} - set(patch)
        if absent or len(patch['pixels']) != counts:
            wrong = f'has no {min(absent)!r}' if absent else f'has {len(patch["pixels"])} pixel counts, not {counts}'
            raise InputError(f'{path}: patch {patch["name"]!r} {wrong}; {_REMEDY}')
    return description
