import numpy as np
import pytest
import timm
import torch

from projects.false.common.errors import InputError
from projects.false.engine.checkpoints.mmengine_loader import local_file
from projects.false.engine.weights.timm_names import timm_names
from projects.false.selection.features import load_backbone, write_features
from tests.helpers.networks import build, randomise

THREE = {'bands': {'names': ['red', 'green', 'blue']}}
FOUR = {'bands': {'names': list('rgbn')}, 'mean': [90.0, 91, 92, 93], 'std': [40.0, 41, 42, 43]}


def save(path, bands=3):
    network = randomise(build('timm', 18, bands))
    torch.save({'state_dict': network.state_dict(), 'meta': {}}, path)
    return str(path), network.eval()


def patches(count, bands=3, side=32):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, bands), np.uint8)


@pytest.mark.parametrize('description', [THREE, FOUR])
def test_features_are_those_of_the_library(tmp_path, description):
    bands = len(description['bands']['names'])
    path, network = save(tmp_path / 'backbone.pth', bands)
    images = patches(2, bands)
    mean = torch.tensor(description.get('mean', (123.675, 116.28, 103.53))).view(-1, 1, 1)
    std = torch.tensor(description.get('std', (58.395, 57.12, 57.375))).view(-1, 1, 1)
    order = [2, 1, 0, *range(3, bands)]
    with torch.no_grad():
        expected = network.forward_features((torch.tensor(images[..., order]).permute(0, 3, 1, 2) - mean) / std)
    expected = torch.nn.functional.normalize(expected.mean((2, 3)))
    found = load_backbone(path, description, device='cpu')(images)
    assert np.allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmseg'])
def test_a_recipe_gives_the_same_backbone(tmp_path, scope):
    path, _ = save(tmp_path / 'backbone.pth')
    config = tmp_path / 'recipe.py'
    config.write_text(
        f"default_scope = '{scope}'\ncustom_imports = dict(imports=['{scope}.models', 'projects.false.engine'])\n"
        "model = dict(backbone=dict(type='ResNet', depth=18), data_preprocessor=dict(\n"
        '    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]))\n'
    )
    images = patches(2)
    plain, recipe = (load_backbone(path, THREE, given, device='cpu') for given in (None, str(config)))
    assert np.allclose(plain(images), recipe(images), atol=1e-5)
    assert plain.identity != recipe.identity
    config.write_text(config.read_text().replace('depth=18', 'depth=18, strides=(1, 2, 2, 1)'))
    assert load_backbone(path, THREE, str(config), device='cpu').identity != recipe.identity
    config.write_text('model = dict(backbone=dict())')
    with pytest.raises(InputError, match=r'has no model\.backbone with'):
        load_backbone(path, THREE, str(config))


def test_weights_of_natural_images():
    network = timm.create_model('tf_efficientnet_lite0')
    file = local_file('imagenet://tf_efficientnet_lite0')
    network.load_state_dict(timm_names(torch.load(file, weights_only=True)))
    images = patches(2)
    mean, std = torch.tensor((123.675, 116.28, 103.53)), torch.tensor((58.395, 57.12, 57.375))
    pixels = ((torch.tensor(images[..., ::-1].copy()) - mean) / std).permute(0, 3, 1, 2)
    with torch.no_grad():
        maps = network.eval().forward_intermediates(pixels, indices=[4], intermediates_only=True)
    found = load_backbone('imagenet', THREE, device='cpu')(images)
    assert np.array_equal(found, load_backbone('imagenet://tf_efficientnet_lite0', THREE, device='cpu')(images))
    assert np.allclose(found, torch.nn.functional.normalize(maps[0].mean((2, 3))).numpy(), atol=1e-5)
    with pytest.raises(InputError, match=r'takes 3 band\(s\), the patches have 4'):
        load_backbone('imagenet', FOUR)


def test_random_weights_by_seed():
    images = patches(2)
    first, again, other = (load_backbone('random', THREE, seed=seed, device='cpu') for seed in (0, 0, 1))
    assert np.array_equal(first(images), again(images))
    assert not np.allclose(first(images), other(images), atol=1e-2)
    assert first.identity == again.identity != other.identity


def test_unusable_backbones(tmp_path):
    path, _ = save(tmp_path / 'backbone.pth')
    with pytest.raises(InputError, match=r'takes 3 band\(s\), the patches have 4'):
        load_backbone(path, FOUR)
    torch.save({'state_dict': {'a': torch.zeros(1)}}, tmp_path / 'other.pth')
    with pytest.raises(InputError, match='holds no ResNet'):
        load_backbone(str(tmp_path / 'other.pth'), THREE)
    with pytest.raises(InputError, match='is missing'):
        load_backbone(str(tmp_path / 'gone.pth'), THREE)
    with pytest.raises(InputError, match='--device toaster: not available'):
        load_backbone('random', THREE, device='toaster')
    with pytest.raises(InputError, match=r'random: takes 0 band\(s\), the patches have 4'):
        load_backbone('random', {'bands': FOUR['bands']})


def test_the_file_depends_on_patches_and_backbone_alone(tmp_path):
    backbone, images = load_backbone('random', THREE, device='cpu'), [*patches(70), *patches(5, side=48)]
    names = [f'p{number}' for number in range(len(images))]
    reads = [lambda image=image: image for image in images]
    path = tmp_path / 'out' / 'features.npy'
    one = write_features(path, names, reads, backbone, 'a', workers=1)
    assert (one.shape, one.dtype) == ((75, 512), np.float16)
    assert np.allclose(np.linalg.norm(one.astype(float), axis=1), 1, atol=1e-2)
    content = path.read_bytes()

    def refuse():
        raise AssertionError

    again = write_features(path, names, [refuse] * 75, backbone, 'a', workers=1)
    assert np.array_equal(one, again)
    with pytest.raises(AssertionError):
        write_features(path, names, [refuse] * 75, backbone, 'b', workers=1)
    write_features(path, names, reads, backbone, 'b', workers=3)
    assert path.read_bytes() == content
    with pytest.raises(AssertionError):
        write_features(path, names[::-1], [refuse] * 75, backbone, 'b', workers=1)
    assert [file.name for file in path.parent.iterdir()] == ['features.npy']  # nothing tells of what it was made
