"""A published model: a folder of weights, config, preprocessing and model card. It is read as data and never run.

``hf://OWNER/NAME`` is such a folder in the cache of Hugging Face on this machine; nothing is downloaded.
"""

import ast
import json
import os
import re
from pathlib import Path
from typing import Any

from .errors import InputError

CONFIG, WEIGHTS, PREPROCESSING, CARD = 'config.py', 'model.safetensors', 'preprocessing.json', 'README.md'
HUB = 'hf://'
_REPOSITORY = re.compile(r'([\w.-]+/[\w.-]+)(?:@([\w./-]+))?')
# What `type` may name: a registered class, alone or in the registry of an OpenMMLab library. MMEngine would import and
# call anything that a longer path names.
_TYPE = re.compile(r'(?:(?:mmengine|mmcv|mmpretrain|mmseg|mmdet)\.)?\w+')
_LITERALS = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Load, ast.Store, ast.Name, ast.keyword)


def published_folder(given: str | os.PathLike[str]) -> Path | None:
    """Return the folder of a published model; None if what is given is something else.

    Args:
        given: The folder, or ``hf://OWNER/NAME`` with or without ``@REVISION``.

    Raises:
        InputError: Files of the model are missing, or it is not in the cache of Hugging Face.
    """
    folder = _in_cache(os.fspath(given)) if str(given).startswith(HUB) else Path(given).expanduser()
    if not folder.is_dir():
        return None
    missing = [name for name in (CONFIG, WEIGHTS, PREPROCESSING) if not (folder / name).is_file()]
    if len(missing) == 3:
        return None
    if missing:
        raise InputError(f'{given}: no complete model, {missing[0]} is missing; copy or download the folder again')
    return folder


def _in_cache(given: str) -> Path:
    found = _REPOSITORY.fullmatch(given.removeprefix(HUB))
    if found is None:
        raise InputError(f'{given}: not the name of a model; give {HUB}OWNER/NAME, or {HUB}OWNER/NAME@REVISION')
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ModuleNotFoundError as error:
        raise InputError(f'{given}: needs huggingface_hub; run: pip install huggingface_hub') from error
    repository, revision = found.groups()
    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError) as error:
        option = f' --revision {revision}' if revision else ''
        raise InputError(f'{given}: not on this machine; run: hf download {repository}{option}') from error


def find_checkpoint(given: str | os.PathLike[str]) -> Path:
    """Return the file of a checkpoint, or of the weights of a published model.

    Args:
        given: A file, with ``~`` expanded, or what :func:`published_folder` takes.

    Raises:
        InputError: There is no such file.
    """
    folder = published_folder(given)
    if folder is not None:
        return folder / WEIGHTS
    path = Path(given).expanduser()
    if not path.is_file():
        raise InputError(f'checkpoint {path} is {"a folder" if path.is_dir() else "missing"}; check the path')
    return path


def read_preprocessing(folder: Path) -> dict[str, Any]:
    """Read which pixels a published model expects, as :mod:`projects.false.engine.weights.publish` wrote it.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / PREPROCESSING
    try:
        facts = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: cannot be read ({error}); copy or download the folder again') from error
    if not isinstance(facts, dict):
        raise InputError(f'{path}: holds no facts about pixels; copy or download the folder again')
    return facts


def check_plain(path: str | os.PathLike[str]) -> None:
    """Refuse a config that holds more than values, since reading it would run its publisher's code.

    Allowed are lines ``name = value`` of numbers, texts, lists, tuples, dicts and ``dict(...)``; ``type`` names
    registered classes, and ``custom_imports`` modules of this project.

    Raises:
        InputError: The config holds anything else; the message names the line.
    """
    try:
        statements = ast.parse(Path(path).read_text(encoding='utf-8'), str(path)).body
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f'{path}: cannot be read as a config ({error}); copy or download the folder again') from error
    for statement in statements:
        problem = _problem(statement)
        if problem:
            raise InputError(
                f'{path}, line {statement.lineno}: {problem}, which a published config may not have; nothing was run'
            )


def _problem(statement: ast.stmt) -> str | None:
    if not isinstance(statement, ast.Assign) or not all(isinstance(target, ast.Name) for target in statement.targets):
        return 'a statement that is no NAME = VALUE'
    names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
    if '_base_' in names:
        return 'a _base_ outside the folder'
    if 'runner_type' in names and not _TYPE.fullmatch(_text(statement.value)):
        return f'the type {ast.unparse(statement.value)}'
    for node in ast.walk(statement.value):
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id != 'dict' or node.args:
                return f'a call of {ast.unparse(node.func)}'
            pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
        elif isinstance(node, ast.Dict):
            pairs = [(getattr(key, 'value', None), value) for key, value in zip(node.keys, node.values, strict=True)]
        elif isinstance(node, ast.Name) and node.id != 'dict':
            return f'the name {node.id}'
        elif isinstance(node, _LITERALS) or (
            isinstance(node, ast.UnaryOp | ast.USub | ast.UAdd) and not isinstance(node, ast.Not)
        ):
            continue
        else:
            return f'an expression ({type(node).__name__})'
        for key, value in pairs:
            if key is None:
                return 'a dict of unknown keys'
            if key == 'type' and not _TYPE.fullmatch(_text(value)):
                return f'the type {ast.unparse(value)}'
            if key == 'imports' and not _are_ours(value):
                return f'the import of {ast.unparse(value)}'
    return None


def _text(node: ast.expr) -> str:
    """Return the text of a string node; empty, which no name is, for any other node."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ''


def _are_ours(node: ast.expr) -> bool:
    names = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    return all(re.fullmatch(r'projects\.false(\.\w+)*', _text(name)) for name in names)
