"""Refuse truncated files and suffixes that lie.

Decoders fill up what is missing with grey and only warn. Needs neither rasterio nor PyTorch."""

from pathlib import Path

from projects.false.common.errors import InputError

_MAGIC = {
    b'\x89PNG': ('PNG', ('.png',)),
    b'\xff\xd8\xff': ('JPEG', ('.jpg', '.jpeg')),
    b'II*\0': ('TIFF', ('.tif', '.tiff')),
    b'MM\0*': ('TIFF', ('.tif', '.tiff')),
    b'II+\0': ('TIFF', ('.tif', '.tiff')),
    b'MM\0+': ('TIFF', ('.tif', '.tiff')),
}


def check_complete(path: Path) -> None:
    """Refuse an empty or cut-off file and one whose suffix does not tell what is in it.

    OpenCV fills what is missing of a JPEG or PNG with grey or black. A TIFF named .png would go to OpenCV, which takes
    a fourth band for transparency. Cut-off TIFFs are left to rasterio, which speaks up.

    Raises:
        InputError: The file cannot be read, is empty or cut off, or is of another kind than its suffix says.
    """
    try:
        with path.open('rb') as file:
            head = file.read(4)
            # In a whole JPEG an end marker follows the last scan (thumbnails come earlier), a whole PNG has an end
            # chunk; no such mark in a TIFF, which may also be large.
            data = head + file.read() if head[:2] in (b'\xff\xd8', b'\x89P') else head
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror}); check the file and its permissions') from error
    if not head:
        raise InputError(f'{path}: file is empty (0 bytes); copy or download it again')
    for magic, (kind, suffixes) in _MAGIC.items():
        if head.startswith(magic) and path.suffix.lower() not in suffixes:
            raise InputError(f'{path}: is a {kind} by its content, whatever its name says; rename it to {suffixes[0]}')
    cut_off_jpeg = head[:2] == b'\xff\xd8' and data.rfind(b'\xff\xd9') < data.rfind(b'\xff\xda')
    cut_off_png = head == b'\x89PNG' and b'IEND' not in data[-4096:]
    if cut_off_jpeg or cut_off_png:
        raise InputError(f'{path}: file is cut off ({len(data)} bytes); copy or download it again')
