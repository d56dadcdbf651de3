"""Read, verify and write checkpoints as data.

Reading never runs code from a file. Writing keeps the old file until the new one is complete.
"""

import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_write
from projects.false.common.published import find_checkpoint

SUFFIX = '.safetensors'
_META = 'facts'  # key of a safetensors header under which ``meta`` is kept, as JSON


class DamagedCheckpoint(InputError):
    """A file that is incomplete or not a checkpoint. The caller may try an earlier one."""


class _History(HistoryBuffer):
    """Stand in for a HistoryBuffer in a file; becomes one with the statistics of the class, not of the file."""

    def __setstate__(self, state: dict) -> None:
        self.__class__ = HistoryBuffer
        numbers = {name: state[name] for name in ('max_length', '_log_history', '_count_history')}
        self.__setstate__(numbers)


def _name_of_statistic(owner: type, name: str) -> str:
    """Stand in for the ``getattr`` by which pickled histories refer to their methods; the result is not used."""
    if owner is not _History or name not in ('min', 'max', 'current', 'mean'):
        raise UnpicklingError('GLOBAL getattr was used for more than the statistics of a log')
    return name


_rebuild_array: Any = np.empty(0).__reduce__()[0]
_rebuild_scalar: Any = np.float64(0).__reduce__()[0]
_NUMBER_CODES = '?' + np.typecodes['AllInteger'] + np.typecodes['AllFloat'] + 'SU'

# As torch.serialization.safe_globals takes them: types, or pairs of a replacement and the name in the file that it
# stands for. NumPy 1 and 2 write different names.
HARMLESS: list[Callable | tuple[Callable, str]] = [
    (_History, 'mmengine.logging.history_buffer.HistoryBuffer'),
    (_name_of_statistic, 'builtins.getattr'),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(code)) for code in _NUMBER_CODES},
    *((_rebuild_array, f'numpy.{core}.multiarray._reconstruct') for core in ('core', '_core')),
    *((_rebuild_scalar, f'numpy.{core}.multiarray.scalar') for core in ('core', '_core')),
]


def read_safetensors(path: str | os.PathLike) -> dict[str, Any]:
    """Read a safetensors file.

    Args:
        path: The file, written by this project or by any other.

    Returns:
        ``state_dict``, CPU tensors by name, and ``meta``, as :func:`write_safetensors` stored it, or an empty dict.

    Raises:
        DamagedCheckpoint: The file is incomplete or not a safetensors file.
        InputError: The file cannot be read.
    """
    from safetensors import SafetensorError, safe_open  # imported here, since an environment for mmselfsup may lack it

    try:
        with safe_open(os.fspath(path), framework='pt', device='cpu') as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
            header = file.metadata() or {}
    except SafetensorError as error:
        raise DamagedCheckpoint(
            f'checkpoint {path} is damaged or no safetensors file ({error}); copy or download it again'
        ) from error
    except OSError as error:
        raise InputError(f'checkpoint {path} cannot be read ({error}); check its permissions') from error
    try:
        meta = json.loads(header.get(_META, '{}'))
    except ValueError:
        meta = {}
    return {'state_dict': state, 'meta': meta if isinstance(meta, dict) else {}}


def write_safetensors(state: Mapping[str, Tensor], path: str | os.PathLike, meta: Mapping[str, Any]) -> None:
    """Write weights to a safetensors file, completely or not at all.

    Args:
        state: Tensors by name, none of which share memory.
        path: The file to write; folders are made as needed.
        meta: Plain values to store in the header.

    Raises:
        InputError: The file cannot be written, or does not read back.
    """
    from safetensors.torch import save

    data = save(dict(state), {'format': 'pt', _META: json.dumps(dict(meta))})
    try:
        with atomic_write(Path(path), read_safetensors) as file:
            file.write(data)
    except OSError as error:
        raise InputError(f'cannot write {path}: {error.strerror or error}; choose another place') from error


def read_checkpoint(
    path: str | os.PathLike, map_location: str | torch.device | Callable | None = 'cpu', mmap: bool = False
) -> Any:
    """Read a checkpoint of tensors and plain values without running any code in it.

    Args:
        path: The file; ``~`` is expanded. A name that ends in ``.safetensors`` is read by :func:`read_safetensors`.
            A published model stands for its weights (:func:`~projects.false.common.published.published_folder`).
        map_location: Device for the tensors, as in :func:`torch.load`; None is the CPU.
        mmap: Leave the tensors on the disk until they are used, which is fast where only the plain values matter.

    Returns:
        The object in the file; for a safetensors file a dict of ``state_dict`` and ``meta``.

    Raises:
        DamagedCheckpoint: The file is damaged or not a PyTorch checkpoint.
        InputError: The file is missing, asks for code to run, or contains a config that MMEngine would execute.
    """
    path = find_checkpoint(path)
    checkpoint = read_safetensors(path) if path.suffix == SUFFIX else _unpickled(path, map_location or 'cpu', mmap)
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict) and 'config' in meta:
        raise InputError(
            f"checkpoint {path} is refused: its meta['config'] would be executed as Python on resuming; "
            'if you only need the weights, save its "state_dict" alone to a new file and load that'
        )
    return checkpoint


def _unpickled(path: Path, map_location: str | torch.device | Callable, mmap: bool) -> Any:
    try:
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(
                path, map_location=map_location, weights_only=True, mmap=mmap and zipfile.is_zipfile(path)
            )
    except PermissionError as error:
        raise InputError(f'checkpoint {path} cannot be read; check its permissions') from error
    except Exception as error:  # damaged bytes raise EOFError, IndexError, KeyError, ...
        unsafe = re.search(r'GLOBAL (\S+)|(TorchScript|legacy \.tar)', str(error))
        if unsafe:
            raise InputError(
                f'checkpoint {path} is refused, nothing was run: it is more than data and asks for '
                f'{unsafe[1] or unsafe[2]}; get the weights alone from its author, as tensors under "state_dict"'
            ) from error
        raise _damaged(path) from error


def verify_checkpoint(path: str | os.PathLike) -> Any:
    """Verify that a checkpoint is complete, byte for byte, and reads as plain data.

    A checkpoint is a zip file, whose checksums reveal a flipped bit as well as a missing end at the cost of reading the
    file once. Its tensors are not loaded; those of a file in PyTorch's older format are.

    Returns:
        The object in the file, whose plain values can be used.

    Raises:
        DamagedCheckpoint: A checksum does not match, or the file is truncated.
        InputError: The same errors as in :func:`read_checkpoint`.
    """
    if not Path(path).is_file() or not zipfile.is_zipfile(path):
        return read_checkpoint(path)  # legacy checkpoints have no checksums
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise _damaged(path) from error
    if broken is not None:
        raise _damaged(path)
    return read_checkpoint(path, mmap=True)


def _damaged(path: str | os.PathLike) -> DamagedCheckpoint:
    return DamagedCheckpoint(
        f'checkpoint {path} is damaged or no PyTorch checkpoint; copy or download it again, or use an earlier one'
    )


def write_checkpoint(obj: Any, path: str | os.PathLike) -> None:
    """Write a checkpoint so that ``path`` holds either the whole new file or its previous content.

    Args:
        obj: Tensors and plain values that :func:`read_checkpoint` can read.
        path: The file to write; folders are made as needed.

    Raises:
        InputError: The file cannot be written, or does not read back.
    """
    buffer = io.BytesIO()  # if PyTorch writes to the disk itself, its own error hides a full disk
    torch.save(obj, buffer)
    write_checkpoint_bytes(buffer.getbuffer(), path)


def write_checkpoint_bytes(data: bytes | memoryview, path: str | os.PathLike) -> None:
    """Write the bytes that :func:`torch.save` made of a checkpoint; see :func:`write_checkpoint`."""
    path = Path(path).expanduser()

    def verify(temporary: Path) -> None:
        try:
            verify_checkpoint(temporary)
        except InputError as error:
            reason = str(error).replace(str(temporary), str(path)).split(';')[0]
            raise InputError(
                f'{reason}: it did not read back after writing and was discarded, any previous file stays; '
                'check the disk, or leave out what a hook or model adds beside tensors and plain values'
            ) from error

    try:
        with atomic_write(path, verify) as file:
            file.write(data)
    except OSError as error:
        raise InputError(
            f'cannot write checkpoint {path}: {error.strerror or error}; free space or choose another folder, then '
            'continue from the previous checkpoint (--resume)'
        ) from error
