"""Find the imagery in a folder, and check that a file is complete and of the kind that its name says.

Every folder of the project is searched by :func:`walk_files`, so that all tools agree on what they take, follow and
leave out. Nothing here needs rasterio.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import cv2
import numpy as np

from projects.false.common.errors import InputError
from projects.false.common.files import check_name, readable

# GDAL's drivers by suffix: a file that says it is an image must not make GDAL open something else, such as a web
# address.
DRIVERS = {
    **dict.fromkeys(('.tif', '.tiff', '.geotiff', '.gtiff', '.gtif'), 'GTiff'),
    **dict.fromkeys(('.jpg', '.jpeg', '.jpe', '.jfif'), 'JPEG'),
    '.png': 'PNG',
    '.bmp': 'BMP',
    '.webp': 'WEBP',
    **dict.fromkeys(('.jp2', '.j2k'), 'JP2OpenJPEG'),
    '.img': 'HFA',
    '.vrt': 'VRT',
}
IMAGE_SUFFIXES = tuple(DRIVERS)
KNOWN_SUFFIXES = 'GeoTIFF, JPEG, PNG, BMP, WebP, JPEG 2000, ERDAS .img or VRT'

# Files that systems, desktops and notebooks leave in folders, besides those whose names begin with a dot.
_HIDDEN = {
    *('__macosx', 'thumbs.db', 'ehthumbs.db', 'desktop.ini', '@eadir', '#recycle', '$recycle.bin', 'lost+found'),
    *('system volume information', 'icon\r', 'zbthumbnail.info', 'picasa.ini'),
}
# Files that belong to the image beside them: masks, overviews, statistics, world files, projections, coefficients.
_SIDECAR = re.compile(
    r'\.(aux\.xml|ovr|msk|[tjpb]gw|tfw|bpw|j2w|tiff?w|jpe?gw|pngw|bmpw|jp2w|wld|prj|rrd|ige|rpb|imd)$|_rpc\.txt$', re.I
)

_BESIDE = ('.xml', '.aux', '.enp')  # behind the whole name of an image: metadata, statistics, pyramids
_AMBIGUOUS = ('.img', '.jp2', '.j2k')  # many programs use the first, and few files have the others

_MAGIC = (
    (b'\x89PNG', 'PNG', 'PNG'),
    (b'\xff\xd8\xff', 'JPEG', 'JPEG'),
    (b'II*\0', 'TIFF', 'GTiff'),
    (b'MM\0*', 'TIFF', 'GTiff'),
    (b'II+\0', 'TIFF', 'GTiff'),
    (b'MM\0+', 'TIFF', 'GTiff'),
    (b'RIFF....WEBP', 'WebP', 'WEBP'),
    (b'BM....\0\0\0\0', 'BMP', 'BMP'),
    (b'\0\0\0\x0cjP  ', 'JPEG 2000', 'JP2OpenJPEG'),
    (b'\xff\x4f\xff\x51', 'JPEG 2000', 'JP2OpenJPEG'),
    (b'EHFA_HEADER_TAG', 'ERDAS Imagine file', 'HFA'),
    (b'GIF8', 'GIF', ''),
    (b'....ftyp(?:heic|heix|mif1|avif)', 'HEIF', ''),
    (b'%PDF', 'PDF', ''),
)
_KINDS = [
    (re.compile(magic if b'.' in magic else re.escape(magic), re.S), kind, driver) for magic, kind, driver in _MAGIC
]
_MARKER = re.compile(rb'\xff[^\x00\xff\xd0-\xd7]')  # a JPEG's marker in the data of a scan
_START, _END, _SCAN = b'\xff\xd8', b'\xff\xd9', b'\xff\xda'


class Listing(NamedTuple):
    """What a folder and all below it hold.

    Args:
        names: The files that are taken, relative to the folder, in the order of the data sets.
        left_out: Every other file -> why it is not taken. Hidden files and those that belong to an image do not count.
        times: Folder -> time of its last change (ns), for the folder ``'.'`` and every one below.
    """

    names: list[str]
    left_out: dict[str, str]
    times: dict[str, int]


def is_hidden(name: str) -> bool:
    """Return True for a file or folder that systems and programs leave behind, such as ``.ipynb_checkpoints``."""
    return name.startswith('.') or name.lower() in _HIDDEN


def walk_files(folder: str | Path) -> Listing:
    """List all files of a folder and all below it, except hidden ones.

    Links to folders are followed, each folder once; links that are broken or lead to a folder above are left out.

    Args:
        folder: The folder, which may be hidden itself.

    Raises:
        InputError: A folder cannot be listed.
    """
    found = Listing([], {}, {})
    seen: set[tuple[int, int]] = set()
    folders = ['']  # names relative to the folder
    links: list[str] = []  # these wait until all real folders are known
    while folders or links:
        inside = folders.pop() if folders else links.pop(0)
        path = os.path.join(folder, inside)
        try:
            state = os.stat(path)
            if (state.st_dev, state.st_ino) in seen:
                continue
            seen.add((state.st_dev, state.st_ino))
            found.times[inside or '.'] = state.st_mtime_ns
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name[0] == '.' or is_hidden(entry.name):
                        continue
                    name = f'{inside}/{entry.name}' if inside else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(name)
                    elif entry.is_file():
                        found.names.append(name)
                    elif entry.is_dir():
                        if _leads_up(entry.path):
                            found.left_out[name] = 'link to a folder above it'
                        else:
                            links.append(name)
                    else:
                        found.left_out[name] = 'pipe or device' if os.path.exists(entry.path) else 'broken link'
        except OSError as error:
            raise InputError(f'{path}: cannot be listed ({error.strerror}); check its permissions') from error
    found.names.sort(key=lambda name: name.split('/'))
    return found


def _leads_up(link: str) -> bool:
    target, parent = os.path.realpath(link), os.path.realpath(os.path.dirname(link))
    return os.path.commonpath([target, parent]) == target


def list_imagery(folder: str | Path, suffixes: Iterable[str] = IMAGE_SUFFIXES, mosaics: bool = False) -> Listing:
    """List the images of a folder and all below it.

    Args:
        folder: The folder.
        suffixes: Suffixes of images, in lower case.
        mosaics: Take a virtual mosaic whose images are in the folder as well, although it shows everything twice.

    Raises:
        InputError: A folder cannot be listed.
    """
    files, taken = walk_files(folder), frozenset(suffixes)
    images, left_out = [], dict(files.left_out)
    for name in files.names:
        suffix = os.path.splitext(name)[1].lower()
        if suffix in taken:
            if suffix in _AMBIGUOUS and not _is_what_it_says(os.path.join(folder, name)):
                left_out[name] = 'not what its suffix says'
            else:
                images.append(name)
        elif is_left_out(name, taken):
            left_out[name] = 'no imagery that is read here'
    virtual = [] if mosaics else [name for name in images if name.lower().endswith('.vrt')]
    if virtual:
        there = {os.path.realpath(os.path.join(folder, name)) for name in images}
        doubled = {name for name in virtual if _shows_only(Path(folder, name), there)}
        left_out |= dict.fromkeys(doubled, 'mosaic of images that are taken')
        images = [name for name in images if name not in doubled]
    return Listing(images, {readable(name): why for name, why in left_out.items()}, files.times)


def is_left_out(name: str, suffixes: Collection[str] = IMAGE_SUFFIXES) -> bool:
    """Return True for a file that neither is imagery by its suffix nor belongs to an image, as a world file does."""
    stem, suffix = os.path.splitext(name)
    beside = _SIDECAR.search(name) or (suffix.lower() in _BESIDE and os.path.splitext(stem)[1].lower() in suffixes)
    return suffix.lower() not in suffixes and not beside


def _is_what_it_says(path: str) -> bool:
    try:
        with open(path, 'rb') as file:
            head = file.read(16)
    except OSError:
        return True  # reading it says what is wrong
    driver = DRIVERS[os.path.splitext(path)[1].lower()]
    return any(magic.match(head) and name == driver for magic, _, name in _KINDS)


def _shows_only(mosaic: Path, there: set[str]) -> bool:
    try:
        behind = files_behind(mosaic)[1:]
    except InputError:
        return False  # opening it says what is wrong
    return bool(behind) and all(os.path.realpath(path) in there for path in behind)


def describe_left_out(left_out: Mapping[str, str], shown: int = 5) -> str:
    """Return one line that counts and names files that were not taken, at most five; '' if there are none.

    Example:
        >>> describe_left_out({'notes.txt': 'no imagery that is read here', 'a.tif': 'broken link'})
        'left out 2 files: a.tif (broken link), notes.txt (no imagery that is read here)'
    """
    if not left_out:
        return ''
    named = ', '.join(f'{name} ({why})' for name, why in sorted(left_out.items())[:shown])
    count = f'left out {len(left_out):,} file{"s" if len(left_out) > 1 else ""}: {named}'
    more = len(left_out) - shown
    return count + (f' and {more:,} more; tools/misc/list_images.py FOLDER names all' if more > 0 else '')


def check_complete(path: Path) -> bytes:
    """Refuse an image file that is empty or cut off, or whose suffix does not match its content.

    OpenCV fills the missing part of a JPEG or PNG with grey or black. A TIFF named .png would be read by OpenCV, which
    takes a fourth band for transparency. Cut-off files of other kinds are not looked for, because GDAL refuses them.

    Args:
        path: File of any kind.

    Returns:
        The whole content of a JPEG or PNG, the first bytes of other files.

    Raises:
        InputError: The file cannot be read, is empty or cut off, its content is of another kind than its suffix, or its
            name is not UTF-8.
    """
    check_name(path)
    try:
        with path.open('rb', buffering=0) as file:
            head = file.read(16)
            # The end of a TIFF has no mark and the file may be large, so the rest of it is not read.
            data = head + file.read() if head[:2] in (_START, b'\x89P') else head
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror}); check the file and its permissions') from error
    if not head:
        raise InputError(f'{path}: file is empty (0 bytes); copy or download it again')
    for magic, kind, driver in _KINDS:
        if magic.match(head):
            if DRIVERS.get(path.suffix.lower()) != driver:
                suffix = next((suffix for suffix, name in DRIVERS.items() if name == driver), None)
                way_out = f'rename it to {suffix}' if suffix else 'convert it to PNG'
                raise InputError(f'{path}: is a {kind} by its content, not what its name says; {way_out}')
            break
    cut_off_jpeg = head[:2] == _START and not _ends(data)
    cut_off_png = head[:4] == b'\x89PNG' and b'IEND' not in data[-4096:] and b'IEND' not in data
    if cut_off_jpeg or cut_off_png:
        raise InputError(f'{path}: file is cut off ({len(data)} bytes); copy or download it again')
    return data


def _ends(data: bytes) -> bool:
    """Return True if the first image of a JPEG has its end marker; masks and trailers may follow it."""
    if data.endswith(_END) and data.rfind(_SCAN) < len(data) - 2:
        return True
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xD9:
            return True
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD7:  # filling, and markers without content
            place += 1 if marker == 0xFF else 2
            continue
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
        if marker == 0xDA:
            following = _MARKER.search(data, place)
            if following is None:
                return False
            place = following.start()
    return data[place : place + 2] == _END


def is_plain(path: Path, data: bytes) -> bool:
    """Return True for a JPEG or PNG of 8-bit grey or colours, in which no pixel can be without data.

    Args:
        path: The file.
        data: Its content from :func:`check_complete`.
    """
    if data[:2] == _START:
        mask = int.from_bytes(data[-4:], 'little')  # GDAL appends a mask, and last the offset of its beginning
        plain = not (2 < mask < len(data) - 4 and data[mask - 2 : mask] == _END)
    else:
        plain = data[:4] == b'\x89PNG' and data[24:26] in (b'\x08\x00', b'\x08\x02') and not has_transparency(data)
    return plain and not has_mask_beside(path)


def has_transparency(png: bytes) -> bool:
    """Return True if a PNG makes a colour, or colours of its table, transparent."""
    return png.find(b'tRNS', 0, png.find(b'IDAT')) >= 0


def has_mask_beside(path: Path) -> bool:
    """Return True if a file beside the image says which pixels are without data, as GDAL reads it."""
    if os.path.exists(f'{path}.msk'):
        return True
    try:
        with open(f'{path}.aux.xml', 'rb') as file:
            return b'NoData' in file.read()
    except OSError:
        return False


def decode(data: bytes) -> np.ndarray | None:
    """Decode a JPEG or PNG, (H, W, bands), blue first; None if it is damaged.

    Raises:
        cv2.error: The image has more than 2**30 pixels.
    """
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if found is None or found.size == 0:
        return None
    return found if found.ndim == 3 else found[..., None]


def files_behind(path: Path, seen: tuple[Path, ...] = ()) -> list[Path]:
    """List the file itself, and for a virtual raster every image that it is made of.

    Raises:
        InputError: A virtual raster names something other than image files on this machine. GDAL would open web
            addresses, databases and programs by such names.
    """
    if path.suffix.lower() != '.vrt':
        return [path]
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise InputError(f'{path}: cannot be read as a VRT ({error}); make it again with gdalbuildvrt') from error
    if root.tag != 'VRTDataset' or root.get('subClass') or root.find('.//PixelFunctionType') is not None:
        raise InputError(
            f'{path}: is not a plain mosaic; convert it to a TIFF: gdal_translate {path.name} {path.stem}.tif'
        )
    files = [path]
    for element in root.iter('SourceFilename'):
        name = (element.text or '').strip()
        source = path.parent / name if element.get('relativeToVRT') == '1' else Path(name)
        if re.match(r'/vsi|\w\w+:', name) or source.suffix.lower() not in DRIVERS or not source.is_file():
            raise InputError(
                f'{path}: names {name!r}, which is not an image file here ({", ".join(DRIVERS)}); '
                'copy its images beside it and make it again with gdalbuildvrt'
            )
        if source.resolve() in (path.resolve(), *seen):
            raise InputError(f'{path}: contains itself; make it again with gdalbuildvrt')
        files += files_behind(source, (*seen, path.resolve()))
    return files
