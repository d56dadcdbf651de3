"""Images on web servers, which GDAL reads in parts if the user allows the network.

Inside the project such an image is a path below ``/vsicurl``; :func:`gdal_name` gives the name that GDAL opens.
"""

import os
import re
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from projects.false.common.errors import InputError

_FOLDER = '/vsicurl/'
_SUFFIXES = ('.tif', '.tiff')
_PATIENCE = 30  # seconds to wait for an answer
# GDAL's settings, which all threads take from the environment; the user's own settings stay.
_SETTINGS = {
    'GDAL_HTTP_CONNECTTIMEOUT': str(_PATIENCE),
    'GDAL_HTTP_TIMEOUT': str(4 * _PATIENCE),
    'GDAL_HTTP_MAX_RETRY': '3',
    'GDAL_HTTP_RETRY_DELAY': '1',
}
OPEN_OPTIONS = {'GDAL_DISABLE_READDIR_ON_OPEN': 'EMPTY_DIR'}  # ask for no other file beside the image


def is_url(source: str | os.PathLike[str]) -> bool:
    """Return True for a web address."""
    return re.match(r'https?://', os.fspath(source)) is not None


def remote_path(url: str, allowed: bool) -> Path:
    """Return the path by which an image on a web server is known inside the project.

    Args:
        url: Address of a GeoTIFF, without a query.
        allowed: The user gave ``--allow-remote``.

    Raises:
        InputError: The network was not allowed, or the address is not that of a GeoTIFF.
    """
    if not allowed:
        raise InputError(f'{url}: is a web address; give --allow-remote to read it over the network, or download it')
    parts = urlsplit(url)
    if parts.query or parts.fragment or not parts.path.lower().endswith(_SUFFIXES):
        raise InputError(f'{url}: is no plain address of a GeoTIFF (.tif); download the file and give its path')
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    return Path(_FOLDER + url)


def is_remote(path: Path) -> bool:
    """Return True for a path that :func:`remote_path` made."""
    return path.as_posix().startswith((f'{_FOLDER}http:/', f'{_FOLDER}https:/'))


def gdal_name(path: Path) -> str:
    """Return the name by which GDAL opens a file; a path folds the two slashes of an address into one."""
    return _FOLDER + _address(path) if is_remote(path) else str(path)


def _address(path: Path) -> str:
    return path.as_posix().removeprefix(_FOLDER).replace(':/', '://', 1)


def remote_state(path: Path) -> tuple[str, int, str]:
    """Return name, size and version of an image on a web server, as far as the server tells.

    Raises:
        InputError: The server does not answer, or it has no such file.
    """
    request = urllib.request.Request(_address(path), method='HEAD')
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            version = answer.headers.get('ETag') or answer.headers.get('Last-Modified') or ''
            return path.name, int(answer.headers.get('Content-Length') or 0), version
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from error


def unreachable(path: Path, cause: object) -> InputError:
    """Return the error for an image that cannot be fetched."""
    return InputError(f'{_address(path)}: cannot be read over the network ({cause}); check the address, or download it')
