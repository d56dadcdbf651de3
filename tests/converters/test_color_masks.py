import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from projects.false.common.errors import InputError
from projects.false.converters.color_masks import convert_color_masks
from projects.false.converters.options import CutOptions, print_conversion
from projects.false.datasets.loading import LoadPatch
from projects.false.datasets.patches import UnlabelledPatches
from projects.false.imagery.images import read_image
from projects.false.imagery.mask_colors import colors_to_index, index_to_colors
from projects.false.imagery.palettes import PALETTES, Palette, load_palette
from projects.false.patch_folder.description import Conversion
from projects.false.patch_folder.packing import pack
from tests.helpers.mask_pairs import MBRSC, convert, labels, picture, save
from tests.helpers.tools import REPOSITORY
from tools.dataset_converters.color_masks import main

SHARED = Path(os.environ.get('FALSE_SHARED_DATA', REPOSITORY.parent / 'shared' / 'data'))


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_patches_hold_the_pixels_and_classes_of_their_window(pairs):
    convert(pairs)
    described = json.loads((pairs / 'out/dataset.json').read_text())
    number_of = {stem: number for number, stem in enumerate(['a_1', 'a_2', 'b', 'c', 'd'])}
    assert len(described['patches']) == 5 * 3 * 2
    for patch in described['patches']:
        row, column = patch['row'], patch['col']
        assert patch['name'] == f'{patch["source"]}_{row}_{column}'
        window = np.s_[row : row + 32, column : column + 32]
        image = np.array(Image.open(pairs / f'out/images/{patch["name"]}.png'))
        mask = np.array(Image.open(pairs / f'out/masks/{patch["name"]}.png'))
        np.testing.assert_array_equal(image, picture(number_of[patch['source']])[window])
        np.testing.assert_array_equal(mask, labels(number_of[patch['source']])[window])
        assert patch['pixels'] == [int((mask == value).sum()) for value in (0, 1, 2, 3, 4, 255)]
    assert {Image.open(path).mode for path in (pairs / 'out/masks').iterdir()} == {'L'}
    assert {(row, column) for row in (0, 32, 38) for column in (0, 18)} == {
        (patch['row'], patch['col']) for patch in described['patches']
    }


def test_splits_and_description(pairs):
    returned = convert(pairs, val_list=pairs / 'val.txt', test_list=pairs / 'test.txt')
    described = json.loads((pairs / 'out/dataset.json').read_text())
    assert described == returned
    lists = {path.stem: path.read_text().split() for path in (pairs / 'out/splits').iterdir()}
    assert sorted(lists) == ['pretrain', 'test', 'train', 'train_10pct', 'train_50pct', 'val']
    assert {name.rsplit('_', 2)[0] for name in lists['train']} == {'c', 'd'}
    assert {name.rsplit('_', 2)[0] for name in lists['val']} == {'b'}
    assert {name.rsplit('_', 2)[0] for name in lists['test']} == {'a_1', 'a_2'}
    assert lists['pretrain'] == lists['train']
    assert set(lists['train_10pct']) < set(lists['train_50pct']) < set(lists['train'])
    assert described['ignore_index'] == 255
    assert described['classes'] == list(MBRSC.classes)
    assert (described['patch_size'], described['stride']) == (32, 32)
    for name, names in lists.items():
        if name != 'pretrain':
            split = described['splits'][name]
            assert split['patches'] == len(names)
            assert sum(split['pixels'].values()) + split['ignored_pixels'] == len(names) * 32 * 32
    assert described['sources']['d']['mask'].endswith('masks/deep/d.png')


def test_without_lists_everything_is_for_training(pairs):
    convert(pairs, label_fractions=(0.005,))
    assert sorted(os.listdir(pairs / 'out/splits')) == ['pretrain.txt', 'train.txt', 'train_0.5pct.txt']


def test_the_number_of_workers_and_the_run_do_not_matter(pairs):
    convert(pairs)
    first = content(pairs / 'out')
    convert(pairs, workers=3, overwrite=True)
    assert content(pairs / 'out') == first


def test_jpeg_images_are_read_without_turning_them(tmp_path):
    (tmp_path / 'images').mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(picture(0, 64, 32)).save(tmp_path / 'images/a.jpg', exif=exif)
    save(tmp_path / 'masks/a.png', index_to_colors(labels(0, 64, 32), MBRSC))
    assert len(convert(tmp_path)['patches']) == 2


def test_index_masks_where_the_palette_says_so(tmp_path):
    save(tmp_path / 'images/a.png', picture(0))
    save(tmp_path / 'masks/a.tif', labels(0))
    described = convert(tmp_path, palette=PALETTES['xiangtan'].with_classes('abcdefghi'))
    assert described['classes'] == list('abcdefghi')
    mask = np.array(Image.open(tmp_path / 'out/masks/a_0_0.png'))
    np.testing.assert_array_equal(mask, labels(0)[:32, :32])


def test_an_interrupted_run_leaves_nothing_and_a_killed_one_is_cleared(pairs):
    ended = subprocess.Popen([sys.executable, '-c', ''])
    ended.wait()
    (pairs / f'out.partial-{ended.pid}/images').mkdir(parents=True)
    (pairs / 'masks/c.tif').unlink()
    with pytest.raises(InputError):
        convert(pairs)
    save(pairs / 'masks/c.tif', index_to_colors(labels(3), MBRSC))
    convert(pairs)
    assert sorted(path.name for path in pairs.glob('out*')) == ['out']


def test_the_same_call_again_is_done_before(pairs, capsys):
    command = [str(pairs / name) for name in ('images', 'masks', 'out')] + ['--palette', 'mbrsc', '--patch-size']
    assert main([*command, '32']) == 0
    before = content(pairs / 'out')
    times = {path: path.stat().st_mtime_ns for path in (pairs / 'out').rglob('*')}
    assert main([*command, '32', '--workers', '3']) == 0
    assert 'done before with the same arguments: 30 patches' in capsys.readouterr().out
    assert main([*command, '16']) == 2
    assert 'was made with patch_size 32, not 16 (and other stride)' in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in (pairs / 'out').rglob('*')} == times
    (pairs / 'out/masks/b_0_0.png').unlink()
    assert main([*command, '32']) == 2
    assert "1 of 30 patches are missing, the first is 'b_0_0'" in capsys.readouterr().err
    assert main([*command, '32', '--overwrite']) == 0
    assert content(pairs / 'out') == before


def test_bands_statistics_and_place_are_described(pairs):
    described = convert(pairs, test_list=pairs / 'test.txt')
    train = [patch['name'] for patch in described['patches'] if patch['split'] == 'train']
    pixels = np.stack([np.array(Image.open(pairs / f'out/images/{name}.png')) for name in train]).reshape(-1, 3)
    assert described['bands'] == {'count': 3, 'names': ['red', 'green', 'blue']}
    np.testing.assert_allclose(described['mean'], pixels.mean(0), atol=1e-4)
    np.testing.assert_allclose(described['std'], pixels.std(0), atol=1e-4)
    assert described['sources']['c']['crs'] == 'EPSG:32633'
    assert described['sources']['c']['transform'] == [1, 0, 5e5, 0, -1, 5e6]
    assert 'crs' not in described['sources']['b']
    assert (described['sources']['b']['height'], described['sources']['b']['width']) == (70, 50)


def test_four_bands_stay_four_bands(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (70, 50, 4), np.uint8)
    save(tmp_path / 'images/a.tif', image)
    save(tmp_path / 'masks/a.png', index_to_colors(labels(0), MBRSC))
    described = convert(tmp_path, bands=4)
    assert described['bands']['names'] == ['red', 'green', 'blue', 'band 4']
    loaded = LoadPatch(bands=4)({'img_path': str(tmp_path / 'out/images/a_32_18.tif')})['img']
    np.testing.assert_array_equal(loaded, image[32:64, 18:50, [2, 1, 0, 3]])
    np.testing.assert_allclose(described['mean'][3], loaded_mean(tmp_path / 'out/images', 3), atol=1e-4)


def loaded_mean(folder, band):
    return np.mean([read_image(path, 4)[..., band] for path in folder.iterdir()])


def test_a_failed_run_keeps_what_it_should_have_replaced(pairs):
    convert(pairs)
    before = content(pairs / 'out')
    save(pairs / 'masks/c.tif', picture(0))
    with pytest.raises(InputError, match='not in palette'):
        convert(pairs, overwrite=True)
    assert content(pairs / 'out') == before
    assert [path.name for path in pairs.glob('out*')] == ['out']


def test_command_line(pairs):
    command = [sys.executable, REPOSITORY / 'tools/dataset_converters/color_masks.py', 'images', 'masks', 'out']
    options = ['--palette', 'mbrsc', '--patch-size', '32', '--test-list', 'test.txt', '--stride', '16']
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    run = subprocess.run(command + options, cwd=pairs, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, '')
    for word in ('vegetation', 'train_1pct', 'ignored', 'wrote 60 patches to out'):
        assert word in run.stdout


def damage(path, keep=0.6):
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])


def five_unknown_colors(folder):
    for stem, suffix in [('a_1', 'png'), ('a_2', 'tif'), ('b', 'png'), ('c', 'tif'), ('deep/d', 'png')]:
        save(folder / f'masks/{stem}.{suffix}', np.full((70, 50, 3), 9, np.uint8))
    save(folder / 'images/e.png', picture(5))
    save(folder / 'masks/e.png', np.full((70, 50, 3), 9, np.uint8))


def cut_off_jpeg(folder):
    (folder / 'images/b.png').unlink()
    Image.fromarray(picture(2)).save(folder / 'images/b.jpg')
    damage(folder / 'images/b.jpg')


def remove_all(folder):
    for path in (folder / 'images').rglob('*.*'):
        path.unlink()


def fill_output(folder):
    (folder / 'out').mkdir()
    (folder / 'out/mine.txt').write_text('')


BAD_INPUTS = {
    'no such folder': (lambda d: (d / 'images').rename(d / 'pictures'), [], r'images: no such folder'),
    'empty folder': (remove_all, [], r'images: no image in it'),
    'cut-off PNG': (lambda d: damage(d / 'images/b.png'), [], r'b\.png: file is cut off'),
    'cut-off JPEG': (cut_off_jpeg, [], r'b\.jpg: file is cut off'),
    'cut-off TIFF': (lambda d: damage(d / 'images/c.tif'), [], r'c\.tif: cannot be read'),
    'cut-off mask': (lambda d: damage(d / 'masks/b.png'), [], r'masks/b\.png: file is cut off'),
    'no image': (lambda d: (d / 'images/b.png').write_bytes(b'IEND'), [], r'b\.png: cannot be read'),
    'missing mask': (lambda d: (d / 'masks/b.png').unlink(), [], r'no mask for 1 of 5 images \(.*b\.png\)'),
    'JPEG mask': (lambda d: (d / 'masks/b.png').rename(d / 'masks/b.jpg'), [], r'b\.jpg: a JPEG cannot'),
    'other size': (
        lambda d: save(d / 'masks/c.tif', np.zeros((70, 51, 3), np.uint8)),
        [],
        r'c\.tif: mask of 70 x 51 .* has 70 x 50',
    ),
    'unknown color': (
        lambda d: save(d / 'masks/c.tif', np.full((70, 50, 3), (1, 2, 3), np.uint8)),
        [],
        r'c\.tif: #010203 \(3500 pixels\) not in palette',
    ),
    'unknown colors': (five_unknown_colors, [], r'6 of 6 pairs are unusable: .*a_1.*#090909.* and 3 more; '),
    'index mask': (lambda d: save(d / 'masks/b.png', np.full((70, 50), 1, np.uint8)), [], r'index mask needs'),
    'four bands': (
        lambda d: save(d / 'images/c.tif', np.zeros((70, 50, 4), np.uint8)),
        [],
        r'c\.tif: has 4 band.*, 3 are needed; .*--bands.*LoadPatch\(bands=4\)',
    ),
    '16 bit': (lambda d: save(d / 'images/c.tif', np.zeros((70, 50, 3), np.uint16)), [], r'c\.tif: .*uint16'),
    'one band': (lambda d: save(d / 'images/b.png', np.zeros((70, 50), np.uint8)), [], r'b\.png: has 1 band'),
    'empty file': (lambda d: (d / 'images/c.tif').write_bytes(b''), [], r'c\.tif: file is empty \(0 bytes\)'),
    'empty mask': (lambda d: (d / 'masks/c.tif').write_bytes(b''), [], r'masks/c\.tif: file is empty'),
    'wrong extension': (
        lambda d: (d / 'images/c.tif').rename(d / 'images/c.png'),
        [],
        r'c\.png: is a TIFF by its content, .*; rename it to \.tif',
    ),
    'bands': (lambda d: None, ['--bands', '0'], r'bands is 0'),
    'same stem': (lambda d: save(d / 'images/x/b.tif', picture(2)), [], r"same stem 'b'"),
    'small image': (lambda d: None, ['--patch-size', '64'], r'a_1\.png: image of 70 x 50 .* at most 50'),
    'patch size': (lambda d: None, ['--patch-size', '0'], r'patch size is 0'),
    'stride': (lambda d: None, ['--stride', '33'], r'stride is 33'),
    'fraction': (lambda d: None, ['--label-fractions', '2'], r'label fraction is 2'),
    'workers': (lambda d: None, ['--workers', '0'], r'workers is 0'),
    'palette': (lambda d: None, ['--palette', 'mbrcs'], r"palette 'mbrcs': no such name"),
    'class names': (lambda d: None, ['--classes', 'a'], r'1 classes but 5 colors'),
    'index values': (
        lambda d: [save(path, np.full((70, 50), 77, np.uint8)) for path in (d / 'masks').rglob('*.*')],
        ['--palette', 'xiangtan'],
        r'a_1\.png: values \[77\] are neither classes',
    ),
    'no such list': (lambda d: (d / 'test.txt').unlink(), [], r'test\.txt: no such list'),
    'pattern without match': (lambda d: (d / 'test.txt').write_text('z*\n'), [], r"'z\*' matches no image"),
    'both lists': (lambda d: (d / 'test.txt').write_text('b\n'), [], r"'b' is in the val list too"),
    'nothing to train on': (lambda d: (d / 'test.txt').write_text('[acd]*\n'), [], r'no image is left for training'),
    'output in the way': (fill_output, [], r'out: exists and is not empty; .*--overwrite'),
    'output is not ours': (fill_output, ['--overwrite'], r'out: has no dataset\.json'),
    'output is a file': (lambda d: (d / 'out').write_text(''), [], r'out: is a file'),
}


@pytest.mark.parametrize('case', BAD_INPUTS)
def test_bad_input_is_one_line_and_leaves_no_output(pairs, case, capsys):
    spoil, options, message = BAD_INPUTS[case]
    spoil(pairs)
    before = set(pairs.glob('out*'))
    paths = [str(pairs / name) for name in ('images', 'masks', 'out')]
    lists = ['--val-list', str(pairs / 'val.txt'), '--test-list', str(pairs / 'test.txt')]
    status = main([*paths, *lists, '--palette', 'mbrsc', '--patch-size', '32', *options])
    output = capsys.readouterr()
    assert status == 2
    assert output.out == ''
    lines = [line for line in output.err.splitlines() if line.startswith('error: ')]
    assert lines == output.err.splitlines()
    assert len(lines) == 1
    assert re.search(message, lines[0])
    assert set(pairs.glob('out*')) == before


def test_output_over_the_input_is_refused(pairs):
    with pytest.raises(InputError, match='overlaps the input'):
        convert_color_masks(pairs / 'images', pairs / 'masks', pairs / 'images', MBRSC, CutOptions(32, overwrite=True))
    with pytest.raises(InputError, match='same folder'):
        convert_color_masks(pairs / 'images', pairs / 'images', pairs / 'out', MBRSC, CutOptions(32))


@pytest.mark.skipif(not (SHARED / 'mbrsc').is_dir(), reason=f'no mbrsc imagery in {SHARED}; set FALSE_SHARED_DATA')
def test_real_imagery(tmp_path):
    for stem in ('Tile1_image_part_001', 'Tile2_image_part_001'):  # RGB and palette PNG masks
        for kind, suffix in (('images', 'jpg'), ('masks', 'png')):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / f'{stem}.{suffix}').symlink_to(SHARED / 'mbrsc' / kind / f'{stem}.{suffix}')
    described = convert(tmp_path, patch_size=128, palette=load_palette('mbrsc'))
    assert described['splits']['train']['patches'] == 7 * 6 + 4 * 5
    for stem in ('Tile1_image_part_001', 'Tile2_image_part_001'):
        colors = np.array(Image.open(tmp_path / f'masks/{stem}.png').convert('RGB'))[:128, :128]
        cut = np.array(Image.open(tmp_path / f'out/masks/{stem}_0_0.png'))
        np.testing.assert_array_equal(cut, colors_to_index(colors, MBRSC, stem))


def test_what_is_left_out_is_named(pairs, capsys):
    (pairs / 'images/notes.doc').write_text('x')
    (pairs / 'images/.ipynb_checkpoints').mkdir()
    shutil.copy(pairs / 'images/a_1.png', pairs / 'images/.ipynb_checkpoints/a_1-checkpoint.png')
    shutil.copy(pairs / 'masks/a_1.png', pairs / 'masks/spare.png')
    (pairs / 'images/far').symlink_to(pairs / 'images/deep')
    described = convert(pairs)
    assert sorted(described['sources']) == ['a_1', 'a_2', 'b', 'c', 'd']
    assert {Path(name).name: why for name, why in described['left_out'].items()} == {
        'notes.doc': 'no imagery that is read here',
        'spare.png': 'no image',
    }
    assert json.loads((pairs / 'out/dataset.json').read_text())['left_out'] == described['left_out']
    print_conversion(Conversion(described), str(pairs / 'out'))
    assert 'left out 2 files: ' in capsys.readouterr().out


def test_lossy_masks_are_converted_with_a_tolerance(tmp_path, capsys):
    index = labels(0, 64, 64) % 5
    index = index.repeat(8, 0).repeat(8, 1)[:64, :64]
    save(tmp_path / 'images/a.png', picture(0, 64, 64))
    save(tmp_path / 'masks/a.jpg', index_to_colors(index, MBRSC))
    with pytest.raises(InputError, match=r'a\.jpg: a JPEG cannot hold exact class colors .*--nearest-color 60'):
        convert(tmp_path)
    described = convert(tmp_path, palette=MBRSC.with_tolerance(200))
    nearest = described['nearest_color']
    assert nearest['tolerance'] == 200
    assert 0.5 < nearest['moved_share'] <= 1
    assert 0 < nearest['largest_distance'] <= 200
    assert described['arguments']['tolerance'] == 200
    print_conversion(Conversion(described), str(tmp_path / 'out'))
    said = re.sub(r'\s+', ' ', capsys.readouterr().out)
    assert f'became the nearest color, at a distance of at most {nearest["largest_distance"]:g} (tolerance 200)' in said


def test_a_foreground_of_255_is_not_taken_for_ignored_pixels(tmp_path):
    mask = np.zeros((64, 64), np.uint8)
    mask[:9] = 255
    save(tmp_path / 'images/a.png', picture(0, 64, 64))
    save(tmp_path / 'masks/a.png', mask)
    two = Palette('two', ('no', 'yes'), ((0, 0, 0), (255, 255, 255)))
    with pytest.raises(InputError, match=r'all masks hold nothing but 0 and 255, .*colors #000000 and #FFFFFF'):
        convert(tmp_path, palette=dataclasses.replace(two, index_masks=True))
    assert not (tmp_path / 'out').exists()
    assert convert(tmp_path, palette=two)['splits']['train']['pixels']['yes'] > 0


NAMES = ['tile #1', 'a, b (2)', 'x[1]', '[bold]y[x]', '#start', 'gr\u00fcn', 'ku\u0308hl', "it's 100%", '-dash']


def test_names_with_signs_work_from_lists_to_training(tmp_path, capsys):
    for number, name in enumerate(NAMES):
        save(tmp_path / 'images' / f'{name}.png', picture(number, 16, 16))
        save(tmp_path / 'masks' / f'{name}.png', index_to_colors(labels(number, 16, 16), MBRSC))
    (tmp_path / 'masks' / 'gr\u00fcn.png').rename(tmp_path / 'masks' / 'gru\u0308n.png')  # as other systems spell it
    lines = ['x[1]', 'k\u00fchl # cool', '#start', '# a comment', 'tile #1', '[bold]y*']
    (tmp_path / 'test.txt').write_text('\n'.join(lines), encoding='utf-8')
    described = convert(tmp_path, test_list=tmp_path / 'test.txt', patch_size=16, stride=16)
    test = [NAMES[place] for place in (0, 2, 3, 4, 6)]
    assert {patch['source'] for patch in described['patches'] if patch['split'] == 'test'} == set(test)
    print_conversion(Conversion(described), f'{tmp_path}/[out]')
    assert '[out]' in capsys.readouterr().out
    out = tmp_path / 'out'
    for packed in (False, True):
        if packed:
            pack(out)
        data = UnlabelledPatches(str(out), ann_file='splits/test.txt', packed=packed, pipeline=[dict(type='LoadPatch')])
        for index in range(len(data)):
            stem = Path(data.get_data_info(index)['img_path']).stem
            np.testing.assert_array_equal(data[index]['img'], read_image(tmp_path / f'images/{stem[:-4]}.png'))
