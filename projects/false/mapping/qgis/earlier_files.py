"""Whose the files are that lie under the names of a map and its companions: of an earlier map, or of the user."""

from collections.abc import Mapping
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError

from projects.false.common.errors import InputError
from projects.false.common.files import writable
from projects.false.vectors.polygon_file import read_tags

FINGERPRINT = 'FINGERPRINT'  # tag of a map: a digest of image, model and windows
MAP = '_classes.tif'
_STYLE, _NAMES = '_classes.qml', '_classes.tif.aux.xml'
_TAGGED = ('_confidence.tif', '_polygons.gpkg')


class EarlierFiles:
    """What lies under the names of the files of one map before it is made: of an earlier map, or of the user.

    A map carries a tag, and so do its confidence and its polygons. Its table, picture and styles cannot, so these
    belong to a map that lies beside them, or to a run that was killed before its map had a name: that run left class
    names.

    Args:
        stem: Folder and name of the map, to which the endings are added.
        wanted: Ending of every file beside the class map and its style -> whether it will be written.
        style: The style that will be written, which a killed run may have left alone.
    """

    def __init__(self, stem: Path, wanted: Mapping[str, bool], style: bytes) -> None:
        self._stem, self._wanted, self._style = stem, wanted, style

    def named(self, ending: str) -> Path:
        """Return the file with this ending."""
        return self._stem.with_name(f'{self._stem.name}{ending}')

    def check_free(self) -> None:
        """Refuse to write over a file that no map left.

        Raises:
            InputError: There is one.
        """
        left = self._left_by_a_map()
        for ending in [_STYLE, *(ending for ending, wanted in self._wanted.items() if wanted)]:
            path = self.named(ending)
            if not path.exists() or (path.is_file() and not path.stat().st_size):
                continue
            if ending in _TAGGED:
                ours = self._tagged(ending)
            else:
                ours = left or (ending == _STYLE and path.read_bytes() == self._style)
            if not ours:
                raise InputError(f'{path}: exists and is of no map; move it, or give another --out or --overwrite')

    def remove(self) -> None:
        """Remove an earlier map of another image or model and what lies beside it.

        Its table does not say whose it is. Confidence and polygons do; those that are wanted were written anew already.
        Where no map was, or one of another program, everything stays.

        Raises:
            InputError: A file cannot be removed.
        """
        if not self._left_by_a_map():
            return
        for ending, wanted in {**self._wanted, MAP: False}.items():
            path = self.named(ending)
            if ending in _TAGGED and (wanted or not self._tagged(ending)):
                continue
            with writable(path, 'give another --out'):
                path.unlink(missing_ok=True)

    def _left_by_a_map(self) -> bool:
        """Return True if a map of any image lies here, or a killed run had begun to name its files."""
        path, names = self.named(MAP), self.named(_NAMES)
        if path.exists() and (tags := _tags(path)) is not None:
            return FINGERPRINT in tags
        return names.is_file() and b'<CategoryNames>' in names.read_bytes()

    def _tagged(self, ending: str) -> bool:
        path = self.named(ending)
        if not path.is_file():
            return False
        try:
            return FINGERPRINT in ((_tags(path) or {}) if ending.endswith('.tif') else read_tags(path))
        except InputError:  # without the library that reads polygons, they stay
            return False


def fingerprint(path: Path) -> str | None:
    """Return the tag of a map; None if there is none, or the file is damaged or absent."""
    return (_tags(path) or {}).get(FINGERPRINT)


def _tags(path: Path) -> dict[str, str] | None:
    try:
        with rasterio.open(path, driver='GTiff') as dataset:
            return dict(dataset.tags())
    except RasterioError:  # damaged or absent
        return None
