"""Read the files of a download, whether they are unpacked or still in zips.

A member of a zip is unpacked when it is read, and removed afterwards. A zip that is stored uncompressed in another zip
is read in place.
"""

import filecmp
import io
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from projects.false.common.errors import InputError

from .image_files import is_hidden, walk_files

# Files that GDAL reads beside an image: world files, projections, and metadata with statistics and coordinates.
_SIDECARS = ('.tfw', '.tifw', '.jgw', '.jpgw', '.pgw', '.pngw', '.wld', '.prj', '.aux.xml')
_LOCAL_HEADER = 30  # bytes before a member's name; bytes 26 to 29 hold the lengths of the name and the extra field


@dataclass(frozen=True)
class SourceFile:
    """A file on the disk, or a member of a zip.

    Args:
        path: The file, or the zip that holds it.
        member: Name inside the zip; empty for a file on the disk.
        sidecars: Names of other members of the zip that GDAL reads with an image, such as its world file.
        identity: Size and checksum of the member; None for a file on the disk.
        inner: Name of the zip inside ``path`` that holds the member; empty if ``path`` itself holds it.
    """

    path: Path
    member: str = ''
    sidecars: tuple[str, ...] = ()
    identity: tuple[int, int] | None = None
    inner: str = ''

    @property
    def name(self) -> str:
        """File name without folders."""
        return PurePosixPath(self.member).name if self.member else self.path.name

    @property
    def stem(self) -> str:
        """File name without folders and suffix."""
        return PurePosixPath(self.name).stem

    def folders_below(self, source: str | Path) -> tuple[str, ...]:
        """Return the names of the folders between ``source`` and the file; a zip counts as a folder of its stem."""
        inner = PurePosixPath(self.inner.removesuffix(PurePosixPath(self.inner).suffix)).parts
        inside = (*inner, *PurePosixPath(self.member).parts[:-1])
        if self.path == Path(source):
            return inside
        parts = self.path.relative_to(source).parts
        return (*parts[:-1], Path(parts[-1]).stem, *inside) if self.member else parts[:-1]

    def __str__(self) -> str:
        return (self.path / self.inner / self.member).as_posix()

    def checksum(self) -> tuple[int, int]:
        """Return size and CRC-32 of the content; those of a member of a zip are known without unpacking it."""
        if self.identity is not None:
            return self.identity
        size, checksum = 0, 0
        with self.path.open('rb') as file:
            while part := file.read(1 << 20):
                size, checksum = size + len(part), zlib.crc32(part, checksum)
        return size, checksum

    def size(self) -> int:
        """Return the size of the content in bytes."""
        return self.path.stat().st_size if self.identity is None else self.identity[0]

    def written_after(self, moment: int) -> bool:
        """Return True if the file, or the zip that holds it, was last written after a time in ns."""
        return self.path.stat().st_mtime_ns > moment

    def placed_after(self, moment: int, sources: Collection[Path]) -> bool:
        """Return True if it may be another file than just before a time in ns: it was written, moved or linked since.

        A folder above it may also have been renamed, up to the one of ``sources`` that it was found in.
        """
        for place in (self.path, *self.path.parents):
            for state in (place.lstat(), place.stat()):
                if max(state.st_mtime_ns, state.st_ctime_ns) >= moment:
                    return True
            if place in sources:
                break
        return False

    @contextmanager
    def local(self, folder: Path) -> Iterator[Path]:
        """Yield a path from which the file can be read; a member of a zip is unpacked for the duration of the block.

        Args:
            folder: Folder for the unpacked file and its sidecars.

        Raises:
            InputError: The zip is damaged, encrypted, or compressed by a method that Python lacks. An InputError of
                the block is raised again with the zip and the member in place of the temporary path.
        """
        if not self.member:
            yield self.path
            return
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            path = Path(temporary) / self.name
            for member in (self.member, *self.sidecars):
                self._unpack(member, Path(temporary) / PurePosixPath(member).name)
            try:
                yield path
            except InputError as error:
                raise InputError(str(error).replace(str(path), str(self))) from error

    def _unpack(self, member: str, target: Path) -> None:
        shown = (self.path / self.inner / member).as_posix()
        try:
            with open_zip(self.path, self.inner) as archive, archive.open(member) as packed, target.open('wb') as file:
                shutil.copyfileobj(packed, file, 1 << 20)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise InputError(f'{shown}: the zip is damaged here ({error}); download it again') from error
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression
            raise InputError(f'{shown}: {error}; unpack the zip yourself and give the folder') from error


def list_files(source: str | Path) -> list[SourceFile]:
    """List the files in a folder and all folders below it, or in one zip; hidden files are left out.

    The members of a zip are listed in its place, and so are those of zips inside it.

    Args:
        source: A folder or a zip.

    Raises:
        InputError: The source does not exist, or a zip is unreadable.
    """
    source = Path(source)
    if not source.exists():
        raise InputError(f'{source}: no such folder or zip; check the path')
    paths = [source / name for name in walk_files(source).names] if source.is_dir() else [source]
    files = [SourceFile(path) for path in paths if path.suffix.lower() != '.zip' and path != source]
    files += [file for path in paths if path.suffix.lower() == '.zip' or path == source for file in _members(path)]
    return [file for file in files if not _is_hidden(file)]


def _is_hidden(file: SourceFile) -> bool:
    parts = PurePosixPath(file.member).parts if file.member else (file.name,)
    return any(is_hidden(part) for part in parts)


def by_name(
    files: Iterable[SourceFile], key: Callable[[SourceFile], str] = lambda file: file.name
) -> dict[str, SourceFile]:
    """Index files by their names without folders, or by what their names stand for.

    A file on the disk takes precedence over a member of a zip with the same key, without a comparison. Otherwise,
    files with one key must be equal and count once.

    Args:
        files: Files as listed by :func:`list_files`.
        key: Returns the key of a file; files with the same key are versions of one file.

    Returns:
        Files by key, sorted.

    Raises:
        InputError: Two files have the same key and different content.
    """
    found: dict[str, SourceFile] = {}
    for file in sorted(files, key=lambda file: (bool(file.member), str(file))):  # files on the disk first
        other = found.setdefault(key(file), file)
        if other is file or (file.member and not other.member):
            continue
        same = file.identity == other.identity if file.member else filecmp.cmp(file.path, other.path, shallow=False)
        if not same:
            raise InputError(f'{other}: {file} has the same name but other content; move one of them away')
    return dict(sorted(found.items()))


def _members(path: Path, inner: str = '') -> list[SourceFile]:
    """List the members of a zip and those of the zips in it; a zip at the third level is listed as a file."""
    with open_zip(path, inner) as archive:
        members = {item.filename: item for item in archive.infolist() if not item.is_dir()}
    files = []
    for name, item in members.items():
        if name.lower().endswith('.zip') and not inner:
            files += _members(path, name)
            continue
        base = name[: -len(PurePosixPath(name).suffix)] if PurePosixPath(name).suffix else name
        sidecars = tuple(
            side for end in _SIDECARS for side in (base + end, base + end.upper(), name + end) if side in members
        )
        files.append(SourceFile(path, name, sidecars, (item.file_size, item.CRC), inner))
    return files


@contextmanager
def open_zip(path: Path, inner: str = '') -> Iterator[zipfile.ZipFile]:
    """Open a zip, or a zip inside it.

    Args:
        path: The outer zip.
        inner: Name of the member that is the zip to open; empty for the outer zip itself.

    Raises:
        InputError: The file is not a zip or is cut off, or the inner zip is compressed or encrypted by the outer one.
    """
    with ExitStack() as opened:
        try:
            file = opened.enter_context(path.open('rb'))
            part = _member(path, inner) if inner else (0, path.stat().st_size)
            archive = opened.enter_context(zipfile.ZipFile(_Part(file, *part)))
        except InputError:
            raise
        except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
            text = f'{path / inner}: cannot be read as a zip ({error}); download it again'
            raise InputError(text) from error
        yield archive


def _member(path: Path, name: str) -> tuple[int, int]:
    """Return the offset of an uncompressed member's first byte, and its length."""
    with zipfile.ZipFile(path) as archive, path.open('rb') as file:
        item = archive.getinfo(name)
        if item.compress_type != zipfile.ZIP_STORED or item.flag_bits & 1:
            raise InputError(
                f'{path}: {name} in it is compressed once more; unpack {path.name}, but not the zips in it, and give '
                'the folder'
            )
        file.seek(item.header_offset + 26)
        lengths = struct.unpack('<HH', file.read(4))
        return item.header_offset + _LOCAL_HEADER + sum(lengths), item.file_size


class _Part(io.RawIOBase):
    """A read-only view of ``size`` bytes of a file from ``start`` on, as a file of its own."""

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
            raise OSError(f'negative seek position {base + offset}')  # as for any file; zipfile relies on it
        self.position = base + offset
        return self.position

    def read(self, count: int = -1) -> bytes:
        left = max(self.size - self.position, 0)
        self.file.seek(self.start + self.position)
        data = self.file.read(left if count is None or count < 0 else min(count, left))
        self.position += len(data)
        return data
