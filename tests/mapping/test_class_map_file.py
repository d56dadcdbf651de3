"""A map file is written tile row by tile row, and kept only if it reads back."""

import numpy as np
import pytest
import rasterio
from rasterio.io import DatasetWriter

from projects.false.common.errors import InputError
from projects.false.mapping.class_map_file import TILE, map_file
from tests.helpers.rasters import checkerboard

HEIGHT, WIDTH = 2 * TILE + 40, 300


@pytest.fixture
def rows():
    return np.random.default_rng(0).integers(0, 200, (HEIGHT, WIDTH), dtype=np.uint8)


@pytest.mark.parametrize('step', [1, 100, TILE, 1000])
def test_every_pixel_is_written_once(tmp_path, rows, step):
    written, write = np.zeros((HEIGHT, WIDTH), int), DatasetWriter.write

    def counted(self, values, band, window):
        written[window.toslices()] += 1
        return write(self, values, band, window=window)

    with map_file(tmp_path / 'map.tif', HEIGHT, WIDTH, {}, {}) as file:
        file._dataset = Counting(file._dataset, counted)
        for first in range(0, HEIGHT, step):
            file.write(rows[first : first + step])
        file.seal()
    assert (written == 1).all()
    with rasterio.open(tmp_path / 'map.tif') as raster:
        assert (raster.read(1) == rows).all()


class Counting:
    """A dataset that records its calls of ``write``."""

    def __init__(self, dataset, write):
        self._dataset, self._write = dataset, write

    def write(self, *given, **options):
        return self._write(self._dataset, *given, **options)

    def __getattr__(self, name):
        return getattr(self._dataset, name)


def test_missing_rows_are_an_error(tmp_path, rows):
    def unfinished():
        with map_file(tmp_path / 'map.tif', HEIGHT, WIDTH, {}, {}) as file:
            file.write(rows[: 2 * TILE + 39])
            file.seal()

    with pytest.raises(InputError, match=f'map.tif: {2 * TILE} of {HEIGHT} rows were written'):
        unfinished()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_does_not_read_back_is_not_kept(tmp_path, rows):
    def spoilt():
        with map_file(tmp_path / 'map.tif', HEIGHT, WIDTH, {}, {}) as file:
            file.write(rows)
            file.close()
            with rasterio.open(file.temporary, 'r+') as raster:
                raster.write(checkerboard(1, 1)[:1] + 1, window=rasterio.windows.Window(5, 5, 1, 1))
            file.seal()

    with pytest.raises(InputError, match='does not read back as it was written'):
        spoilt()
    assert list(tmp_path.iterdir()) == []
