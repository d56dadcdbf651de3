import shutil

import cv2
import numpy as np
import pytest
import torch

from projects.false import InputError
from projects.false.datasets.labelled_patches import ProbePatches
from projects.false.patch_folder.packing import pack


@pytest.fixture
def data(patches, tmp_path):
    return shutil.copytree(patches('mbrsc', 64), tmp_path / 'data')


def names_of(data, split='train'):
    return (data / 'splits' / f'{split}.txt').read_text().split()


def test_a_patch_has_the_class_of_most_labelled_pixels(data):
    names = names_of(data)
    mask = np.full((64, 64), 255, np.uint8)
    mask[:5, :5], mask[5:8, :5] = 3, 1
    cv2.imwrite(str(data / 'masks' / f'{names[0]}.png'), mask)
    cv2.imwrite(str(data / 'masks' / f'{names[1]}.png'), np.full((64, 64), 255, np.uint8))
    found = ProbePatches(data, 'splits/train.txt', 100)
    assert len(found) == len(names) - 1  # one has no labelled pixel
    assert found.labels[0] == 3
    for number, name in enumerate(names[2:], start=1):
        pixels = cv2.imread(str(data / 'masks' / f'{name}.png'), cv2.IMREAD_UNCHANGED).ravel()
        assert found.labels[number] == np.bincount(pixels[pixels != 255]).argmax()
    image = cv2.imread(str(data / 'images' / f'{names[0]}.png')).transpose(2, 0, 1)
    assert torch.equal(found.image(0), torch.from_numpy(image))
    assert len(ProbePatches(data, 'splits/train.txt', 2)) == 2


def test_packed_patches_are_used_where_there_are_no_files(data):
    files = ProbePatches(data, 'splits/test.txt', 100)
    assert files.names() == names_of(data, 'test')
    expected = [files.image(number) for number in range(len(files))]
    pack(data)
    shutil.rmtree(data / 'images')
    packed = ProbePatches(data, 'splits/test.txt', 100)
    assert packed.names() == names_of(data, 'test')
    assert torch.equal(packed.labels, files.labels)
    assert all(torch.equal(packed.image(number), image) for number, image in enumerate(expected))


def test_unusable_data_ends_with_its_reason(data):
    with pytest.raises(InputError, match=r'other\.txt: no such list'):
        ProbePatches(data, 'splits/other.txt', 10)
    for name in names_of(data):
        cv2.imwrite(str(data / 'masks' / f'{name}.png'), np.full((64, 64), 255, np.uint8))
    with pytest.raises(InputError, match='no patch with a labelled pixel'):
        ProbePatches(data, 'splits/train.txt', 10)
    shutil.rmtree(data / 'masks')
    with pytest.raises(InputError, match='no labels'):
        ProbePatches(data, 'splits/train.txt', 10)


def test_names_hold_the_folders_below_the_images(data):
    name = names_of(data)[0]
    for kind in ('images', 'masks'):
        (data / kind / 'north' / 'a').mkdir(parents=True)
        shutil.move(data / kind / f'{name}.png', data / kind / 'north' / 'a')
    (data / 'splits' / 'one.txt').write_text(f'north/a/{name}\n')
    assert ProbePatches(data, 'splits/one.txt', 10).names() == [f'north/a/{name}']
