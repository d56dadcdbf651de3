"""One rule for all lists, and every reader obeys it."""

import shutil
import unicodedata
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.converters.color_masks import convert_color_masks
from projects.false.converters.options import CutOptions
from projects.false.datasets.patches import UnlabelledPatches
from projects.false.imagery.palettes import PALETTES
from projects.false.label_audit.audit import audit_labels
from projects.false.patch_folder.labelled_lists import write_lists
from projects.false.patch_folder.lists import file_in_any_form, list_images, read_list, read_lists, sides, write_list
from projects.false.patch_folder.packed import PackedPatches
from projects.false.patch_folder.packing import pack
from projects.false.reports.strips import choose_patches


def write(root, **lists):
    (root / 'splits').mkdir(exist_ok=True)
    for name, patches in lists.items():
        (root / 'splits' / f'{name}.txt').write_text('\n'.join(patches.split()))


def test_which_lists_are_for_training(tmp_path):
    write(tmp_path, test='d e', train='a b c', pretrain='a b c x', train_1pct='a', val='d', mine='b c', others='c d')
    lists = {entry.name: entry for entry in read_lists(tmp_path)}
    assert list(lists) == ['train', 'val', 'test', 'mine', 'others', 'pretrain', 'train_1pct']
    assert {name for name, entry in lists.items() if entry.training} == {'train', 'pretrain', 'train_1pct', 'mine'}
    assert {name for name, entry in lists.items() if not entry.labelled} == {'pretrain'}
    training, testing = sides(list(lists.values()))
    assert training == ['a', 'b', 'c', 'x']
    assert testing == {'d': 'val', 'e': 'test', 'c': 'others'}


def test_a_list_for_testing_stays_one_even_if_all_of_it_is_trained_on(tmp_path):
    write(tmp_path, train='a b c', test='a b')
    assert [entry.training for entry in read_lists(tmp_path)] == [True, False]


def test_lists_that_are_of_no_use(tmp_path):
    with pytest.raises(InputError, match='holds no list of patches'):
        read_lists(tmp_path)
    write(tmp_path, train='a b a')
    with pytest.raises(InputError, match=r"train\.txt: 'a' is listed twice"):
        read_lists(tmp_path)
    write(tmp_path, train='')
    with pytest.raises(InputError, match=r'train\.txt: the list is empty'):
        read_lists(tmp_path)


def test_lists_go_there_and_back(tmp_path):
    path = tmp_path / 'train.txt'
    write_list(path, ['a_0_0', 'b c_0_64', 'd#1'])
    assert path.read_text() == 'a_0_0\nb c_0_64\nd#1\n'
    assert read_list(path) == ['a_0_0', 'b c_0_64', 'd#1']
    assert list(tmp_path.iterdir()) == [path]


def test_only_line_breaks_of_files_end_a_line(tmp_path):
    path = tmp_path / 'train.txt'
    names = ['a\u2028b', 'a\x0bb', 'a\x0cb', 'a\x1cb', 'a\x85b', 'a\xa0b', '#1', 'a #2']
    write_list(path, names)
    assert read_list(path, set(names)) == names
    path.write_bytes(b'a\rb\r\nc\nd')
    assert read_list(path) == ['a', 'b', 'c', 'd']


@pytest.mark.parametrize(
    'name', [' a', 'a ', 'a\t', 'a\u2028', '\xa0a', 'a\nb', 'a\rb', 'a\n', '', '\ufeffa', 'a\udcff']
)
@pytest.mark.parametrize('others', [(), ('b',)])
def test_names_that_no_list_can_hold(tmp_path, name, others):
    path = tmp_path / 'train.txt'
    with pytest.raises(InputError) as caught:
        write_list(path, [name, *others, *others[1:]])
    assert str(caught.value).startswith(f'{path}: a list cannot hold {name!r}, as ')
    assert str(caught.value).endswith('; rename the file')
    assert not path.exists()


def test_comments_and_empty_lines(tmp_path):
    path = tmp_path / 'val.txt'
    path.write_bytes(b'\xef\xbb\xbf# header\r\n\r\n  tile_1*  # the west\r\ntile_2\r\n')
    assert read_list(path) == ['tile_1*', 'tile_2']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'no such list; give a text file'),
        (b'', 'the list is empty'),
        (b'# only this\n', 'the list is empty'),
        (b'\xff\xfe\x00', 'list not readable'),
    ],
)
def test_unreadable_and_empty_lists(tmp_path, content, message):
    path = tmp_path / 'list.txt'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf'list\.txt: {message}'):
        read_list(path)


COMPOSED = unicodedata.normalize('NFC', 'tile_é')
DECOMPOSED = unicodedata.normalize('NFD', COMPOSED)


@pytest.mark.parametrize(
    ('line', 'expected'),
    [
        ('tile #2', 'tile #2'),  # a name wins over a comment
        ('tile #3', 'tile'),  # no such name: a comment
        ('tile', 'tile'),
        ('#1', '#1'),
        ('tile #2  # the east', 'tile'),  # only a whole line is a name
        ('tile\t# the east', 'tile'),
        ('tile#4', 'tile#4'),
        ('unknown #1', 'unknown'),
        (f'{COMPOSED} # with an accent', DECOMPOSED),
        (DECOMPOSED, DECOMPOSED),
        ('ö', 'ö'),
        (unicodedata.normalize('NFD', 'ö'), 'ö'),
    ],
)
def test_known_names_win_over_comments_in_any_unicode_form(tmp_path, line, expected):
    (tmp_path / 'list.txt').write_text(f'\ufeff# head\n{line}\n', encoding='utf-8')
    assert read_list(tmp_path / 'list.txt', {'tile', 'tile #2', '#1', DECOMPOSED}) == [expected]


def test_both_unicode_forms_in_one_folder_stay_apart(tmp_path):
    (tmp_path / 'list.txt').write_text(f'{COMPOSED}\n{DECOMPOSED}\n', encoding='utf-8')
    assert read_list(tmp_path / 'list.txt', {COMPOSED, DECOMPOSED}) == [COMPOSED, DECOMPOSED]


def test_files_are_found_in_any_form(tmp_path):
    assert file_in_any_form(tmp_path, f'{COMPOSED}.png') == tmp_path / f'{COMPOSED}.png'
    (tmp_path / f'{DECOMPOSED}.png').touch()
    assert file_in_any_form(tmp_path, f'{COMPOSED}.png') == tmp_path / f'{DECOMPOSED}.png'
    (tmp_path / f'{COMPOSED}.png').touch()
    for form in (COMPOSED, DECOMPOSED):
        assert file_in_any_form(tmp_path, f'{form}.png') == tmp_path / f'{form}.png'
    assert file_in_any_form(tmp_path, 'plain.png') == tmp_path / 'plain.png'


STEMS = ('tile', 'tile #2', DECOMPOSED, 'other', '#1')


@pytest.fixture
def converted(tmp_path):
    """A data set of images with difficult names, split by a list that spells them as people do."""
    generator = np.random.default_rng(0)
    palette = PALETTES['mbrsc']
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
    for stem in STEMS:
        colors = np.array(palette.colors, np.uint8)[generator.integers(0, 5, (4, 4))].repeat(8, 0).repeat(8, 1)
        noise = generator.integers(0, 256, (32, 32, 3), np.uint8)
        for folder, pixels in (('images', noise), ('masks', colors[..., ::-1])):
            (tmp_path / folder / f'{stem}.png').write_bytes(cv2.imencode('.png', pixels)[1].tobytes())
    test_list = tmp_path / 'test.txt'
    test_list.write_text(f'\ufeff# held out\n\ntile #2\n{COMPOSED}  # an accent\n', encoding='utf-8')

    def convert():
        folders = (tmp_path / name for name in ('images', 'masks', 'data'))
        return convert_color_masks(*folders, palette, CutOptions(16, workers=1), test_list=test_list)

    convert()
    return SimpleNamespace(root=tmp_path / 'data', convert=convert, test_list=test_list)


def sources(patches):
    return {patch.rsplit('_', 2)[0] for patch in patches}


def test_a_converter_takes_names_with_hash_signs_and_accents(converted):
    splits = converted.root / 'splits'
    assert sources((splits / 'test.txt').read_text(encoding='utf-8').splitlines()) == {'tile #2', DECOMPOSED}
    assert sources((splits / 'train.txt').read_text(encoding='utf-8').splitlines()) == {'tile', 'other', '#1'}
    assert converted.convert().done_before
    converted.test_list.write_text('tile\n')
    with pytest.raises(InputError, match=r'made with test_list \["tile #2", .*, not \["tile"\]'):
        converted.convert()


def test_training_data_packed_or_not_takes_the_same_lists(converted):
    path = converted.root / 'splits' / 'mine.txt'
    lines = ['# mine', '', f'{COMPOSED}_0_0.png', 'tile #2_0_16', 'tile_0_0 #2', '#1_16_0']
    path.write_text('\ufeff' + '\r\n'.join(lines), encoding='utf-8')
    expected = [f'{DECOMPOSED}_0_0.png', 'tile #2_0_16.png', 'tile_0_0.png', '#1_16_0.png']
    assert [image.name for image in list_images(converted.root / 'images', path)] == expected
    pack(converted.root)
    packed = PackedPatches(converted.root / 'packed')
    assert [packed.name(row) for row in packed.rows(path)] == expected
    assert [packed.name(row) for row in packed.look_up(path)] == expected
    for form in (False, True):
        data = UnlabelledPatches(str(converted.root), ann_file='splits/mine.txt', packed=form, pipeline=[])
        assert [data.get_data_info(place)['img_path'].rsplit('/', 1)[1] for place in range(4)] == expected


def test_splits_audit_and_report_take_the_same_lists(converted):
    splits = converted.root / 'splits'
    names = (splits / 'train.txt').read_text(encoding='utf-8').splitlines()
    (splits / 'train.txt').write_text('\ufeff# by hand\n' + '\n'.join(names), encoding='utf-8')
    assert write_lists(converted.root, [1.0], [7])[0].names == names
    tested = (splits / 'test.txt').read_text(encoding='utf-8').splitlines()
    by_hand = [unicodedata.normalize('NFC', name) + ' # kept' * ('#' not in name) for name in tested]
    write_list(splits / 'test.txt', by_hand)
    audit = audit_labels(converted.root, workers=1)
    assert audit.passed
    assert next(entry.patches for entry in audit.lists if entry.name == 'test') == tested
    assert sorted(choose_patches(converted.root, 99)) == sorted(tested)


def test_a_data_set_copied_to_a_file_system_of_the_other_form(converted, tmp_path):
    root = tmp_path / 'copy'
    for path in sorted(converted.root.rglob('*.*')):
        copied = root / unicodedata.normalize('NFC', str(path.relative_to(converted.root)))
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
    assert len(list_images(root / 'images', root / 'splits' / 'test.txt')) == 8
    audit = audit_labels(root, workers=1)
    assert audit.passed
    assert {finding.kind for finding in audit.findings} <= {'single class'}
