import json
import shutil
import unicodedata

import cv2
import pytest

from projects.false.common.errors import InputError
from projects.false.label_audit.leaks import check_leaks
from projects.false.patch_folder.packing import pack
from tests.helpers.data import GROUND_PATCH, GROUND_SIDE

SIZE, CUT = GROUND_SIDE, GROUND_PATCH


@pytest.fixture
def data(ground_patches, tmp_path):
    shutil.copytree(ground_patches, tmp_path / 'data')
    return tmp_path / 'data'


def check(data, *lists, **options):
    return check_leaks(data, lists, workers=1, **options)


def write(data, name, *patches):
    (data / 'splits' / f'{name}.txt').write_text('\n'.join(patches))
    return name


def kinds(result):
    found = {}
    for leak in result.leaks:
        found.setdefault(leak.kind, []).append(leak.patch)
    return found


def test_lists_of_a_converter_share_nothing(data):
    result = check(data)
    assert (result.leaks, result.unseen, result.found()) == ([], [], False)
    assert result.testing == ['test']
    assert {'train', 'pretrain', 'train_10pct'} == set(result.training)
    assert list(result.lines()) == [f'no leak in 64 patches: {", ".join(result.training)} | test']


def test_every_kind(data):
    write(data, 'train', 'area_part_1_0_0', 'area_part_1_32_96', 'far_0_0', 'other_96_96')
    write(data, 'train_10pct', 'area_part_1_0_0')
    (data / 'splits' / 'pretrain.txt').unlink()
    source = cv2.imread(str(data / 'images' / 'far_0_0.png'))
    cv2.imwrite(str(data / 'images' / 'other_0_0.png'), cv2.convertScaleAbs(source[:, ::-1], alpha=1.1))
    write(data, 'test', 'other_96_96', 'other_0_0', 'area_part_2_64_0', 'area_part_2_64_64', 'far_32_0')
    result = check(data)
    assert kinds(result) == {
        'patch': ['other_96_96'],
        'image': ['other_0_0', 'far_32_0'],
        'tile': ['area_part_2_64_0', 'area_part_2_64_64'],
        'touch': ['area_part_2_64_0', 'far_32_0'],  # the first by a corner, from image to image
        'look-alike': ['other_0_0'],
    }
    assert result.found()
    assert result.found(['patch', 'image', 'tile', 'touch'])
    assert not result.found(['patch', 'image', 'tile', 'touch', 'look-alike'])
    first, *rest = result.lines(['tile'])
    assert first.startswith('leak in 8 patches (train, train_10pct | test): 1 are listed for both; 2 come from images')
    assert [line.split(':')[0] for line in rest] == [
        '  patch',
        '  image',
        '  tile (allowed)',
        '  touch',
        '  look-alike',
    ]
    assert rest[0] == '  patch: other_96_96 of test is in train'


def test_windows_that_overlap_without_a_common_image(data):
    path = data / 'dataset.json'
    description = json.loads(path.read_text())
    description['sources']['other']['transform'] = [1, 0, 400_900 - SIZE + 10, 0, -1, 5_000_900]  # ten columns on far
    path.write_text(json.dumps(description))
    leaks = check(data).leaks
    overlaps = [leak for leak in leaks if leak.kind == 'overlap']
    assert sorted(leak.patch for leak in overlaps) == [f'other_{row}_96' for row in range(0, SIZE, CUT)]
    assert leaks == overlaps
    assert overlaps[0].text == 'of test and far_0_0 of train'


def test_examples_are_few(data):
    write(data, 'test', *(data / 'splits' / 'train.txt').read_text().split())
    _, line = check(data).lines()
    assert line.count(' is in train') == 3
    assert next(iter(check(data).lines())).endswith(': 48 are listed for both')


def test_given_lists_are_compared_with_each_other_except_for_training(data):
    write(data, 'mine', 'far_0_0', 'other_0_0')
    assert kinds(check(data, 'mine', 'train_10pct', 'train')) == {'patch': ['far_0_0']}
    assert kinds(check(data, 'mine', 'test.txt')) == {'patch': ['other_0_0']} | {
        'image': [f'other_{row}_{col}' for row in range(0, SIZE, CUT) for col in range(0, SIZE, CUT)][1:],
        'touch': ['other_0_32', 'other_32_0', 'other_32_32'],
    }
    with pytest.raises(InputError, match='none is tested on'):
        check(data, 'train', 'train_10pct')
    with pytest.raises(InputError, match='mine is the only list'):
        check(data, 'mine')
    with pytest.raises(InputError, match=r'test\.txt: is given twice'):
        check(data, 'mine', 'test', 'test')
    with pytest.raises(InputError, match=r'gone: no such list'):
        check(data, 'mine', 'gone')


def test_names_of_others(data, tmp_path):
    theirs = tmp_path / 'theirs.txt'
    theirs.write_text('jpg/far-17.jpg png/far-17.png\njpg/elsewhere-3.jpg png/elsewhere-3.png\n')
    with pytest.raises(InputError, match=r"theirs.txt: 2 of 2 patches are not in .*json, the first is 'jpg/far-17.jpg"):
        check(data, 'train', str(theirs))
    result = check(data, 'train', str(theirs), names=r'jpg/(?P<image>\w+)-\d+')
    assert [leak.text for leak in result.leaks] == ['of theirs is from far, as is far_0_0 of train']
    assert result.unseen == ['jpg/far-17.jpg png/far-17.png', 'jpg/elsewhere-3.jpg png/elsewhere-3.png']
    assert list(result.lines())[-1].startswith('note: 2 patches have no image here, such as')
    theirs.write_text('images/far_32_0.png labels/far_32_0.png\n')  # our patches in another form
    assert kinds(check(data, 'train', str(theirs))) == {'patch': ['far_32_0']}
    theirs.write_text('far@3@20\n')
    result = check(data, 'train', str(theirs), names=r'(?P<image>\w+)@(?P<row>\d+)@(?P<col>\d+)')
    assert kinds(result) == {'image': ['far@3@20'], 'overlap': ['far@3@20']}


def test_a_folder_without_description(data, tmp_path):
    (data / 'dataset.json').unlink()
    with pytest.raises(InputError, match=r'dataset\.json: no such file'):
        check(data)
    names = r'(?P<image>(?P<tile>\w+?)(_part_\d)?)_\d+_\d+$'
    write(data, 'test', 'area_part_2_0_0')
    assert kinds(check(data, names=names)) == {'patch': ['area_part_2_0_0']}
    write(data, 'train', 'area_part_1_0_0')
    result = check(data, 'train', 'test', names=names)
    assert (kinds(result), result.unseen) == ({'tile': ['area_part_2_0_0']}, [])


def test_names_with_suffix_are_the_same_patches(data):
    write(data, 'mine', 'far_0_0.png')  # of the training patches, which are listed without
    assert 'mine' in check(data).training
    assert kinds(check(data, 'train', 'mine')) == {'patch': ['far_0_0']}


def test_windows_of_a_folder_without_description(data):
    (data / 'dataset.json').unlink()
    names = r'(?P<image>.+)_(?P<row>\d+)_(?P<col>\d+)$'
    write(data, 'train', 'far_0_0')
    write(data, 'test', 'far_0_32')
    found = check(data, 'train', 'test', names=names)
    assert kinds(found) == {'image': ['far_0_32'], 'touch': ['far_0_32']}
    write(data, 'train', 'gone_0_0')
    write(data, 'test', 'gone_0_32')
    found = check(data, 'train', 'test', names=names)
    assert list(found.lines())[-1].startswith("note: 2 patches, such as 'gone_0_0', have a row and a column but no")


def test_tiles_by_another_pattern(data):
    assert check(data, tile='^.').leaks == []  # area, far and other begin differently
    write(data, 'test', 'area_part_2_0_96')
    write(data, 'train', 'area_part_1_0_0')
    assert kinds(check(data, 'train', 'test', tile='part')) == {'tile': ['area_part_2_0_96']}
    assert check(data, 'train', 'test', tile='_[0-9]$').leaks == []


def test_packed_patches(data):
    write(data, 'test', 'far_0_0', 'other_0_0')
    pack(data, workers=1)
    before = check(data)
    assert len(before.leaks) == 1
    shutil.rmtree(data / 'images')
    shutil.rmtree(data / 'masks')
    after = check(data)
    assert (after.leaks, after.unseen, after.patches) == (before.leaks, [], before.patches)


def test_bad_patterns_and_images(data):
    for options, message in (
        ({'names': '('}, r'--names \(: is no regular expression'),
        ({'names': 'a'}, "has no group 'image'"),
        ({'tile': '['}, r'--tile \[: is no regular expression'),
    ):
        with pytest.raises(InputError, match=message):
            check(data, **options)
    with pytest.raises(InputError, match='workers is 0'):
        check_leaks(data, workers=0)
    file = data / 'images' / 'far_0_0.png'
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(InputError, match=r'far_0_0\.png.*cut off'):
        check(data)


def test_names_in_both_unicode_forms_are_one(data):
    composed, decomposed = (unicodedata.normalize(form, 'é') for form in ('NFC', 'NFD'))
    path = data / 'dataset.json'
    path.write_text(path.read_text().replace('"far_0_0"', json.dumps(decomposed)))
    write(data, 'mine', composed)
    write(data, 'theirs', decomposed)
    assert kinds(check(data, 'mine', 'theirs')) == {'patch': [composed]}


def test_rows_that_are_no_numbers(data, tmp_path):
    theirs = tmp_path / 'theirs.txt'
    theirs.write_text('far@x@20\n')
    message = r"--names: takes 'x' for the row of 'far@x@20'; write it as \(\?P<row>\\d\+"
    with pytest.raises(InputError, match=message):
        check(data, 'train', str(theirs), names=r'(?P<image>\w+)@(?P<row>\w+)@(?P<col>\d+)')
