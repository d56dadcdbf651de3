"""Was this done before? A complete output knows the arguments that it was made with."""

import json
from pathlib import Path
from typing import NamedTuple

from projects.false.errors import InputError


class Conversion(NamedTuple):
    """What a converter hands back.

    Args:
        description: The content of ``dataset.json``.
        done_before: Nothing was done, since the output was there, complete and made with the same arguments.
    """

    description: dict
    done_before: bool = False


def finished_before(out: str | Path, arguments: dict, overwrite: bool) -> Conversion | None:
    """Look for a complete output of the same arguments.

    Args:
        out: Output folder.
        arguments: Plain values that the content of the output depends on.
        overwrite: The output is to be made again in any case.

    Returns:
        The earlier conversion, or None if there is none to rely on. A folder that no converter made is left to
        :func:`staged_folder`, which refuses it.

    Raises:
        InputError: The output was made with other arguments, or patches are missing in it.
    """
    path = Path(out) / 'dataset.json'
    if overwrite or not path.is_file():
        return None
    way_out = 'give another output folder, or --overwrite to make it again'
    try:
        description = json.loads(path.read_text(encoding='utf-8'))
        before, patches = description.get('arguments'), [patch['name'] for patch in description['patches']]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f'{path}: no readable description of a data set ({error!r}); {way_out}') from error
    if before is None:
        raise InputError(f'{out}: exists and is not empty, and does not tell what it was made with; {way_out}')
    # As JSON has it: tuples are lists there.
    now = json.loads(json.dumps(arguments))
    different = [name for name in sorted({*now, *before}) if now.get(name) != before.get(name)]
    if different:
        name = different[0]
        more = f' (and other {", ".join(different[1:])})' if different[1:] else ''
        raise InputError(
            f'{out}: exists and was made with {name} {_short(before.get(name))}, not {_short(now.get(name))}{more}; '
            f'{way_out}'
        )
    if (Path(out) / 'packed').is_dir():
        return Conversion(description, done_before=True)  # with the patches in one file, the others may be gone
    for folder in ('images', 'masks') if 'classes' in description else ('images',):
        there = {file.stem for file in (Path(out) / folder).glob('*')}
        missing = [name for name in patches if name not in there]
        if missing:
            raise InputError(
                f'{out}/{folder}: {len(missing)} of {len(patches)} patches are missing, the first is {missing[0]!r}; '
                f'{way_out}'
            )
    return Conversion(description, done_before=True)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f'{text[:40]} ... {text[-15:]}'
