import unicodedata

import cv2
import numpy as np
import pytest
from mmengine.registry import DATASETS

from projects.false import InputError
from projects.false.datasets.land_cover import LandCoverPatches, XiangtanPatches
from projects.false.imagery.images import write_patch
from projects.false.patch_folder.packing import pack

PIPELINE = [{'type': 'LoadPatch'}, {'type': 'LoadIndexMask'}]


@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize(
    ('name', 'palette', 'classes'),
    [('Potsdam', 'potsdam', 6), ('DGLC', 'dglc', 6), ('Xiangtan', 'xiangtan', 9), ('FLAIR', 'flair', 9)],
)
def test_labels_as_they_are_on_disk(patches, name, palette, classes, packed):
    root = patches(palette, 64)
    pack(root)
    config = {'type': f'{name}Patches', 'data_root': str(root), 'ann_file': 'splits/train.txt', 'packed': packed}
    data = DATASETS.build({**config, 'pipeline': PIPELINE})
    names = (root / 'splits' / 'train.txt').read_text().split()
    assert len(data) == len(names) == 4
    found = set()
    for place, patch in enumerate(names):
        mask = cv2.imread(str(root / 'masks' / f'{patch}.png'), cv2.IMREAD_UNCHANGED)
        sample = data[place]
        assert (sample['gt_seg_map'] == mask).all()
        assert (sample['img'] == cv2.imread(str(root / 'images' / f'{patch}.png'))).all()
        assert not sample['reduce_zero_label']
        found |= set(np.unique(mask).tolist())
    assert found - {255} == set(range(classes))
    assert list(data.metainfo['classes']) == list(type(data).METAINFO['classes'])
    assert data.metainfo['label_map'] is None
    assert len(data.metainfo['palette']) == classes


def test_same_as_by_palette(patches):
    root = str(patches('xiangtan', 64))
    named = XiangtanPatches(root, pipeline=PIPELINE)
    general = LandCoverPatches('xiangtan', root, pipeline=PIPELINE)
    assert named.metainfo['classes'] == general.metainfo['classes']
    assert (named[5]['gt_seg_map'] == general[5]['gt_seg_map']).all()


def test_other_names_for_the_same_indices(patches):
    root = str(patches('xiangtan', 64))
    names = ['wood', 'water', *'abcdefg']  # some occur among the known ones, elsewhere
    data = XiangtanPatches(root, metainfo={'classes': names}, pipeline=PIPELINE)
    assert data.metainfo['classes'] == names
    assert (data[3]['gt_seg_map'] == XiangtanPatches(root, pipeline=PIPELINE)[3]['gt_seg_map']).all()


def test_another_number_of_classes_needs_colors(patches):
    root = str(patches('xiangtan', 64))
    with pytest.raises(InputError, match=r'10 classes and 9 colors; give metainfo.palette'):
        XiangtanPatches(root, metainfo={'classes': list('abcdefghij')})
    metainfo = {'classes': list('abcdefghij'), 'palette': [[number, 0, 0] for number in range(10)]}
    assert XiangtanPatches(root, metainfo=metainfo).get_data_info(0)['num_classes'] == 10


def test_names_of_mmseg_stay_its_own():
    import mmseg.datasets
    from mmseg.registry import DATASETS as OF_MMSEG

    assert OF_MMSEG.get('PotsdamDataset') is mmseg.datasets.PotsdamDataset
    assert OF_MMSEG.get('PotsdamPatches') is DATASETS.get('PotsdamPatches')


def test_classes_without_a_palette_come_from_metainfo_or_not_at_all(patches):
    named = dict(classes=['a', 'b'], palette=[[1, 2, 3], [4, 5, 6]])
    data = LandCoverPatches(None, str(patches('synthetic', 64)), metainfo=named, pipeline=PIPELINE)
    assert data.metainfo['classes'] == ['a', 'b']
    with pytest.raises(InputError, match='name a palette, or give both'):
        LandCoverPatches(None, str(patches('synthetic', 64)), metainfo=dict(classes=['a']), pipeline=PIPELINE)


@pytest.mark.parametrize('option', [{'reduce_zero_label': True}, {'ignore_index': 0}, {'packed': 3}, {'packed': ''}])
def test_options_without_effect(option):
    with pytest.raises(InputError, match=next(iter(option))):
        LandCoverPatches('mbrsc', 'data', **option)


def test_a_class_is_left_out_by_its_masks():
    with pytest.raises(InputError, match=r'got 4; to leave a class out, convert the masks with its pixels as 255'):
        LandCoverPatches('mbrsc', 'data', ignore_index=4)


def test_masks_in_the_other_unicode_form(tmp_path):
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
    composed, decomposed = (unicodedata.normalize(form, 'é') for form in ('NFC', 'NFD'))
    write_patch(tmp_path / 'images' / composed, np.zeros((8, 8, 3), np.uint8))
    write_patch(tmp_path / 'masks' / decomposed, np.full((8, 8), 3, np.uint8))
    assert (XiangtanPatches(str(tmp_path), pipeline=PIPELINE)[0]['gt_seg_map'] == 3).all()
