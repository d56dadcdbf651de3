"""What converters do with images and masks that are labelled in part, or not at all."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.converters.color_masks import convert_color_masks
from projects.false.converters.options import CutOptions, print_conversion
from projects.false.imagery.mask_colors import index_to_colors
from projects.false.imagery.palettes import Palette
from projects.false.patch_folder.description import Conversion
from tests.helpers.mask_pairs import CUT, MBRSC, convert, labels, picture, save


def test_patches_without_a_label_are_for_pretraining_only(pairs, capsys):
    """Whoever labels a few windows leaves the rest of the mask in an ignored colour."""
    kept = labels(3)
    kept[:, 18:] = 255  # of two columns of windows, the left one keeps labels
    save(pairs / 'masks/c.tif', index_to_colors(kept, MBRSC))
    save(pairs / 'masks/a_1.png', index_to_colors(np.full((70, 50), 255, np.uint8), MBRSC))
    kept[:] = 255
    kept[:32, :10] = 1
    save(pairs / 'masks/b.png', index_to_colors(kept, MBRSC))
    described = convert(pairs, test_list=pairs / 'test.txt')
    lists = {path.stem: path.read_text().split() for path in (pairs / 'out/splits').iterdir()}
    alone = [patch['name'] for patch in described['patches'] if patch['split'] == 'pretrain']
    assert alone == [
        *(f'b_{place}' for place in ('0_18', '32_0', '32_18', '38_0', '38_18')),
        *(f'c_{place}' for place in ('0_18', '32_18', '38_18')),
    ]
    assert not set(alone) & {*lists['train'], *lists['train_10pct'], *lists['train_50pct']}
    assert sorted(lists['pretrain']) == sorted([*lists['train'], *alone])
    assert sum(name.startswith('a_1') for name in lists['test']) == 6  # what is tested stays as it is
    assert described['splits']['train']['patches'] == len(lists['train']) == 10
    print_conversion(Conversion(described), str(pairs / 'out'))
    assert 'note: 8 patches without a label are only in splits/pretrain.txt' in capsys.readouterr().out


def test_images_without_a_mask_are_for_pretraining_only(pairs, capsys):
    (pairs / 'masks/b.png').unlink()
    (pairs / 'masks/a_2.tif').unlink()
    with pytest.raises(InputError, match=r'no mask for 2 of 5 images .* or give --allow-unlabelled'):
        convert(pairs)
    with pytest.raises(InputError, match=r'no mask for 1 images of the lists of val and test \(.*a_2\.tif\)'):
        convert(pairs, test_list=pairs / 'test.txt', allow_unlabelled=True)
    described = convert(pairs, allow_unlabelled=True)
    lists = {path.stem: path.read_text().split() for path in (pairs / 'out/splits').iterdir()}
    assert {name.rsplit('_', 2)[0] for name in lists['train']} == {'a_1', 'c', 'd'}
    assert {name.rsplit('_', 2)[0] for name in lists['pretrain']} == {'a_1', 'a_2', 'b', 'c', 'd'}
    assert described['sources']['b']['mask'] is None
    assert (cv2.imread(str(pairs / 'out/masks/b_0_0.png'), -1) == 255).all()
    print_conversion(Conversion(described), str(pairs / 'out'))
    assert 'note: 2 of 5 images have no mask' in capsys.readouterr().out
    assert convert(pairs, allow_unlabelled=True) == described
    with pytest.raises(InputError, match='was made with allow_unlabelled true, not null'):
        convert(pairs)
    for name in ('a_1.png', 'c.tif', 'deep/d.png'):
        (pairs / 'masks' / name).rename(pairs / 'masks' / f'x{Path(name).name}')
    with pytest.raises(InputError, match=r"none of the 5 images has a mask; .* such as 'a_1', .* masks such as 'xa_1'"):
        convert(pairs, allow_unlabelled=True, overwrite=True)


@pytest.mark.parametrize('change', ['new mask', 'lost mask', 'edited mask', 'edited image'])
def test_who_edits_a_file_is_not_told_that_it_was_done_before(pairs, change):
    def make(**options):
        return convert(pairs, allow_unlabelled=True, **options)

    (pairs / 'masks/b.png').rename(pairs / 'b.png')
    make()
    if change == 'new mask':
        (pairs / 'b.png').rename(pairs / 'masks/b.png')
    elif change == 'lost mask':
        (pairs / 'masks/c.tif').unlink()
    elif change == 'edited mask':
        save(pairs / 'masks/c.tif', index_to_colors(labels(7), MBRSC))
    else:
        save(pairs / 'images/c.tif', picture(7))
    stem = 'b' if change == 'new mask' else 'c'
    with pytest.raises(InputError, match=rf'1 images are edited since it was made \({stem}\); .* or --overwrite'):
        make()
    described = make(overwrite=True)
    patches = {'new mask': 30, 'lost mask': 18}.get(change, 24)
    assert described['splits']['train']['patches'] == patches
    assert make() == described


@pytest.mark.parametrize('way', ['old time', 'renamed folder', 'link', 'same size'])
def test_a_mask_that_was_there_before_and_takes_the_place_of_another_is_noticed(pairs, way):
    mask, other = pairs / 'masks/c.tif', pairs / 'corrected/c.tif'
    shutil.copytree(pairs / 'masks', pairs / 'corrected')
    save(other, index_to_colors(labels(7), MBRSC))
    assert mask.stat().st_size == other.stat().st_size  # without compression
    if way == 'link':
        mask.rename(pairs / 'first.tif')
        mask.symlink_to(pairs / 'first.tif')
    convert(pairs)
    if way == 'old time':
        os.utime(other, (1e9, 1e9))
        other.rename(mask)
    elif way == 'renamed folder':
        (pairs / 'masks').rename(pairs / 'masks_1')
        (pairs / 'corrected').rename(pairs / 'masks')
    elif way == 'link':
        mask.unlink()
        mask.symlink_to(other)
    else:
        shutil.copy(other, mask)
    with pytest.raises(InputError, match=r'1 images are edited since it was made \(c\)'):
        convert(pairs)


def test_touched_files_are_not_edited_ones(pairs):
    described = convert(pairs)
    for path in (pairs / 'masks').rglob('*.*'):
        path.write_bytes(path.read_bytes())
    assert convert(pairs) == described


def test_of_older_data_files_that_were_written_later_count_as_edited(pairs):
    described = convert(pairs)
    for source in described['sources'].values():
        del source['checksums']  # earlier versions had none
    (pairs / 'out/dataset.json').write_text(json.dumps(described))
    assert convert(pairs) == described
    save(pairs / 'masks/c.tif', index_to_colors(labels(7), MBRSC))
    with pytest.raises(InputError, match=r'1 images are edited since it was made \(c\)'):
        convert(pairs)


def test_lists_that_somebody_made_survive_a_new_output(pairs, capsys):
    """Who corrects masks between two rounds keeps what was chosen."""
    made = convert(pairs, label_fractions=(0.1, 0.5))
    splits = pairs / 'out/splits'
    (splits / 'train_first.txt').write_text('b_0_0\nc_0_0\n')
    (splits / 'mine.txt').write_text('d_0_0\n')
    (splits / 'odd.txt').write_bytes(b'\xff\xfe\xff')
    (pairs / 'out/appearance.json').write_text('{}')
    for folder in ('images', 'masks'):
        (next((pairs / folder).glob('c.*'))).unlink()
    paths = (pairs / name for name in ('images', 'masks', 'out'))
    again = convert_color_masks(*paths, MBRSC, CutOptions(**{**CUT, 'overwrite': True}))
    assert (splits / 'train_first.txt').read_text() == 'b_0_0\nc_0_0\n'
    assert (splits / 'mine.txt').read_text() == 'd_0_0\n'
    assert len(again.description['sources']) == len(made['sources']) - 1
    print_conversion(again, 'out')
    said = capsys.readouterr().out
    assert 'note: kept lists of the earlier output: mine.txt, odd.txt, train_first.txt' in said
    assert "note: splits/train_first.txt: 1 of 2 patches are gone, the first is 'c_0_0'" in said
    assert 'odd.txt: list not readable' in said
    assert 'note: went with the earlier output: appearance.json; make them again where you need them' in said


def test_masks_without_any_label_for_training(pairs):
    for name in ('b.png', 'c.tif', 'deep/d.png'):
        save(pairs / 'masks' / name, index_to_colors(np.full((70, 50), 255, np.uint8), MBRSC))
    with pytest.raises(InputError, match='no patch for training holds a labelled pixel; label some'):
        convert(pairs, test_list=pairs / 'test.txt')
    assert not (pairs / 'out').exists()


def test_an_image_without_a_mask_is_no_foreground(tmp_path):
    for name in 'ab':
        save(tmp_path / f'images/{name}.png', picture(0, 64, 64))
    save(tmp_path / 'masks/a.png', np.zeros((64, 64), np.uint8))
    two = Palette('two', ('no', 'yes'), ((0, 0, 0), (255, 255, 255)), index_masks=True)
    described = convert(tmp_path, palette=two, allow_unlabelled=True)
    assert described['splits']['train']['pixels'] == {'no': 64 * 64, 'yes': 0}


@pytest.fixture
def half_transparent(tmp_path):
    """An image of 64 x 64 pixels whose left half is transparent, and a mask that labels all of it."""
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:, :32] = 0
    save(tmp_path / 'images/b.png', picture(0, 64, 64))
    (tmp_path / 'images').joinpath('a.png').write_bytes(
        cv2.imencode('.png', np.dstack([np.full((64, 64, 3), 200, np.uint8), alpha]))[1].tobytes()
    )
    for name in 'ab':
        save(tmp_path / f'masks/{name}.png', index_to_colors(labels(ord(name), 64, 64) % 5, MBRSC))
    return tmp_path


def test_pixels_without_data_carry_no_label(half_transparent, capsys):
    described = convert(half_transparent, patch_size=24, stride=20)
    shown = {patch['col']: patch for patch in described['patches'] if patch['source'] == 'a' and patch['row'] == 0}
    assert list(shown) == [20, 40]  # the window from 0 to 24 shows nothing
    assert [patch['pixels'][-1] for patch in shown.values()] == [12 * 24, 0]
    mask = cv2.imread(str(half_transparent / 'out/masks/a_0_20.png'), -1)
    np.testing.assert_array_equal(mask == 255, np.arange(24)[None].repeat(24, 0) < 12)
    print_conversion(Conversion(described), str(half_transparent / 'out'))
    assert 'note: 3 windows without data are left out' in capsys.readouterr().out
    (half_transparent / 'test.txt').write_text('b\n')
    alone = convert(half_transparent, overwrite=True, test_list=half_transparent / 'test.txt')
    assert alone['mean'] == [200.0] * 3


def test_shrinking_leaves_out_what_is_no_data(half_transparent):
    mask = index_to_colors(np.full((64, 64), 1, np.uint8), MBRSC)
    save(half_transparent / 'masks/a.png', mask)
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:, :33] = 0  # the block of columns 32 and 33 has one of data
    image = np.dstack([np.full((64, 64, 3), 200, np.uint8), alpha])
    image[:, :33, :3] = 7
    (half_transparent / 'images/a.png').write_bytes(cv2.imencode('.png', image)[1].tobytes())
    convert(half_transparent, patch_size=32, shrink=2)
    patch = cv2.imread(str(half_transparent / 'out/images/a_0_0.png'))
    found = cv2.imread(str(half_transparent / 'out/masks/a_0_0.png'), -1)
    np.testing.assert_array_equal(patch[0, :, 0], [0] * 17 + [200] * 15)
    np.testing.assert_array_equal(found[0], [255] * 17 + [1] * 15)


@pytest.mark.parametrize('change', ['added', 'missing'])
def test_images_that_come_and_go_are_noticed(pairs, change):
    described = convert(pairs)
    if change == 'added':
        save(pairs / 'images/e.png', picture(5))
        save(pairs / 'masks/e.png', index_to_colors(labels(5), MBRSC))
    else:
        (pairs / 'images/b.png').unlink()
    with pytest.raises(InputError, match=rf'1 images are {change} since it was made \([be]\); .*--overwrite'):
        convert(pairs)
    again = convert(pairs, overwrite=True)
    assert len(again['sources']) == len(described['sources']) + (1 if change == 'added' else -1)


def test_data_whose_source_is_gone_stays(pairs):
    described = convert(pairs)
    (pairs / 'images').rename(pairs / 'elsewhere')
    assert convert(pairs) == described


def test_images_that_no_longer_make_sense_are_not_done_before(pairs):
    convert(pairs)
    save(pairs / 'images/deep/b.png', picture(2))
    with pytest.raises(InputError, match=r"same stem 'b'"):
        convert(pairs)


def test_a_list_in_the_output_is_not_deleted(pairs):
    convert(pairs, test_list=pairs / 'test.txt')
    kept = (pairs / 'test.txt').rename(pairs / 'out/test.txt')
    with pytest.raises(InputError, match=r'holds the input .*test\.txt'):
        convert(pairs, test_list=kept, overwrite=True)
    assert kept.is_file()


def test_how_masks_are_read_is_part_of_the_arguments(tmp_path):
    for name in 'ab':
        save(tmp_path / f'images/{name}.png', picture(0, 64, 64))
        save(tmp_path / f'masks/{name}.png', np.full((64, 64, 3), 255, np.uint8))
    two = Palette('two', ('no', 'yes'), ((0, 0, 0), (255, 255, 255)))
    convert(tmp_path, palette=two)
    with pytest.raises(InputError, match='made with binarise null, not 128'):
        convert(tmp_path, palette=dataclasses.replace(two, binarise=128))


def test_files_beside_the_masks_do_not_count_as_labels(pairs):
    described = convert(pairs, allow_unlabelled=True)
    (pairs / 'masks/.DS_Store').write_bytes(b'x')
    assert convert(pairs, allow_unlabelled=True) == described
