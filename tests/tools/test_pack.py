"""tools/pack.py by its command line, and a recipe that trains on what it makes."""

import shutil
import subprocess
import sys

import pytest

from tests.helpers.processes import run_tool
from tests.helpers.tools import REPOSITORY, main_of


@pytest.fixture
def root(patches, tmp_path):
    shutil.copytree(patches('synthetic', 64), tmp_path / 'data')
    return tmp_path / 'data'


def test_command_line(root, capsys):
    command = [sys.executable, str(REPOSITORY / 'tools' / 'pack.py'), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f'wrote {root}/packed: 8 patches of 64 x 64 pixels, 3 bands, 8 masks, 0.1 MB')
    next((root / 'images').iterdir()).write_bytes(b'')
    assert main_of('pack')([str(root)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f'error: {root}/images/')
    assert error.count('\n') == 1


def test_again_and_without_masks(root, capsys):
    pack = main_of('pack')
    assert pack([str(root), '--workers', '1']) == 0
    assert pack([str(root)]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith('up to date: ')
    assert pack([str(root), '--masks', '']) == 0
    assert 'no masks' in capsys.readouterr().out


def test_a_folder_of_patches(root, capsys):
    pack = main_of('pack')
    assert pack([str(root / 'images'), '--images', '']) == 0
    assert pack([str(root / 'images'), '--images', '']) == 0
    assert (root / 'images' / 'packed' / 'images.npy').is_file()
    assert 'up to date' in capsys.readouterr().out
    assert pack([str(root / 'images')]) == 2
    assert pack([str(root), '--workers', '0']) == 2
    assert 'workers is 0' in capsys.readouterr().err


@pytest.mark.slow
def test_a_recipe_trains_on_it(root, tmp_path):
    assert main_of('pack')([str(root)]) == 0
    shutil.rmtree(root / 'images')  # packed patches need no image files
    options = {'data_root': root, 'packed': True}
    command = [REPOSITORY / 'configs' / 'false_simclr_r18_synthetic.py', '--work-dir', 'work', '--cfg-options']
    command += [f'train_dataloader.dataset.{key}={value}' for key, value in options.items()]
    command += ['train_dataloader.batch_size=4', 'train_cfg.max_epochs=1']
    done = run_tool('train', *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'check its spelling' not in done.stdout + done.stderr
    assert (tmp_path / 'work' / 'backbone.pth').is_file()
