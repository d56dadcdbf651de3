import shutil

import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.imagery.images import read_image
from projects.false.patch_folder.packing import pack
from projects.false.patch_folder.pixels import PatchPixels, PatchReader


def test_the_same_pixels_from_files_and_packed(patches, tmp_path):
    data = tmp_path / 'data'
    shutil.copytree(patches('mbrsc', 32), data)
    file = min((data / 'images').iterdir())
    (data / 'images' / 'below').mkdir()
    shutil.copy(file, data / 'images' / 'below' / 'spätwerk #2.png')
    pack(data, workers=1)
    forms = [file.stem, file.name, 'below/spätwerk #2', 'spa\u0308twerk #2']
    for packed in (False, True):
        if packed:
            shutil.rmtree(data / 'images')
        pixels = PatchPixels(data)
        for form in forms:
            assert np.array_equal(pixels.find(form)(), read_image(patches('mbrsc', 32) / 'images' / file.name, 3))
        assert pixels.find('gone') is None
        assert {'below/spätwerk #2.png', file.stem} < set(pixels.names)
    (data / 'packed' / 'images.npy').write_bytes(b'')
    with pytest.raises(InputError, match=r'images\.npy: has 0 bytes'):
        PatchPixels(data)


def test_the_name_of_a_file_comes_before_the_end_of_another(patches, tmp_path):
    file = min((patches('mbrsc', 32) / 'images').iterdir())
    for name in ('old/x.png', 'x.png', 'old/y.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / name)
    pixels = PatchPixels(tmp_path)
    assert [pixels.place(name) for name in ('x', 'x.png', 'old/x', 'y')] == ['x.png', 'x.png', 'old/x.png', 'old/y.png']


def test_any_folder_of_images(patches, tmp_path):
    file = min((patches('mbrsc', 32) / 'images').iterdir())
    shutil.copy(file, tmp_path / 'one.png')
    assert PatchPixels(tmp_path).find('one')().shape == (32, 32, 3)
    assert not PatchPixels(tmp_path / 'gone').names


def test_a_description_without_bands(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'dataset.json').write_text('{"patches": [], "bands": null}')
    with pytest.raises(InputError, match=r'dataset\.json: states no number of bands .*convert the data again'):
        PatchReader(tmp_path)
