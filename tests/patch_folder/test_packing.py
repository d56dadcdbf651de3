import os
import resource
import shutil
import unicodedata

import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.imagery.images import read_image, write_patch
from projects.false.patch_folder.packing import pack


@pytest.fixture
def root(tmp_path):
    generator = np.random.default_rng(0)
    for name in ('b.png', 'a.jpg', 'deep/c.tif', 'a/d.png'):
        path = tmp_path / 'data' / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), generator.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return tmp_path / 'data'


def mask_for(root, name, values, shape=(6, 8)):
    path = root / 'masks' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(shape, values, np.uint8))


def test_pixels_and_names_in_the_order_of_the_files(root):
    packed, made = pack(root)
    assert made
    assert [packed.name(row) for row in range(4)] == ['a/d.png', 'a.jpg', 'b.png', 'deep/c.tif']
    for row in range(4):
        assert (packed.image(row) == read_image(root / 'images' / packed.name(row))).all()
    assert packed.labelled is None
    assert np.load(root / 'packed' / 'images.npy').shape == (4, 6, 8, 3)


def test_masks_where_they_exist(root):
    mask_for(root, 'b.png', 3)
    mask_for(root, 'deep/c.tif', 5)
    packed, _ = pack(root)
    assert packed.labelled.tolist() == [False, False, True, True]
    assert (packed.mask(2) == 3).all()
    assert (packed.mask(3) == 5).all()


def test_masks_that_are_packed_and_nowhere_else_are_not_lost(root):
    mask_for(root, 'b.png', 3)
    pack(root)
    shutil.rmtree(root / 'masks')
    for prepare in (lambda: None, lambda: shutil.copy(root / 'images' / 'b.png', root / 'images' / 'new.png')):
        prepare()
        with pytest.raises(InputError, match=r"packed: holds masks of .*masks, .*; put them back, or give --masks '' "):
            pack(root)
    (root / 'masks').mkdir()
    with pytest.raises(InputError, match=r'packed: holds masks of'):
        pack(root)
    assert np.load(root / 'packed' / 'labelled.npy').tolist() == [False, False, True, False]
    packed, made = pack(root, masks='')
    assert (made, packed.labelled, len(packed)) == (True, None, 5)


def test_masks_in_the_other_unicode_form(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, 'é') for form in ('NFC', 'NFD'))
    (tmp_path / 'images').mkdir()
    for name in ('a', composed, decomposed, f'{decomposed}2'):
        write_patch(tmp_path / 'images' / name, np.zeros((6, 8, 3), np.uint8))
    mask_for(tmp_path, f'{composed}.png', 1)
    mask_for(tmp_path, f'{composed}2.png', 2)
    notes: list[str] = []
    packed, _ = pack(tmp_path, note=notes.append)
    found = {packed.name(row): int(packed.mask(row)[0, 0]) for row in range(4)}
    # The mask that is named like one image to the letter is not given to another one.
    assert found == {'a.png': 255, f'{composed}.png': 1, f'{decomposed}.png': 255, f'{decomposed}2.png': 2}
    assert notes == []


def test_more_bands_as_the_description_says(tmp_path):
    (tmp_path / 'images').mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 5), dtype=np.uint8)
    for number, image in enumerate(pixels):
        write_patch(tmp_path / 'images' / f'{number}', image)
    (tmp_path / 'dataset.json').write_text('{"patches": [], "bands": {"count": 5}}')
    packed, _ = pack(tmp_path)
    assert (np.array([packed.image(0), packed.image(1)]) == pixels).all()


@pytest.mark.parametrize('content', ['{', '{"bands": {"count": 5}}', '{"patches": []}'])
def test_a_description_without_bands(root, content):
    shutil.rmtree(root / 'packed', ignore_errors=True)
    (root / 'dataset.json').write_text(content)
    with pytest.raises(InputError, match=r'dataset\.json: states no number of bands .*give --bands'):
        pack(root)
    assert pack(root, bands=3)[1]


def test_again_changes_nothing_until_something_changed(root):
    packed, _ = pack(root)
    inode = os.stat(packed.folder / 'images.npy').st_ino
    assert pack(root)[1] is False
    assert os.stat(packed.folder / 'images.npy').st_ino == inode
    cv2.imwrite(str(root / 'images' / 'b.png'), np.zeros((6, 8, 3), np.uint8))  # same name, other pixels
    packed, made = pack(root)
    assert made
    assert not packed.image(2).any()


def test_another_number_of_bands_packs_again(tmp_path):
    (tmp_path / 'images').mkdir()
    write_patch(tmp_path / 'images' / 'a', np.random.default_rng(0).integers(0, 256, (6, 8, 5), np.uint8))
    assert pack(tmp_path, bands=5)[1]
    assert not pack(tmp_path, bands=5)[1]
    for call in ({'bands': 3}, {}):
        with pytest.raises(InputError, match=r'a\.tif: has 5 band\(s\)'):
            pack(tmp_path, **call)


@pytest.mark.parametrize('bands', [0, -1])
def test_bands_below_1(root, bands):
    with pytest.raises(InputError, match=f'bands must be an integer of at least 1, got {bands}'):
        pack(root, bands=bands)


def test_a_folder_named_like_a_list(root):
    (root / 'splits' / 'x.txt').mkdir(parents=True)
    assert pack(root)[1]
    assert not pack(root)[1]


def test_a_new_list_is_added_to_what_is_packed(root):
    pack(root)
    (root / 'splits').mkdir()
    (root / 'splits' / 'train.txt').write_text('deep/c\nb.png\n')
    packed, made = pack(root)
    assert not made
    stored = packed.stored_list((root / 'splits' / 'train.txt').read_bytes())
    assert np.load(stored).tolist() == [3, 2]


def test_unequal_and_damaged_patches_are_named(root):
    for name in ('b.png', 'e.png'):
        cv2.imwrite(str(root / 'images' / name), np.zeros((6, 9, 3), np.uint8))
    (root / 'images' / 'f.png').write_bytes(b'')
    with pytest.raises(InputError, match=r'3 of 6 .*b\.png: 6 x 9 pixels, but .*6 x 8.*e\.png: 6 x 9.*f\.png') as error:
        pack(root)
    assert '\n' not in str(error.value)
    assert sorted(path.name for path in root.iterdir()) == ['images']


@pytest.mark.parametrize(('shape', 'text'), [((6, 9), 'mask of 6 x 9'), ((6, 8, 3), 'index mask has one')])
def test_mask_that_does_not_fit(root, shape, text):
    mask_for(root, 'b.png', range(shape[-1]), shape)
    with pytest.raises(InputError, match=f'b.png: .*{text}'):
        pack(root)


def test_earlier_pack_survives_a_failed_one(root):
    packed, _ = pack(root)
    before = packed.image(2)
    (root / 'images' / 'z.png').write_bytes(b'\x89PNG')
    with pytest.raises(InputError, match=r'z.png'):
        pack(root)
    assert (np.load(root / 'packed' / 'images.npy')[2] == before).all()
    assert not list(root.glob('packed.*'))


def test_full_disk_leaves_nothing(root):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))  # bytes in one file
    try:
        with pytest.raises(InputError, match=r'writing failed.*make room'):
            pack(root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(path.name for path in root.iterdir()) == ['images']


def test_too_little_room_is_said_at_once(root, monkeypatch):
    free = shutil.disk_usage(root)._replace(free=500)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: free)
    with pytest.raises(InputError, match=r'needs 576 bytes, 500 are free'):
        pack(root)


def test_nothing_to_pack(tmp_path):
    with pytest.raises(InputError, match=r'no such folder.*--images'):
        pack(tmp_path)
    (tmp_path / 'images').mkdir()
    with pytest.raises(InputError, match=r'holds no image'):
        pack(tmp_path)
