"""tools/select_patches.py by its command line."""

import shutil

import pytest
import torch

from projects.false.selection.selection import METHODS
from tests.helpers.networks import build, randomise
from tests.helpers.tools import main_of


def test_a_round_with_a_backbone(ground_patches, tmp_path, capsys, monkeypatch):
    data, main = tmp_path / 'data', main_of('select_patches')
    shutil.copytree(ground_patches, data)
    monkeypatch.chdir(tmp_path)
    torch.save({'state_dict': randomise(build('torchvision', 18)).state_dict(), 'meta': {}}, 'backbone.pth')
    options = ['data', 'backbone.pth', '--count', '5', '--method', 'coverage', '--workers', '1', '--device', 'cpu']
    assert main(options) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if ' - mmengine - ' not in line]
    assert said[0] == 'chose 5 of 48 patches: coverage, seed 0'
    assert said[1].startswith('radius 0.')
    assert said[2:] == [
        'list: data/splits/train_coverage5_seed0.txt',
        'contact sheet of 5: work_dirs/selection_data/train_coverage5_seed0.png; '
        'record: work_dirs/selection_data/train_coverage5_seed0.json',
        'windows to annotate: work_dirs/selection_data/train_coverage5_seed0.gpkg (5)',
    ]
    assert main(options) == 2
    assert 'exists; give another --list' in capsys.readouterr().err
    assert main([*options, '--list', 'next', '--keep', 'train_coverage5_seed0']) == 0
    assert 'chose 5 of 43 patches beside 5 kept ones: coverage, seed 0\n' in capsys.readouterr().out


def test_methods_are_those_of_the_module(capsys):
    with pytest.raises(SystemExit):
        main_of('select_patches')(['--help'])
    assert f'--method {{{",".join(METHODS)}}}' in capsys.readouterr().out
