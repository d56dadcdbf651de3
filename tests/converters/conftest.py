"""A folder of images and colour masks for the tests of converters."""

import pytest
from PIL import Image

from projects.false.imagery.mask_colors import index_to_colors
from tests.helpers.mask_pairs import MBRSC, labels, picture, save


@pytest.fixture
def pairs(tmp_path):
    """Five pairs: PNG, TIFF and, in a folder below, palette PNG masks."""
    for number, (stem, suffix) in enumerate([('a_1', '.png'), ('a_2', '.tif'), ('b', '.png'), ('c', '.tif')]):
        save(tmp_path / 'images' / f'{stem}{suffix}', picture(number))
        save(tmp_path / 'masks' / f'{stem}{suffix}', index_to_colors(labels(number), MBRSC))
    save(tmp_path / 'images/deep/d.png', picture(4))
    colors = index_to_colors(labels(4), MBRSC)
    (tmp_path / 'masks/deep').mkdir()
    Image.fromarray(colors).quantize(8, dither=Image.Dither.NONE).save(tmp_path / 'masks/deep/d.png')
    assert Image.open(tmp_path / 'masks/deep/d.png').mode == 'P'
    (tmp_path / 'val.txt').write_text('b\n')
    (tmp_path / 'test.txt').write_text('# the west\na_* # both\n')
    return tmp_path
