import unicodedata

import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.converters.image_splits import split_images
from projects.false.converters.options import CutOptions
from projects.false.converters.xiangtan import IMAGES, TEST_IMAGES, convert_xiangtan, xiangtan_pairs
from tests.helpers.converter_inputs import blocks, png, tiff, write_files, write_zip

SMALL = CutOptions(patch_size=16, workers=2)


def test_85_images_to_train_and_21_to_test():
    split_of, _ = split_images([str(i) for i in range(IMAGES)], None, None, TEST_IMAGES, IMAGES, seed=0)
    assert [list(split_of.values()).count(split) for split in ('train', 'test')] == [85, 21]


def test_folders_bands_and_classes_can_be_named(tmp_path):
    images = {f'GF2/img/{i}.tif': tiff(np.full((20, 20, 4), i, np.uint8)) for i in range(5)}
    masks = {f'GF2/gt/{i}.png': png(blocks('xiangtan', 20, i, 4)) for i in range(5)}
    rest = {'GF2/img/5.ecw': b'x', 'GF2/gt/9.png': png(blocks('xiangtan', 20, 9, 4)), 'GF2/read_me.txt': b'x'}
    write_zip(
        tmp_path / 'images/in.zip', {**images, **masks, **rest}
    )  # a folder above that is named like a folder inside
    classes = list('abcdefghi')
    described = convert_xiangtan(
        tmp_path / 'images',
        tmp_path / 'out',
        SMALL,
        bands=4,
        classes=classes,
        image_folder='img',
        mask_folder='gt',
        exclude=['3'],
    ).description
    assert described['classes'] == classes
    assert {name.split('GF2/')[1]: why for name, why in described['left_out'].items()} == {
        'gt/9.png': 'no image',
        'img/5.ecw': 'no imagery that is read here',
    }
    assert sorted(described['sources']) == ['0', '1', '2', '4']
    assert [described['splits'][split]['patches'] for split in ('train', 'test')] == [12, 4]
    assert described['sources']['0']['crs'] == 'EPSG:32633'
    train = {int(patch['source']) for patch in described['patches'] if patch['split'] == 'train'}
    np.testing.assert_allclose(described['mean'], [np.mean(list(train))] * 4, atol=1e-4)


def test_zips_named_like_the_folders_and_index_masks_as_tiff(tmp_path):
    write_zip(tmp_path / 'in/images.zip', {f'{i}.png': png(np.full((16, 16, 3), i, np.uint8)) for i in range(2)})
    write_zip(tmp_path / 'in/masks.zip', {f'{i}.tif': tiff(blocks('xiangtan', 16, i, 4)) for i in range(2)})
    assert len(convert_xiangtan(tmp_path / 'in', tmp_path / 'out', SMALL).description['patches']) == 2


def test_masks_in_the_other_unicode_form(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, 'é') for form in ('NFC', 'NFD'))
    image, mask = png(np.zeros((16, 16, 3), np.uint8)), png(blocks('xiangtan', 16, 0, 4))
    names = {f'images/{composed}.png': image, f'masks/{decomposed}.png': mask}
    write_files(tmp_path / 'in', {**names, f'images/{decomposed}2.png': image, f'masks/{composed}2.png': mask})
    pairs, left_out = xiangtan_pairs(tmp_path / 'in')
    assert sorted(pair.stem for pair in pairs) == sorted([composed, f'{decomposed}2'])
    assert left_out == {}
    write_files(tmp_path / 'in', {f'images/{decomposed}.png': image})
    with pytest.raises(InputError, match='has the same stem'):
        xiangtan_pairs(tmp_path / 'in')
