"""tools/doctor.py in real environments, whole and broken."""

import os
import subprocess
import sys

import pytest

from tests.helpers.tools import REPOSITORY as ROOT

TOOL = ROOT / 'tools' / 'doctor.py'


@pytest.fixture(scope='module')
def bare_python(tmp_path_factory):
    """A Python with nothing installed, not even pip."""
    folder = tmp_path_factory.mktemp('bare')
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', folder], check=True)
    return folder / ('Scripts' if os.name == 'nt' else 'bin') / 'python'


def run_doctor(python, cwd, *arguments, **environment):
    kept = {key: value for key, value in os.environ.items() if key not in ('PYTHONPATH', 'PYTHONHOME')}
    return subprocess.run(
        [python, TOOL, *arguments], cwd=cwd, env=kept | environment, capture_output=True, text=True, timeout=400
    )


def test_tool_with_nothing_installed(bare_python, tmp_path):
    result = run_doctor(bare_python, tmp_path)
    assert result.returncode == 1, result.stderr
    assert 'error: not installed: torch, torchvision, onedl-mmengine' in result.stdout
    assert f'{bare_python} -m pip install -r {ROOT / "requirements.txt"} -c {ROOT / "constraints.txt"}' in result.stdout
    assert 'projects.false is not installed' in result.stdout
    assert 'Traceback' not in result.stderr


def test_tool_with_both_distributions_on_disk(bare_python, tmp_path):
    for name, version in (('mmengine', '0.10.7'), ('onedl_mmengine', '0.10.12')):
        info = tmp_path / f'{name}-{version}.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name.replace("_", "-")}\nVersion: {version}\n')
        (info / 'top_level.txt').write_text('mmengine\n')
    (tmp_path / 'mmengine.py').write_text('import os; os.abort()')
    result = run_doctor(bare_python, ROOT, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1, result.stderr
    assert 'error: mmengine and onedl-mmengine installed' in result.stdout
    assert 'uninstall -y mmengine onedl-mmengine && ' in result.stdout
    assert 'import mmengine: crashed with signal 6' in result.stdout


def test_tool_names_a_hidden_namespace(bare_python, tmp_path):
    (tmp_path / 'projects').mkdir()
    (tmp_path / 'projects' / '__init__.py').write_text('')
    result = run_doctor(bare_python, tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert f'{tmp_path / "projects" / "__init__.py"} hides this project' in result.stderr
    assert 'Traceback' not in result.stderr


def test_tool_refuses_a_timeout_of_zero(bare_python, tmp_path):
    result = run_doctor(bare_python, tmp_path, '--timeout', '0')
    assert result.returncode == 2
    assert '--timeout is 0' in result.stderr


@pytest.mark.slow
def test_tool_in_this_environment(tmp_path):
    result = run_doctor(sys.executable, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'ready to train' in result.stdout
    assert 'onedl-mmsegmentation' in result.stdout
