"""Find the recipes and tools of this project: in its clone, or in the installed package where there is no clone.

A recipe can be given by its name from any folder: ``upernet_r18_mbrsc`` is ``configs/upernet_r18_mbrsc.py`` of the
clone, or of the package that pip installed.
"""

import ast
import difflib
import os
from pathlib import Path

from .errors import InputError
from .files import atomic_write, writable
from .published import CONFIG, published_folder

_ABOVE = Path(__file__).resolve().parents[3]  # the clone, or site-packages
_PACKAGED = _ABOVE / '+false_recipes' / '.mim'  # where setup.py puts recipes and tools, and mim looks for them
ROOT = _PACKAGED if _PACKAGED.is_dir() else _ABOVE  # holds configs/ and tools/


def recipe_names() -> list[str]:
    """List the recipes by name, without ``.py``; specs of benchmarks are called ``benchmarks/NAME``."""
    folder = ROOT / 'configs'
    files = [*folder.glob('*.py'), *folder.glob('benchmarks/*.py')]
    return sorted(path.relative_to(folder).with_suffix('').as_posix() for path in files)


def find_config(given: str | os.PathLike[str]) -> Path:
    """Return the file of a config that is given by its path or, for a recipe of this project, by its name.

    Args:
        given: Path of a config; or name of a recipe, with or without ``configs/`` and ``.py``; or a published model
            (:func:`~projects.false.common.published.published_folder`). A file goes before a recipe of that name.

    Raises:
        InputError: There is neither such a file nor such a recipe.
    """
    folder = published_folder(given)
    if folder is not None:
        return folder / CONFIG
    path = Path(given).expanduser()
    if path.is_file():
        return path
    name = path.as_posix().removeprefix('configs/').removesuffix('.py')
    known = recipe_names()
    if name in known:
        return ROOT / 'configs' / f'{name}.py'
    if path.is_dir():
        raise InputError(f'{given}: a folder, and no published model; give a config, or such a folder')
    near = difflib.get_close_matches(name, known, 1, 0.8)
    raise InputError(
        f'{given}: no such config; {f"did you mean {near[0]}?" if near else "the recipes are in configs/"}'
    )


def config_bases(path: str | os.PathLike[str]) -> list[Path]:
    """List the files that a config inherits from directly, those of ``_base_``; they need not exist.

    Raises:
        SyntaxError: The file is not Python.
    """
    path = Path(os.path.abspath(path))
    if path.suffix != '.py' or not path.is_file():
        return []
    found = []
    for statement in ast.parse(path.read_text(encoding='utf-8'), str(path)).body:
        if not isinstance(statement, ast.Assign) or not any(
            isinstance(target, ast.Name) and target.id == '_base_' for target in statement.targets
        ):
            continue
        values = statement.value.elts if isinstance(statement.value, ast.List | ast.Tuple) else [statement.value]
        found += [
            path.parent / value.value
            for value in values
            if isinstance(value, ast.Constant) and isinstance(value.value, str)
        ]
    return found


def recipe_summary(name: str) -> str:
    """Return the first line of a recipe's docstring."""
    text = ast.get_docstring(ast.parse((ROOT / 'configs' / f'{name}.py').read_text(encoding='utf-8')))
    return (text or '').partition('\n')[0]


def copy_recipe(name: str, folder: str | os.PathLike[str]) -> list[Path]:
    """Copy a recipe with all that it inherits from, to change it or to build on it outside the clone.

    Args:
        name: Name of the recipe, see :func:`recipe_names`; ``configs/`` before it and ``.py`` after it are dropped.
        folder: Folder to copy to, made as needed: ``FOLDER/NAME.py``, ``FOLDER/_base_/...``.

    Returns:
        The copies, the recipe first; files that are there already with the same content are not written again.

    Raises:
        InputError: There is no such recipe, a file is there with another content, or nothing can be written there.
    """
    configs = ROOT / 'configs'
    known = recipe_names()
    name = Path(name).as_posix().removeprefix('configs/').removesuffix('.py')
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise InputError(f'{name}: no such recipe; {f"did you mean {near[0]}?" if near else "list them first"}')
    sources = [configs / f'{name}.py']
    for source in sources:
        bases = [Path(os.path.normpath(base)) for base in config_bases(source)]
        sources += [base for base in bases if base not in sources]
    copies = [Path(folder).expanduser() / source.relative_to(configs) for source in sources]
    for source, copy in zip(sources, copies, strict=True):
        if copy.exists() and (not copy.is_file() or copy.read_bytes() != source.read_bytes()):
            raise InputError(f'{copy}: exists with another content; give another folder')
    with writable(folder, 'give another folder'):
        for source, copy in reversed(list(zip(sources, copies, strict=True))):  # the recipe after its bases
            if not copy.exists():
                with atomic_write(copy) as file:
                    file.write(source.read_bytes())
    return copies
