"""Refuse truncated image files and files whose suffix does not match their content.

Decoders fill the missing part with grey and only warn.
"""

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
    """Refuse an image file that is empty or cut off, or whose suffix does not match its content.

    OpenCV fills the missing part of a JPEG or PNG with grey or black. A TIFF named .png would be read by OpenCV, which
    takes a fourth band for transparency. Cut-off TIFFs are not looked for, because rasterio refuses them.

    Args:
        path: File of any kind; only JPEG, PNG and TIFF are recognised by their content.

    Raises:
        InputError: The file cannot be read, is empty or cut off, or its content is of another kind than its suffix.
    """
    try:
        with path.open('rb') as file:
            head = file.read(4)
            # A complete JPEG has an end marker after the last scan (those of thumbnails come earlier), and a complete
            # PNG has an end chunk. A TIFF has no such mark and may be large, so the rest of it is not read.
            data = head + file.read() if head[:2] in (b'\xff\xd8', b'\x89P') else head
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror}); check the file and its permissions') from error
    if not head:
        raise InputError(f'{path}: file is empty (0 bytes); copy or download it again')
    for magic, (kind, suffixes) in _MAGIC.items():
        if head.startswith(magic) and path.suffix.lower() not in suffixes:
            raise InputError(f'{path}: is a {kind} by its content, not what its name says; rename it to {suffixes[0]}')
    cut_off_jpeg = head[:2] == b'\xff\xd8' and data.rfind(b'\xff\xd9') < data.rfind(b'\xff\xda')
    cut_off_png = head == b'\x89PNG' and b'IEND' not in data[-4096:]
    if cut_off_jpeg or cut_off_png:
        raise InputError(f'{path}: file is cut off ({len(data)} bytes); copy or download it again')
