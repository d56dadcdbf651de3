"""Weights as safetensors: a header and numbers, nothing that could run."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from projects.false.atomic_write import atomic_write
from projects.false.errors import InputError

from .damaged_checkpoint import DamagedCheckpoint

SUFFIX = '.safetensors'
_FACTS = 'facts'  # key of the header under which facts are kept, as JSON


def read_safetensors(path: str | os.PathLike) -> dict[str, Any]:
    """Read a safetensors file.

    Args:
        path: The file, of this project or of any other.

    Returns:
        ``state_dict``, CPU tensors by name, and ``meta``, the facts that :func:`write_safetensors` noted, or nothing.

    Raises:
        DamagedCheckpoint: The file is incomplete or no safetensors file.
        InputError: It cannot be read.
    """
    from safetensors import SafetensorError, safe_open  # here, since an environment of mmselfsup may lack it

    try:
        with safe_open(os.fspath(path), framework='pt', device='cpu') as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 it is no dict
            header = file.metadata() or {}
    except SafetensorError as error:
        raise DamagedCheckpoint(
            f'checkpoint {path} is damaged or no safetensors file ({error}); copy or download it again'
        ) from error
    except OSError as error:
        raise InputError(f'checkpoint {path} cannot be read ({error}); check its permissions') from error
    try:
        meta = json.loads(header.get(_FACTS, '{}'))
    except ValueError:
        meta = {}
    return {'state_dict': state, 'meta': meta if isinstance(meta, dict) else {}}


def write_safetensors(state: Mapping[str, Tensor], path: str | os.PathLike, facts: Mapping[str, Any]) -> None:
    """Write weights whole or not at all.

    Args:
        state: Tensors by name, each with memory of its own.
        path: Where to; folders are made as needed.
        facts: Plain values to note in the header.

    Raises:
        InputError: The file system refuses, or what was written does not read back.
    """
    from safetensors.torch import save

    data = save(dict(state), {'format': 'pt', _FACTS: json.dumps(dict(facts))})
    try:
        with atomic_write(Path(path), read_safetensors) as file:
            file.write(data)
    except OSError as error:
        raise InputError(f'cannot write {path}: {error.strerror or error}; choose another place') from error
