"""Checkpoints are data and nothing else: reading one runs none of its contents, writing one leaves no half a file."""

import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from projects.false.atomic_write import atomic_write
from projects.false.errors import InputError

from ..damaged_checkpoint import DamagedCheckpoint
from ..harmless_types import HARMLESS
from ..safetensors_files import SUFFIX, read_safetensors


def read_checkpoint(
    path: str | os.PathLike, map_location: str | torch.device | Callable | None = 'cpu', mmap: bool = False
) -> Any:
    """Read a checkpoint of tensors and plain values without running anything in it.

    Args:
        path: The file; ``~`` is expanded. What ends in ``.safetensors`` is read as such.
        map_location: Where its tensors go, as in :func:`torch.load`; None is the CPU.
        mmap: Leave the tensors on the disk until they are used: quick where only the plain values matter.

    Returns:
        The object in the file; of a safetensors file ``state_dict`` and ``meta``.

    Raises:
        DamagedCheckpoint: The file is damaged or no PyTorch checkpoint.
        InputError: The file is missing, asks for code to run, or carries a config that MMEngine would execute.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f'checkpoint {path} is {"a folder" if path.is_dir() else "missing"}; check the path')
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
    except Exception as error:  # whatever bytes make the unpickler stumble over: EOFError, IndexError, KeyError, ...
        unsafe = re.search(r'GLOBAL (\S+)|(TorchScript|legacy \.tar)', str(error))
        if unsafe:
            raise InputError(
                f'checkpoint {path} is refused, nothing was run: it is more than data and asks for '
                f'{unsafe[1] or unsafe[2]}; get the weights alone from its author, as tensors under "state_dict"'
            ) from error
        raise _damaged(path) from error


def verify_checkpoint(path: str | os.PathLike) -> Any:
    """Make sure that a checkpoint is complete, byte for byte, and reads as plain data.

    A checkpoint is a zip file; its checksums tell a flipped bit as well as a missing end, at the cost of reading the
    file once. Tensors are not loaded.

    Returns:
        The object in the file, for a look at its plain values.

    Raises:
        DamagedCheckpoint: A checksum does not fit, or the file is cut off.
        InputError: As :func:`read_checkpoint`.
    """
    if not Path(path).is_file() or not zipfile.is_zipfile(path):
        return read_checkpoint(path)  # legacy checkpoints have no checksums; anything else is told apart there
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
    """Write a checkpoint so that ``path`` holds either the whole new file or what it held before.

    Args:
        obj: Tensors and plain values, anything that :func:`read_checkpoint` takes back.
        path: Where to; folders are made as needed.

    Raises:
        InputError: The file system refuses, or what was written does not read back.
    """
    buffer = io.BytesIO()  # PyTorch's writer hides the error of a full disk behind one of its own
    torch.save(obj, buffer)
    write_checkpoint_bytes(buffer.getbuffer(), path)


def write_checkpoint_bytes(data: bytes | memoryview, path: str | os.PathLike) -> None:
    """Write a checkpoint that :func:`torch.save` made already; see :func:`write_checkpoint`."""
    path = Path(path).expanduser()

    def verify(temporary: Path) -> None:
        try:
            verify_checkpoint(temporary)
        except InputError as error:
            reason = str(error).replace(str(temporary), str(path)).split(';')[0]
            raise InputError(
                f'{reason}: it did not read back after writing and was not kept, what was there before stays; '
                'check the disk, or leave out what a hook or model adds beside tensors and plain values'
            ) from error

    try:
        with atomic_write(path, verify) as file:
            file.write(data)
    except OSError as error:
        raise InputError(
            f'cannot write checkpoint {path}: {error.strerror or error}; free space or choose another folder, then go '
            'on from the checkpoint before (--resume)'
        ) from error
