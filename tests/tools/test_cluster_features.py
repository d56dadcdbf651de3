"""tools/cluster_features.py: maps that follow the features, for image files and packed patches, and what it refuses."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from projects.false.engine.config import load_config
from projects.false.evaluation.feature_clusters import FrozenNetwork
from projects.false.imagery.images import read_image, write_patch
from projects.false.patch_folder.packing import pack
from tests.helpers.networks import build
from tests.helpers.tools import REPOSITORY, main_of

RECIPE = REPOSITORY / 'configs' / 'simclr_r18_synthetic.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Patches whose left half is smooth and whose right half is rough, and one of another size."""
    folder = tmp_path_factory.mktemp('data')
    (folder / 'images' / 'north').mkdir(parents=True)
    for number in range(4):
        generator = np.random.default_rng(number)
        image = np.full((96, 96, 3), 90, np.uint8)
        image[:, 48:] = generator.integers(0, 256, (96, 48, 3))
        write_patch(folder / 'images' / 'north' / f'p{number}', image[: 64 if number == 3 else 96])
    return folder


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    torch.manual_seed(0)
    backbone = build('mmpretrain', 18)
    path = tmp_path_factory.mktemp('weights') / 'backbone.pth'
    torch.save({'state_dict': {f'backbone.{name}': value for name, value in backbone.state_dict().items()}}, path)
    return path


@pytest.fixture
def cluster(tmp_path, weights):
    def run(data, *arguments):
        given = [RECIPE, data, '--weights', weights, '--out', tmp_path / 'maps', '--clusters', 2, *arguments]
        return main_of('cluster_features')([*map(str, given)])

    return run


def read_maps(folder):
    return {path.stem: cv2.imread(str(path), -1) for path in sorted(folder.rglob('*.png'))}


def test_every_pixel_gets_the_cluster_of_its_feature(cluster, data, weights, tmp_path):
    assert cluster(data, '--stage', 0, '--batch-size', 3) == 0
    maps = read_maps(tmp_path / 'maps')
    assert {name: kinds.shape for name, kinds in maps.items()} == {
        'p0': (96, 96),
        'p1': (96, 96),
        'p2': (96, 96),
        'p3': (64, 96),
    }
    assert (tmp_path / 'maps' / 'north' / 'p0.png').is_file()
    for kinds in maps.values():
        smooth, rough = np.bincount(kinds[8:-8, 8:40].ravel()).argmax(), np.bincount(kinds[:, 56:].ravel()).argmax()
        assert smooth != rough
    facts = json.loads((tmp_path / 'maps' / 'maps.json').read_text())
    assert facts['kinds'] == 2
    assert facts['weights'] == str(weights)
    # Two features of one cluster are closer to their mean than to that of the other cluster.
    network = FrozenNetwork(load_config(str(RECIPE)), str(weights), 0)
    found = network.features([read_image(data / 'images' / 'north' / 'p0.png')])[0]
    assert found.shape == (24, 24, 64)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)
    cells = maps['p0'][2::4, 2::4]
    means = [found[cells == kind].mean(0) for kind in (0, 1)]
    distances = np.stack([((found - mean) ** 2).sum(-1) for mean in means])
    assert (distances.argmin(0) == cells).mean() > 0.9


def test_the_same_maps_again_and_from_packed_patches(cluster, data, tmp_path, capsys):
    same = tmp_path / 'data'
    shutil.copytree(data, same)
    (same / 'images' / 'north' / 'p3.png').unlink()
    assert cluster(same) == 0
    first = read_maps(tmp_path / 'maps')
    assert cluster(same) == 2
    assert 'exists and is not empty' in capsys.readouterr().err
    pack(same)
    shutil.rmtree(same / 'images')
    assert cluster(same, '--overwrite', '--batch-size', 1) == 0
    again = read_maps(tmp_path / 'maps')
    assert again.keys() == first.keys()
    assert all((again[name] == first[name]).mean() > 0.99 for name in first)


def test_a_stage_of_a_network_of_timm(data, tmp_path):
    """ImageNet weights from the installed package, at stride 8 instead of 32."""
    recipe = REPOSITORY / 'configs' / 'false_simclr_lite0_mbrsc.py'
    given = [recipe, data, '--out', tmp_path / 'maps', '--clusters', 2, '--stage', 1]
    assert main_of('cluster_features')([*map(str, given)]) == 0
    kinds = read_maps(tmp_path / 'maps')['p0']
    cells = kinds.reshape(12, 8, 12, 8)
    assert (cells == cells[:, :1, :, :1]).all()
    blocks = kinds.reshape(3, 32, 3, 32)
    assert (blocks != blocks[:, :1, :, :1]).any()  # not the cells of the last stage


def test_what_it_refuses(cluster, data, tmp_path, capsys):
    for arguments, text in (
        (['--cfg-options', 'model.backbone.depth=34'], 'does not fit the backbone'),
        (['--weights', tmp_path / 'gone.pth'], 'gone.pth'),
        (['--clusters', 255], 'clusters is 255; give 2 to 254'),
        (['--seed', -1], 'seed is -1; give 0 or more'),
        (['--list', 'splits/gone.txt'], 'gone.txt: no such list'),
    ):
        assert cluster(data, *arguments) == 2
        assert text in capsys.readouterr().err
        assert not (tmp_path / 'maps').exists()
    given = [RECIPE, data, '--out', tmp_path / 'maps']
    assert main_of('cluster_features')([*map(str, given)]) == 2
    assert 'its backbone has no weights; give --weights FILE' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cluster(data, '--stage', 4)
    assert '--stage is 4; give 0 to 3' in capsys.readouterr().err


def test_patches_of_one_name_are_refused_before_the_work(cluster, data, tmp_path, capsys):
    same = shutil.copytree(data, tmp_path / 'same')
    image = same / 'images' / 'north' / 'p0.png'
    cv2.imwrite(str(image.with_suffix('.jpg')), cv2.imread(str(image)))
    (tmp_path / 'maps').touch()  # work would end here
    assert cluster(same) == 2
    assert 'maps: several patches would have the map north/p0.png; give every patch' in capsys.readouterr().err
    (tmp_path / 'maps').unlink()
    (same / 'one.txt').write_text('north/p0.jpg\n')
    assert cluster(same, '--list', 'one.txt') == 0
    assert 'wrote 1 maps' in capsys.readouterr().out
    assert list(read_maps(tmp_path / 'maps')) == ['p0']


def test_configs_without_the_parts_that_it_takes(data, weights, tmp_path, capsys):
    benchmark = REPOSITORY / 'configs' / 'benchmarks' / 'quickstart.py'
    bare, headless = tmp_path / 'bare.py', tmp_path / 'headless.py'
    bare.write_text("model = dict(backbone=dict(type='mmpretrain.ResNet', depth=18))\n")
    headless.write_text('model = dict(data_preprocessor=dict(mean=[0, 0, 0], std=[1, 1, 1]))\n')
    for config, text in (
        (benchmark, 'quickstart.py: model is None, a dict is needed here'),
        (bare, 'bare.py: has no model.data_preprocessor with mean and std; give a pretraining or'),
        (headless, 'headless.py: has no model.backbone with type; give a pretraining or'),
    ):
        given = [config, data, '--weights', weights, '--out', tmp_path / 'maps']
        assert main_of('cluster_features')([*map(str, given)]) == 2
        assert text in capsys.readouterr().err
