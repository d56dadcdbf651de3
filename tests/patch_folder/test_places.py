"""Places of patches by name, and descriptions that do not tell them."""

import json
from pathlib import Path

import pytest

from projects.false import InputError
from projects.false.patch_folder.places import Places, described_folder, name_of_patch


def describe(folder, patches):
    (folder / 'dataset.json').write_text(json.dumps({'patches': patches}))
    return folder


PATCHES = [
    {'name': 'west_0_64', 'source': 'west', 'row': 0, 'col': 64},
    {'name': 'east_32_0', 'source': 'east', 'row': 32, 'col': 0},
    {'name': 'Süd_0_0', 'source': 'Süd', 'row': 0, 'col': 0},
]


def test_places_of_patches(tmp_path):
    places = Places(describe(tmp_path, PATCHES))
    assert places.sources == ['Süd', 'east', 'west']
    found = places.of(['east_32_0', 'west_0_64', 'north/west_0_64', 'Su\u0308d_0_0'])
    assert found.tolist() == [[1, 32, 0], [2, 0, 64], [2, 0, 64], [0, 0, 0]]


@pytest.mark.parametrize('name', ['west_0_6', 'west_0_640', 'zz', ''])
def test_an_unknown_patch(tmp_path, name):
    with pytest.raises(InputError, match=f'dataset.json: does not know the patch {name!r}; convert'):
        Places(describe(tmp_path, PATCHES)).of([name])


def test_patches_without_a_place(tmp_path):
    with pytest.raises(InputError, match=r'no dataset.json here or above'):
        described_folder(tmp_path / 'images' / 'deep')
    with pytest.raises(InputError, match=r"dataset.json: a patch has no 'row', so its place is unknown"):
        Places(describe(tmp_path, [{'name': 'a', 'source': 'b'}]))
    assert described_folder(describe(tmp_path, PATCHES) / 'images' / 'deeper') == tmp_path


def test_the_name_of_a_patch():
    assert name_of_patch(Path('data/images/north/p0.png')) == 'north/p0'
    assert name_of_patch(Path('data/packed/images.npy/north/p0.tif')) == 'north/p0'
    assert name_of_patch(Path('elsewhere/p0.png')) == 'p0'
