"""tools/model_converters/convert_weights.py by its command line."""

import subprocess
import sys

import pytest
import torch

from projects.false.engine.checkpoints.files import write_checkpoint
from projects.false.engine.weights.resnet import resnet_shapes
from tests.helpers.tools import REPOSITORY, main_of


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A pretraining checkpoint of a ResNet-18 in the current folder."""
    monkeypatch.chdir(tmp_path)
    generator = torch.Generator().manual_seed(0)
    weights = {f'backbone.{name}': torch.rand(size, generator=generator) for name, size in resnet_shapes(18).items()}
    write_checkpoint({'state_dict': weights | {'neck.fc0.weight': torch.ones(2)}, 'meta': {'epoch': 5}}, 'epoch_5.pth')
    return 'epoch_5.pth'


def convert(*arguments):
    return main_of('model_converters/convert_weights')([*map(str, arguments)])


@pytest.mark.slow
def test_by_its_command_line(checkpoint, tmp_path):
    command = [sys.executable, REPOSITORY / 'tools' / 'model_converters' / 'convert_weights.py']
    command += [checkpoint, 'new/resnet18.safetensors', '--to', 'torchvision']
    done = subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == [
        "epoch_5.pth: ResNet-18 (2-2-2-2 basic blocks) under 'backbone.'",
        '120 matched, 0 missing, 1 unexpected (left out: neck 1)',
        'wrote 120 tensors to new/resnet18.safetensors (torchvision)',
    ]
    assert (tmp_path / 'new' / 'resnet18.safetensors').is_file()


def test_there_and_back(checkpoint, tmp_path, capsys):
    assert convert(checkpoint, 'timm.pth', '--to', 'timm') == 0
    assert convert('timm.pth', 'backbone.pth', '--to', 'ours') == 0
    assert "timm.pth: ResNet-18 (2-2-2-2 basic blocks) under ''" in capsys.readouterr().out
    before = torch.load(checkpoint, weights_only=True)['state_dict']
    after = torch.load('backbone.pth', weights_only=True)['state_dict']
    assert len(after) == 120
    assert all(torch.equal(before[f'backbone.{name}'], value) for name, value in after.items())


class Hostile:
    def __reduce__(self):
        return print, ('ran',)


@pytest.mark.parametrize(
    ('content', 'text'),
    [
        (None, 'checkpoint theirs.pth is missing'),
        (b'no checkpoint', 'checkpoint theirs.pth is damaged or no PyTorch checkpoint'),
        ({'state_dict': {'a': Hostile()}}, 'checkpoint theirs.pth is refused, nothing was run'),
        ({'cls_token': torch.ones(1), 'pos_embed': torch.ones(1)}, 'holds no ResNet, 0 of its 2 tensors match'),
        ({'layer1.0.conv1.weight': torch.ones(64, 64, 3, 3)}, 'theirs.pth: ResNet (1 basic blocks)'),
    ],
)
def test_bad_input_in_one_line(monkeypatch, capsys, tmp_path, content, text):
    monkeypatch.chdir(tmp_path)
    if isinstance(content, bytes):
        (tmp_path / 'theirs.pth').write_bytes(content)
    elif content is not None:
        torch.save(content, 'theirs.pth')
    assert convert('theirs.pth', 'out.pth', '--to', 'ours') == 2
    said = capsys.readouterr()
    assert said.err.startswith('error: ')
    assert said.err.count('\n') == 1
    assert text in said.err
    assert 'ran' not in said.out.split()
    assert not (tmp_path / 'out.pth').exists()


def test_output_that_cannot_be_written(checkpoint, capsys):
    for out, text in (('out.zip', 'unknown kind of file'), ('epoch_5.pth', 'is the file to convert')):
        assert convert(checkpoint, out, '--to', 'mmseg') == 2
        assert text in capsys.readouterr().err
    with pytest.raises(SystemExit):
        convert(checkpoint, 'out.pth', '--to', 'keras')
