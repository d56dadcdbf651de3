"""tools/analysis_tools/map_appearance.py: true maps, maps of other patches, and what it refuses."""

import json

import cv2
import numpy as np
import pytest

from projects.false.datasets.view_evidence import ViewMaps
from projects.false.imagery.images import write_patch
from projects.false.patch_folder.appearance import Appearance, fit_folder
from tests.helpers.tools import main_of


@pytest.fixture
def data(tmp_path):
    """Five patches of one colour each, and their clusters."""
    for number in range(5):
        image = np.full((40, 40, 3), 50 * number, np.uint8)
        (tmp_path / 'data' / 'images' / 'north').mkdir(parents=True, exist_ok=True)
        write_patch(tmp_path / 'data' / 'images' / 'north' / f'p{number}.png', image)
    fit_folder(tmp_path / 'data', clusters=5, pixels=4).write(tmp_path / 'data' / 'appearance.json')
    return tmp_path / 'data'


@pytest.fixture
def write(data, tmp_path):
    def run(*arguments):
        return main_of('analysis_tools/map_appearance')([*map(str, (data, '--out', tmp_path / 'maps', *arguments))])

    return run


def read(folder):
    return {path.stem: cv2.imread(str(path), -1) for path in sorted(folder.rglob('*.png'))}


def test_maps_are_those_that_evidence_sees(write, data, tmp_path):
    assert write() == 0
    found, fitted = read(tmp_path / 'maps'), Appearance.read(data / 'appearance.json')
    windows = np.array([[0, 0, 40, 40], [3, 3, 9, 9]])
    step = ViewMaps(str(tmp_path / 'maps'))
    for name, kinds in found.items():
        path = data / 'images' / 'north' / f'{name}.png'
        image = cv2.imread(str(path))
        assert len(np.unique(kinds)) == 1
        results = {'img_path': str(path), 'views_of': image, 'view_windows': windows}
        np.testing.assert_allclose(step.transform(results)['evidence'], fitted.shares(image, windows))
    assert len({int(kinds[0, 0]) for kinds in found.values()}) == 5
    facts = json.loads((tmp_path / 'maps' / 'maps.json').read_text())
    assert (facts['kinds'], facts['shuffled']) == (5, None)


def test_shuffled_maps_are_the_same_maps_of_other_patches(write, tmp_path):
    assert write() == 0
    own = {name: int(kinds[0, 0]) for name, kinds in read(tmp_path / 'maps').items()}
    assert write('--shuffled', 0) == 2  # the folder is taken
    assert write('--shuffled', 0, '--overwrite') == 0
    other = {name: int(kinds[0, 0]) for name, kinds in read(tmp_path / 'maps').items()}
    assert sorted(other.values()) == sorted(own.values())
    assert all(other[name] != own[name] for name in own)
    assert json.loads((tmp_path / 'maps' / 'maps.json').read_text())['shuffled'] == 0
    assert write('--shuffled', 0, '--overwrite') == 0
    assert other == {name: int(kinds[0, 0]) for name, kinds in read(tmp_path / 'maps').items()}


def test_what_it_refuses(write, data, tmp_path, capsys):
    write_patch(data / 'images' / 'north' / 'small.png', np.zeros((20, 40, 3), np.uint8))
    assert write('--shuffled', 1) == 2
    assert '--shuffled needs patches of one size' in capsys.readouterr().err
    assert not (tmp_path / 'maps').exists()
    assert write() == 0
    (data / 'appearance.json').unlink()
    assert write('--overwrite') == 2
    assert 'make it with tools/fit_appearance.py DATA' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        write('--shuffled', -1)
    assert '--shuffled is -1; give a seed of at least 0' in capsys.readouterr().err
