import pickle
import shutil
from logging import WARNING

import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from projects.false import InputError
from projects.false.datasets import mixins as unreadable
from projects.false.datasets.land_cover import LandCoverPatches
from projects.false.datasets.patches import UnlabelledPatches
from projects.false.datasets.seeding import SeededSampler
from projects.false.patch_folder.packing import pack


@pytest.fixture
def root(patches, tmp_path):
    shutil.copytree(patches('synthetic', 64), tmp_path / 'data')
    for path in sorted((tmp_path / 'data' / 'images').iterdir())[2:4]:
        path.write_bytes(path.read_bytes()[:200])
    return tmp_path / 'data'


def data_set(root, limit):
    pipeline = [{'type': 'LoadPatch'}, {'type': 'ContrastiveViews', 'size': 16}]
    return UnlabelledPatches(data_root=str(root), pipeline=pipeline, max_unreadable=limit)


def epoch(data, workers):
    sampler = SeededSampler(data, seed=3)
    return [*DataLoader(data, 2, sampler=sampler, num_workers=workers, collate_fn=pseudo_collate)]


def test_the_first_unreadable_image_stops_by_default(root):
    with pytest.raises(InputError, match=r'_0_192.png: file is cut off \(200 bytes\); copy or download it again$'):
        data_set(root, 0)[2]


def test_the_next_image_stands_in_and_the_path_is_reported_once(root, monkeypatch):
    warnings = []
    monkeypatch.setattr(unreadable, 'print_log', lambda text, logger, level: warnings.append((text, level)))
    data = data_set(root, 2)
    for _ in range(2):  # over epochs
        assert data[1]['sample_idx'] == 1
        assert data[2]['sample_idx'] == data[3]['sample_idx'] == data[4]['sample_idx'] == 4
    assert data.unreadable == [2, 3]
    texts = [text for text, level in warnings if level == WARNING]
    assert len(texts) == 2
    assert 'skipped, 1 of at most 2' in texts[0]
    assert '_0_192.png' in texts[0]
    assert 'skipped, 2 of at most 2' in texts[1]
    assert '_0_64.png' in texts[1]


def test_the_first_image_stands_in_for_the_last(root):
    path = max((root / 'images').iterdir())
    path.write_bytes(b'')
    assert data_set(root, 1)[7]['sample_idx'] == 0


def test_one_more_than_the_limit_stops(root):
    data = data_set(root, 1)
    data.prepare_data(3)
    with pytest.raises(InputError, match=r'_0_192.png: .* \(unreadable image 2, max_unreadable is 1\)'):
        data[2]


def test_workers_share_the_count_and_draw_the_same(root):
    data = data_set(root, 2)
    one, other = epoch(data_set(root, 2), 0), epoch(data, 2)
    for a, b in zip(one, other, strict=True):
        assert a['sample_idx'] == b['sample_idx']
        assert all((x == y).all() for p, q in zip(a['img'], b['img'], strict=True) for x, y in zip(p, q, strict=True))
    assert data.unreadable == [2, 3]  # what the workers found is known here


def test_none_readable(root):
    for path in (root / 'images').iterdir():
        path.write_bytes(b'')
    with pytest.raises(InputError, match='none of the 8 images can be read'):
        data_set(root, 8)[0]


def test_marks_go_along_with_the_data_set(root):
    data = data_set(root, 2)
    data.prepare_data(2)
    assert pickle.loads(pickle.dumps(data)).unreadable == [2, 3]
    assert data_set(root, 2).unreadable == []
    assert torch.equal(data._unreadable, torch.tensor([0, 0, 1, 1, 0, 0, 0, 0], dtype=torch.uint8))


def test_a_mask_with_labels_out_of_range_counts_too(root):
    pipeline = [{'type': 'LoadPatch'}, {'type': 'LoadIndexMask'}]
    metainfo = {'classes': ['all'], 'palette': [[0, 0, 0]]}  # the masks have seven
    options = {'palette': 'synthetic', 'data_root': str(root), 'pipeline': pipeline, 'metainfo': metainfo}
    data = LandCoverPatches(**options, max_unreadable=1)
    with pytest.raises(InputError, match=r'values \[.*max_unreadable is 1'):
        data[4]
    for path in sorted((root / 'images').iterdir())[2:4]:
        shutil.copy(max((root / 'images').iterdir()), path)
    pack(root)
    packed = LandCoverPatches(**options, max_unreadable=1, packed=True)
    with pytest.raises(InputError, match=r'masks.npy/.*values \[.*max_unreadable is 1'):
        packed[4]
    assert packed.unreadable == [4]


@pytest.mark.parametrize('limit', [-1, 1.5, True])
def test_limit_out_of_range(root, limit):
    with pytest.raises(InputError, match=f'max_unreadable is {limit}'):
        data_set(root, limit)


def test_a_test_leaves_nothing_out(root):
    with pytest.raises(InputError, match='max_unreadable is 3 with test_mode'):
        LandCoverPatches('synthetic', str(root), test_mode=True, max_unreadable=3)
