"""Packed patches as data sets read them: the same samples as files give, or a word on what is wrong."""

import json
import os
import pickle
import shutil

import cv2
import mmseg.datasets  # noqa: F401  registers PackSegInputs
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, init_default_scope
from torch.utils.data import DataLoader

from projects.false import InputError
from projects.false.datasets.land_cover import LandCoverPatches
from projects.false.datasets.patches import UnlabelledPatches
from projects.false.datasets.seeding import SeededSampler
from projects.false.patch_folder.packed import PackedPatches
from projects.false.patch_folder.packing import pack

VIEWS = [{'type': 'LoadPatch'}, {'type': 'ContrastiveViews', 'size': 16}]
LABELS = [
    {'type': 'LoadPatch'},
    {'type': 'LoadIndexMask'},
    {'type': 'mmseg.RandomCrop', 'crop_size': (32, 32)},
    {'type': 'mmseg.PackSegInputs'},
]


@pytest.fixture
def root(patches, tmp_path):
    shutil.copytree(patches('synthetic', 64), tmp_path / 'data')
    pack(tmp_path / 'data')
    return tmp_path / 'data'


def unlabelled(root, packed, pipeline=VIEWS, **kwargs):
    return UnlabelledPatches(data_root=str(root), packed=packed, pipeline=pipeline, **kwargs)


def labelled(root, packed, **kwargs):
    kwargs.setdefault('ann_file', 'splits/train_50pct.txt')
    return LandCoverPatches('synthetic', str(root), packed=packed, pipeline=LABELS, **kwargs)


def batches(data, workers):
    init_default_scope('mmseg')
    sampler = SeededSampler(data, seed=3)
    return [*DataLoader(data, 2, sampler=sampler, num_workers=workers, collate_fn=pseudo_collate)]


@pytest.mark.parametrize('ann_file', ['', 'splits/pretrain.txt'])
def test_the_same_views_in_the_same_order(root, ann_file):
    files = batches(unlabelled(root, False, ann_file=ann_file), 0)
    packed = batches(unlabelled(root, True, ann_file=ann_file), 2)
    assert len(files) == len(packed) == (4 if not ann_file else 2)
    for one, other in zip(files, packed, strict=True):
        assert one['sample_idx'] == other['sample_idx']
        for view, same in zip(one['img'], other['img'], strict=True):
            assert all((a == b).all() for a, b in zip(view, same, strict=True))
        for path, address in zip(one['img_path'], other['img_path'], strict=True):
            assert address == path.replace('/images/', '/packed/images.npy/')


def test_the_same_images_and_labels(root):
    one, other = batches(labelled(root, False), 0), batches(labelled(root, True), 0)
    assert len(one) == len(other) == 1
    for a, b in zip(one, other, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a['inputs'], b['inputs'], strict=True))
        for x, y in zip(a['data_samples'], b['data_samples'], strict=True):
            assert torch.equal(x.gt_sem_seg.data, y.gt_sem_seg.data)
            assert x.ori_shape == y.ori_shape


def test_a_spawned_worker_gets_paths(root):
    data = unlabelled(root, True, ann_file='splits/pretrain.txt')
    pixels = (root / 'packed' / 'images.npy').stat().st_size
    assert len(pickle.dumps(data)) < 4000 < pixels
    copy = pickle.loads(pickle.dumps(data))
    assert len(copy) == len(data)
    for place in range(len(data)):
        assert copy.get_data_info(place)['img_path'] == data.get_data_info(place)['img_path']
    data = pickle.dumps(data)
    lines = (root / 'splits' / 'pretrain.txt').read_text().split()
    (root / 'splits' / 'pretrain.txt').write_text('\n'.join(lines[1:]))
    with pytest.raises(InputError, match='changed while it was in use'):
        pickle.loads(data).get_data_info(0)


def test_some_of_the_patches(root):
    files, packed = unlabelled(root, False), unlabelled(root, True)
    for indices in (3, -2, [4, 1]):
        wanted = [files.get_subset(indices).get_data_info(i)['img_path'] for i in (0, 1)]
        by_argument = unlabelled(root, True, indices=indices)
        for data in (packed.get_subset(indices), by_argument):
            assert len(data) == (abs(indices) if isinstance(indices, int) else 2)
            found = [data.get_data_info(i)['img_path'] for i in (0, 1)]
            assert found == [path.replace('/images/', '/packed/images.npy/') for path in wanted]
            assert data.get_data_info(-1)['sample_idx'] == len(data) - 1
    with pytest.raises(IndexError):
        packed.get_data_info(8)


def test_lists_of_any_kind_are_looked_up(root):
    (root / 'images' / 'sub').mkdir()
    first = (root / 'splits' / 'pretrain.txt').read_text().split()[0]
    cv2.imwrite(str(root / 'images' / 'sub' / f'{first}.png'), np.zeros((64, 64, 3), np.uint8))
    cv2.imwrite(str(root / 'images' / f'{first}.jpg'), np.zeros((64, 64, 3), np.uint8))
    pack(root)
    for text in (f'sub/{first}\n{first}.jpg\n', f'{first}.png\n\n sub/{first}.png \n'):
        (root / 'list.txt').write_text(text)
        files, packed = unlabelled(root, False, ann_file='list.txt'), unlabelled(root, True, ann_file='list.txt')
        for place in range(2):
            found = packed.get_data_info(place)['img_path'].split('images.npy')[1]
            assert found == files.get_data_info(place)['img_path'].split('images')[1]
    for text, message in (
        (f'{first}\n', f"'{first}' stands for {first}.jpg, {first}.png; add the suffix"),
        (f'sub/{first}\nsub/{first}.png.and_more\n', f"1 of 2 .* 'sub/{first}.png.and_more'; run: python tools/pack"),
        ('', 'the list is empty'),
    ):
        (root / 'list.txt').write_text(text)
        with pytest.raises(InputError, match=message):
            unlabelled(root, True, ann_file='list.txt')


def test_lists_of_the_time_of_packing_are_not_looked_up(root):
    packed, path = PackedPatches(root / 'packed'), root / 'splits' / 'pretrain.txt'
    rows = packed.rows(path)
    assert isinstance(rows, np.memmap)
    names = path.read_text().split()
    assert [packed.name(row) for row in rows] == [f'{name}.png' for name in names]
    path.write_text('\n'.join(names[::-1]))
    assert not isinstance(packed.rows(path), np.memmap)
    assert packed.rows(path).tolist() == rows.tolist()[::-1]
    packed.stored_list(path.read_bytes()).write_bytes(b'damaged')
    with pytest.raises(InputError, match=r'lists/.*not readable.*tools/pack.py'):
        packed.rows(path)
    pack(root)
    assert packed.rows(path).tolist() == rows.tolist()[::-1]


def test_labels_are_checked_and_named(root):
    path = next((root / 'masks').glob('*.png'))
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    mask[0, 0] = 7
    cv2.imwrite(str(path), mask)
    pack(root)
    data = labelled(root, True, ann_file='')
    place = sorted(path.name for path in (root / 'masks').iterdir()).index(path.name)
    with pytest.raises(InputError, match=rf'packed/masks.npy/{path.name}: values \[7\]'):
        data[place]


def test_a_missing_mask_is_an_error(root):
    path = min((root / 'masks').glob('train*.png'))
    path.unlink()
    pack(root)
    with pytest.raises(InputError, match=f'no mask for {path.name}'):
        labelled(root, True, ann_file='splits/train.txt')
    assert len(labelled(root, True, ann_file='splits/test.txt')) == 4
    shutil.rmtree(root / 'masks')
    pack(root, masks='')
    with pytest.raises(InputError, match='packed without masks'):
        labelled(root, True)


@pytest.mark.parametrize('name', ['images.npy', 'masks.npy', 'names.npy', 'keys.npy'])
def test_a_cut_off_or_missing_file(root, name):
    path = root / 'packed' / name
    size = path.stat().st_size
    os.truncate(path, size - 1)
    with pytest.raises(
        InputError, match=rf'{name}: has {size - 1} bytes, not {size}; run: python tools/pack.py {root}'
    ):
        unlabelled(root, True)
    path.unlink()
    with pytest.raises(InputError, match=f'{name}: no such file; run: python tools/pack.py'):
        unlabelled(root, True)


def test_damage_that_keeps_the_size(root):
    with open(root / 'packed' / 'images.npy', 'r+b') as file:
        file.write(b'nothing')
    with pytest.raises(InputError, match=r'images.npy: not readable .*tools/pack.py'):
        unlabelled(root, True)


@pytest.mark.parametrize(
    ('content', 'text'),
    [
        (None, 'no packed patches'),
        ('{"format": 99}', 'format 99, this version reads format 1'),
        ('{"for', 'not readable'),
    ],
)
def test_description(root, content, text):
    path = root / 'packed' / 'packed.json'
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(InputError, match=rf'packed.json: {text}.*run: python tools/pack.py {root}'):
        unlabelled(root, True)


def test_data_that_changed_since(root):
    path = next((root / 'images').glob('*.png'))
    extra = path.with_name('extra.png')
    shutil.copy(path, extra)
    with pytest.raises(InputError, match=r'out of date.*holds 9 images, 8 were packed; run: python tools/pack.py'):
        unlabelled(root, True)
    path.unlink()
    with pytest.raises(InputError, match='images of other names'):
        unlabelled(root, True)
    pack(root)
    assert len(unlabelled(root, True)) == 8
    next((root / 'masks').glob('*.png')).unlink()
    with pytest.raises(InputError, match='masks holds 7 images, 8 were packed'):
        unlabelled(root, True)


def test_a_copy_and_the_packed_form_alone(root, tmp_path):
    shutil.copytree(root, tmp_path / 'copy', copy_function=shutil.copyfile)  # other times of change
    os.utime(tmp_path / 'copy' / 'images', ns=(0, 0))
    assert len(unlabelled(tmp_path / 'copy', True)) == 8
    (tmp_path / 'alone').mkdir()
    for part in ('packed', 'splits'):
        shutil.copytree(root / part, tmp_path / 'alone' / part)
    data = unlabelled(tmp_path / 'alone', True, ann_file='splits/train.txt')
    assert data[0]['img'][0].shape == (16, 16, 3)
    shutil.move(root / 'packed', tmp_path / 'fast_disk')
    assert len(unlabelled(root, str(tmp_path / 'fast_disk'))) == 8


def test_the_way_out_names_the_data_set_and_its_folders(root, tmp_path):
    shutil.move(root / 'packed', tmp_path / 'fast_disk')
    extra = shutil.copy(next((root / 'images').glob('*.png')), root / 'images' / 'extra.png')
    with pytest.raises(InputError, match=rf'run: python tools/pack.py {root} and move {root}/packed to .*/fast_disk$'):
        unlabelled(root, str(tmp_path / 'fast_disk'))
    pack(root / 'images', images='')
    shutil.copy(extra, root / 'images' / 'another.png')
    with pytest.raises(InputError, match=rf"out of date.*run: python tools/pack.py {root}/images --images ''$"):
        unlabelled(root / 'images', True, data_prefix=dict(img_path=''))


def test_another_folder_than_was_packed(root):
    (root / 'irrg').mkdir()
    with pytest.raises(InputError, match=r"img_path is .*irrg; set it to 'images', or run: .*--images FOLDER"):
        unlabelled(root, True, data_prefix={'img_path': 'irrg'})


def test_bands_are_those_of_the_pipeline(root):
    data = unlabelled(root, True, pipeline=[{'type': 'LoadPatch', 'bands': 4}])
    with pytest.raises(InputError, match=r'images.npy/.*: has 3 band\(s\), 4 are needed'):
        data[0]


def test_a_config_says_it_with_one_key(root):
    config = {'type': 'UnlabelledPatches', 'data_root': str(root), 'packed': True, 'pipeline': VIEWS[:1]}
    data = DATASETS.build(config)
    assert data[0]['img'].dtype == np.uint8
    assert 'read_image' not in data[0]
    description = json.loads((root / 'packed' / 'packed.json').read_text())
    assert description['patches'] == len(PackedPatches(root / 'packed')) == 8
