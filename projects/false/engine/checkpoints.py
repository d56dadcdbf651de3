"""Checkpoints are data and nothing else: reading one runs none of its contents, writing one never leaves half a file.

Importing this module makes :func:`read_checkpoint` MMEngine's loader for local files, so that resuming,
``Runner.load_checkpoint``, ``Pretrained`` initialization and OpenMMLab's own tools are safe in this process. MMEngine's
loader falls back to unpickling without limits, and its loader for URLs has no limits at all.
"""

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import get_external_models, get_torchvision_models

from projects.false.engine.harmless_types import HARMLESS
from projects.false.errors import InputError


def read_checkpoint(path: str | os.PathLike, map_location: str | torch.device | Callable | None = 'cpu') -> Any:
    """Read a checkpoint of tensors and plain values without running anything in it.

    Args:
        path: The file; ``~`` is expanded.
        map_location: Where its tensors go, as in :func:`torch.load`; None is the CPU.

    Returns:
        The object in the file.

    Raises:
        InputError: The file is missing, damaged, asks for code to run, or carries a config that MMEngine would execute.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f'checkpoint {path} is {"a folder" if path.is_dir() else "missing"}; check the path')
    try:
        with torch.serialization.safe_globals(HARMLESS):
            checkpoint = torch.load(path, map_location=map_location or 'cpu', weights_only=True)
    except PermissionError as error:
        raise InputError(f'checkpoint {path} cannot be read; check its permissions') from error
    except Exception as error:  # whatever bytes make the unpickler stumble over: EOFError, IndexError, KeyError, ...
        unsafe = re.search(r'GLOBAL (\S+)|(TorchScript|legacy \.tar)', str(error))
        if unsafe:
            raise InputError(
                f'checkpoint {path} is refused, nothing was run: it is more than data and asks for '
                f'{unsafe[1] or unsafe[2]}; get the weights alone from its author, as tensors under "state_dict"'
            ) from error
        raise InputError(
            f'checkpoint {path} is damaged or no PyTorch checkpoint; copy or download it again, or use an earlier one'
        ) from error
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict) and 'config' in meta:
        raise InputError(
            f"checkpoint {path} is refused: its meta['config'] would be executed as Python on resuming; "
            'if you only need the weights, save its "state_dict" alone to a new file and load that'
        )
    return checkpoint


def write_checkpoint(obj: Any, path: str | os.PathLike) -> None:
    """Write a checkpoint so that ``path`` holds either the whole new file or what it held before.

    Args:
        obj: Tensors and plain values, anything that :func:`torch.save` takes.
        path: Where to; folders are made as needed.

    Raises:
        InputError: The file system refuses.
    """
    path = Path(path).expanduser()
    temporary = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, 'xb') as file:
            torch.save(obj, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        if os.name == 'posix':  # the new name itself must survive a power cut
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise InputError(
            f'cannot write checkpoint {path}: {error.strerror or error}; free space or choose another'
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location=None) -> Any:
    """Read a local file for MMEngine (which logs this function's name from its eleventh letter on)."""
    return read_checkpoint(filename, map_location)


@CheckpointLoader.register_scheme(
    prefixes=['http://', 'https://', 'pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'mmcls://'], force=True
)
def load_from_remote(filename: str, map_location=None) -> Any:
    """Refuse to load from the network: a file there can change between two runs."""
    raise InputError(f'checkpoint {filename} is not a local file; download it and give its path instead')


@CheckpointLoader.register_scheme(
    prefixes=['torchvision://', 'modelzoo://', 'open-mmlab://', 'openmmlab://'], force=True
)
def load_from_model_zoo(filename: str, map_location=None) -> Any:
    """Download published weights by name, once, to PyTorch's cache, and read the file like any other."""
    scheme, name = filename.split('://', 1)
    urls = get_torchvision_models() if scheme in ('torchvision', 'modelzoo') else get_external_models()
    if name not in urls:
        raise InputError(f'checkpoint {filename}: no published weights have the name {name!r}; check its spelling')
    cached = Path(torch.hub.get_dir(), 'checkpoints', urls[name].rsplit('/', 1)[-1])
    if not cached.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(urls[name], str(cached), progress=False)  # renames when complete
        except OSError as error:
            raise InputError(f'cannot download {urls[name]}: {error}; fetch it yourself and give its path') from error
    return read_checkpoint(cached, map_location)
