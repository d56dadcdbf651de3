"""tools/audit_labels.py by its command line."""

import json
import shutil
import subprocess
import sys

import cv2
import pytest

from tests.helpers.tools import REPOSITORY, main_of


@pytest.fixture
def data(patches, tmp_path):
    shutil.copytree(patches('mbrsc', 64), tmp_path / 'data')
    return tmp_path / 'data'


def test_by_its_command_line(data, tmp_path):
    name = (data / 'splits' / 'train.txt').read_text().split()[0]
    mask = cv2.imread(str(data / 'masks' / f'{name}.png'), cv2.IMREAD_UNCHANGED)
    mask[0, 0] = 5
    cv2.imwrite(str(data / 'masks' / f'{name}.png'), mask)
    command = [sys.executable, REPOSITORY / 'tools' / 'audit_labels.py', data, '--out', tmp_path / 'out' / 'new']
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert result.returncode == 1
    assert result.stderr == ''
    assert f'{name}: 5 (1 pixels); classes are 0 to 4' in result.stdout
    assert sorted(path.name for path in (tmp_path / 'out' / 'new').iterdir()) == ['audit.json', 'audit.png']
    assert json.loads((tmp_path / 'out' / 'new' / 'audit.json').read_text())['found'] == {'out of range': 1}
    assert cv2.imread(str(tmp_path / 'out' / 'new' / 'audit.png')).shape[1] == 1210


def test_exit_status(data, tmp_path, capsys):
    (data / 'images' / 'notes.txt').write_text('x')
    main, before = main_of('audit_labels'), sorted(tmp_path.rglob('*'))
    assert main([str(data)]) == 0
    printed = capsys.readouterr().out
    assert 'no errors' in printed
    assert 'left out 1 file: notes.txt (no imagery that is read here)' in printed
    assert sorted(tmp_path.rglob('*')) == before
    (data / 'dataset.json').rename(data / 'other.json')
    assert main([str(data)]) == 2
    assert capsys.readouterr().err.startswith(f'error: {data}/dataset.json: no such file; give a folder made by')
    (data / 'other.json').rename(data / 'dataset.json')
    (tmp_path / 'file').touch()
    assert main([str(data), '--out', str(tmp_path / 'file')]) == 2
    assert 'choose another --out' in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main([str(data), '--workers', 'two'])
    assert stop.value.code == 2
