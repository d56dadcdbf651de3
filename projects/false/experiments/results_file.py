"""A file of results to which every finished run adds one line of JSON."""

import json
import os
from pathlib import Path

from projects.false.errors import InputError


def read_results(path: Path) -> list[dict]:
    """Read all results, and cut off a last line that a killed process left unfinished.

    Only for the process that has the folder's lock.

    Raises:
        InputError: A line is damaged, or the file cannot be read or mended.
    """
    if not path.exists():
        return []
    try:
        data = path.read_bytes()
        whole = data[: data.rfind(b'\n') + 1]
        if len(whole) < len(data):
            os.truncate(path, len(whole))
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror}); make it readable and writable') from error
    results = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            results.append(json.loads(line))
            results[-1]['run']['method']
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f'{path}, line {number}: no result ({error!r}); remove the line, its run is tested again'
            ) from error
    return results


def append_result(path: Path, result: dict) -> None:
    """Add a result; it is on the disk when this returns.

    Raises:
        InputError: The file cannot be written.
    """
    line = json.dumps(result, allow_nan=False).encode() + b'\n'
    try:
        with open(path, 'ab', buffering=0) as file:
            _write(file.fileno(), line)
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f'{path}: cannot be written ({error.strerror}); free space and call again') from error


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
