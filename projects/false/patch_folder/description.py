"""``dataset.json``: write it, read it back, and recognise a conversion that is already complete."""

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from projects.false.common.errors import InputError, check_count, some
from projects.false.imagery.levels import mean_and_std

from .lists import nfc, read_list

_REMEDY = 'give a folder made by tools/dataset_converters, or convert the data again'


def read_description(data_root: str | Path) -> dict[str, Any]:
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
    return _parse(path, _REMEDY)


def read_labelled_description(data_root: str | Path) -> dict[str, Any]:
    """Read ``dataset.json`` of a folder whose patches must have labels.

    Raises:
        InputError: As for :func:`read_description`, or the data has no classes, no pixel counts, or neither masks nor
            packed patches.
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


def read_band_count(data_root: str | Path, remedy: str = _REMEDY) -> int:
    """Return the number of bands of the patches that ``dataset.json`` states; 3 where there is no such file.

    Args:
        data_root: Folder of patches.
        remedy: What the user can do where the file states no number.

    Raises:
        InputError: The file is damaged, or states no number of bands.
    """
    path = Path(data_root) / 'dataset.json'
    if not path.is_file():
        return 3
    try:
        count: int = read_description(data_root)['bands']['count']
        check_count('bands', count)
    except (InputError, KeyError, TypeError) as error:
        raise InputError(f'{path}: states no number of bands ({error!r}); {remedy}') from error
    return count


def read_recorded_values(data_root: str | Path) -> dict[str, Any] | None:
    """Return how ``rasters.py`` or ``vectors.py`` made values into pixels; None if another converter made the data.

    Returns:
        ``bands``: numbers of the bands that were taken, counted from 1, in the order of the patches. ``ranges``: values
        that became 0 and 255, per band; None if 8-bit pixels were taken as they are.

    Raises:
        InputError: The folder has no readable dataset.json.
    """
    description = read_description(data_root)
    if 'ranges' not in description:
        return None
    arguments = description['arguments']
    numbers = arguments.get('band_numbers', arguments['bands'])  # of vectors.py, whose bands are names
    return {
        'bands': list(numbers or range(1, description['bands']['count'] + 1)),
        'ranges': description['ranges'],
    }


def _parse(path: Path, remedy: str) -> dict[str, Any]:
    try:
        description: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
        names = [patch['name'] for patch in description['patches']]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: no readable description of patches ({error!r}); {remedy}') from error
    if len(set(names)) != len(names):
        raise InputError(f'{path}: a patch is listed twice; {remedy}')
    return description


def describe_bands(bands: Sequence[str], levels: np.ndarray) -> dict[str, Any]:
    """Return number and names of the bands, and mean and standard deviation of each over the training patches.

    Shape:
        - levels: (bands, 256), how often every grey level occurs
    """
    mean, std = mean_and_std(levels)
    return {'bands': {'count': len(bands), 'names': list(bands)}, 'mean': mean, 'std': std}


def write_description(path: Path, description: Mapping[str, Any]) -> None:
    """Write the description as JSON with one patch per line, so that the file can be read and compared by eye."""
    patches = ',\n  '.join(json.dumps(patch, ensure_ascii=False) for patch in description['patches'])
    head = json.dumps({**description, 'patches': None}, indent=1, ensure_ascii=False)
    path.write_text(head.replace('"patches": null', f'"patches": [\n  {patches}\n ]') + '\n', encoding='utf-8')


def summary_table(description: Mapping[str, Any]) -> Table:
    """Make a table with the pixels and the share of every class in every split."""
    splits = description['splits']
    table = Table(
        title=f'{escape(description["palette"])}: pixels and share of the labelled ones', box=SIMPLE_HEAD, padding=0
    )
    table.add_column('class', no_wrap=True)
    for name, split in splits.items():
        table.add_column(f'{escape(name)}\n{split["patches"]} patches', justify='right')
    for label in description['classes']:
        cells = [(split['pixels'][label], sum(split['pixels'].values())) for split in splits.values()]
        table.add_row(escape(label), *(f'{_pixels_text(count)} {count / max(total, 1):6.1%}' for count, total in cells))
    table.add_row('ignored', *(f'{_pixels_text(split["ignored_pixels"])}       ' for split in splits.values()))
    return table


def _pixels_text(count: int) -> str:
    return f'{count / 1e6:.2f}M' if count >= 1e6 else f'{count / 1e3:.1f}k'


class Conversion(NamedTuple):
    """The result of a converter.

    Args:
        description: The content of ``dataset.json``.
        done_before: Nothing was done, because a complete output of the same arguments existed.
        notes: What became of the output that this one replaced, for the user.
    """

    description: dict[str, Any]
    done_before: bool = False
    notes: tuple[str, ...] = ()


def take_over(out: str | Path, staged: Path, patches: Collection[str]) -> list[str]:
    """Copy the lists of an output that is about to be replaced, if somebody else than the converter made them.

    Args:
        out: The output to be replaced; there may be none.
        staged: The complete new one.
        patches: Names of its patches.

    Returns:
        Notes for the user: lists that are kept, those that name patches which are gone, and what is not kept.
    """
    out = Path(out)
    if not out.is_dir():
        return []
    try:
        before = json.loads((out / 'dataset.json').read_text())['splits']
    except (OSError, ValueError, TypeError, KeyError):
        before = ()  # damaged: a list too many is better than one lost
    written = {'train', 'val', 'test', 'pretrain', *before}
    known, kept, notes = {nfc(name) for name in patches}, [], []
    for path in sorted((out / 'splits').glob('*.txt')):
        if path.stem not in written and not (staged / 'splits' / path.name).exists():
            shutil.copy2(path, staged / 'splits')
            kept.append(path)
    if kept:
        notes.append(f'kept lists of the earlier output: {some(path.name for path in kept)}')
    for path in kept:
        try:
            names = read_list(path, known)
        except InputError as error:
            notes.append(str(error))
            continue
        gone = [name for name in names if nfc(name) not in known]
        if gone:
            notes.append(f'splits/{path.name}: {len(gone)} of {len(names)} patches are gone, the first is {gone[0]!r}')
    others = sorted(path.name for path in out.iterdir() if not (staged / path.name).exists())
    if others:
        notes.append(f'went with the earlier output: {some(others)}; make them again where you need them')
    return notes


def made_from(out: str | Path) -> list[str]:
    """List the stems of the images that an output was made from; none if it is absent or not readable."""
    path = Path(out) / 'dataset.json'
    try:
        return list(_parse(path, _REMEDY).get('sources', ()))
    except InputError:
        return []


def finished_before(
    out: str | Path, arguments: Mapping[str, Any], overwrite: bool, unknown: Collection[str] = ()
) -> Conversion | None:
    """Find a complete output of the same arguments, so that the conversion can be skipped.

    Args:
        out: Output folder.
        arguments: Plain values that the content of the output depends on.
        overwrite: Make the output again in any case.
        unknown: Arguments that older outputs do not record; there they count as the same.

    Returns:
        The earlier conversion, or None if there is none to rely on. A folder that no converter made is left to
        :func:`~projects.false.common.files.staged_folder`, which refuses it.

    Raises:
        InputError: The output was made with other arguments, or patches are missing in it.
    """
    path = Path(out) / 'dataset.json'
    if overwrite or not path.is_file():
        return None
    remedy = 'give another output folder, or --overwrite to make it again'
    description = _parse(path, remedy)
    before = description.get('arguments')
    if not isinstance(before, dict):
        raise InputError(f'{out}: exists and is not empty, and does not tell what it was made with; {remedy}')
    now = json.loads(json.dumps(arguments))  # in JSON tuples are lists
    known = {*now, *before} - (set(unknown) - set(before))
    different = [name for name in sorted(known) if now.get(name) != before.get(name)]
    if different:
        name = different[0]
        more = f' (and other {", ".join(different[1:])})' if different[1:] else ''
        made, asked = (_shortened(arguments.get(name)) for arguments in (before, now))
        raise InputError(f'{out}: exists and was made with {name} {made}, not {asked}{more}; {remedy}')
    if not (Path(out) / 'packed').is_dir():  # with the patches in one file, the others may be gone
        for folder in ('images', 'masks') if 'classes' in description else ('images',):
            _check_patches(Path(out) / folder, [patch['name'] for patch in description['patches']], remedy)
    return Conversion(description, done_before=True)


def _shortened(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f'{text[:40]} ... {text[-15:]}'


def _check_patches(folder: Path, names: Sequence[str], remedy: str) -> None:
    there = {nfc(file.stem) for file in folder.glob('*')}
    missing = [name for name in names if nfc(name) not in there]
    if missing:
        raise InputError(
            f'{folder}: {len(missing)} of {len(names)} patches are missing, the first is {missing[0]!r}; {remedy}'
        )
