"""Zips, and zips that lie uncompressed inside a zip, opened without unpacking them."""

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from projects.false.errors import InputError

_LOCAL_HEADER = 30  # bytes before the name of a member; 26 and 28: lengths of name and extra field


@contextmanager
def open_zip(path: Path, inner: str = '') -> Iterator[zipfile.ZipFile]:
    """Open a zip, or the zip that is its member ``inner``.

    Raises:
        InputError: It is no zip or cut off, or the inner one is compressed once more.
    """
    with ExitStack() as opened:
        try:
            file = opened.enter_context(path.open('rb'))
            part = _member(path, inner) if inner else (0, path.stat().st_size)
            archive = opened.enter_context(zipfile.ZipFile(_Part(file, *part)))
        except InputError:
            raise
        except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
            text = f'{path / inner}: cannot be read as a zip ({error}); it is no zip or cut off: download it again'
            raise InputError(text) from error
        yield archive


def _member(path: Path, name: str) -> tuple[int, int]:
    """First byte and length of an uncompressed member."""
    with zipfile.ZipFile(path) as archive, path.open('rb') as file:
        item = archive.getinfo(name)
        if item.compress_type != zipfile.ZIP_STORED or item.flag_bits & 1:
            raise InputError(
                f'{path}: {name} in it is compressed once more; unpack {path.name} and give the folder, the zips in it '
                'may stay as they are'
            )
        file.seek(item.header_offset + 26)
        lengths = struct.unpack('<HH', file.read(4))
        return item.header_offset + _LOCAL_HEADER + sum(lengths), item.file_size


class _Part(io.RawIOBase):
    """Bytes ``start`` to ``start + size`` of a file as a file."""

    def __init__(self, file: io.BufferedReader, start: int, size: int) -> None:
        self.file, self.start, self.size, self.position = file, start, size, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError(f'negative seek position {base + offset}')  # as files do; zipfile relies on it
        self.position = base + offset
        return self.position

    def read(self, count: int = -1) -> bytes:
        left = max(self.size - self.position, 0)
        self.file.seek(self.start + self.position)
        data = self.file.read(left if count is None or count < 0 else min(count, left))
        self.position += len(data)
        return data
