"""The package can be imported from anywhere, pins keep their bounds, and CI runs what the documents say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from projects.false.doctor.facts import parse_requirements
from tests.helpers.tools import REPOSITORY

ROOT = REPOSITORY


def requirements(name):
    lines = (re.sub(r'(^|\s)#.*', '', line).strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def pins():
    return {canonicalize_name(pin.name): pin for pin in requirements('constraints.txt')}


def run_python(code, cwd, **environment):
    kept = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=cwd, env=kept | environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_import_beside_another_projects_folder(tmp_path):
    other = tmp_path / 'projects' / 'other_project'
    other.mkdir(parents=True)
    (other / '__init__.py').write_text('name = "other"')
    code = 'import projects.false, projects.other_project as other; print(projects.false.__file__, other.name)'
    path, name = run_python(code, tmp_path, PYTHONPATH=str(ROOT))
    assert Path(path) == ROOT / 'projects' / 'false' / '__init__.py'
    assert name == 'other'


def test_import_by_the_editable_install(tmp_path):
    (tmp_path / 'projects' / 'other_project').mkdir(parents=True)
    find = 'import importlib.metadata as m; print(*[d.name for d in m.distributions() if d.name == "false-rs"])'
    if not run_python(find, tmp_path):
        pytest.skip('false-rs is not installed here; make setup installs it')
    code = 'import projects.false, projects.other_project; print(projects.false.__name__)'
    assert run_python(code, tmp_path) == ['projects.false']


def test_import_of_the_package_loads_nothing_heavy(tmp_path):
    code = 'import sys, projects.false.doctor.checks; print(*{"torch", "numpy", "rich"} & set(sys.modules))'
    assert run_python(code, tmp_path, PYTHONPATH=str(ROOT)) == []


def test_no_init_file_makes_projects_a_package_of_ours():
    assert not (ROOT / 'projects' / '__init__.py').exists()


@pytest.mark.parametrize('name', ['requirements.txt', 'requirements-dev.txt', 'requirements-docs.txt'])
def test_every_requirement_has_a_tested_version_within_its_bounds(name):
    for requirement in requirements(name):
        (pin,) = pins()[canonicalize_name(requirement.name)].specifier
        assert pin.operator == '=='
        assert pin.version in requirement.specifier, requirement


def test_constraints_are_plain_pins():
    text = (ROOT / 'constraints.txt').read_text()
    assert '://' not in text
    assert 'opencv-python-headless' not in pins()
    assert len(pins()) == len(requirements('constraints.txt'))
    assert all(len(pin.specifier) == 1 and not pin.url for pin in pins().values())


def test_every_bound_has_its_reason():
    lines = [line for line in (ROOT / 'requirements.txt').read_text().splitlines() if line and not line.startswith('#')]
    for name in ('requirements-docs.txt', 'requirements-mmselfsup.txt'):
        separate = (ROOT / name).read_text().splitlines()
        lines += [line for line in separate if line and not line.startswith('#')]
    bounded = [line for line in lines if re.match(r'[\w-]+[<>=]', line)]
    assert [line for line in bounded if '#' not in line and not line.startswith('rich')] == []


def test_doctor_reads_the_requirements_as_packaging_does():
    ours = parse_requirements((ROOT / 'requirements.txt').read_text())
    theirs = requirements('requirements.txt')
    assert [entry.name for entry in ours] == [canonicalize_name(entry.name) for entry in theirs]
    assert [{operator + limit for operator, limit in entry.bounds} for entry in ours] == [
        {str(bound) for bound in entry.specifier} for entry in theirs
    ]


def test_pre_commit_uses_the_pinned_ruff():
    found = set(re.findall(r'ruff==([\d.]+)', (ROOT / '.pre-commit-config.yaml').read_text()))
    assert found == {next(iter(pins()['ruff'].specifier)).version}


def make(*arguments):
    # without the variables that an outer make, such as that of `make test`, passes to this one
    kept = {key: value for key, value in os.environ.items() if not key.startswith('MAKE') and key != 'MFLAGS'}
    return subprocess.run(['make', *arguments], cwd=ROOT, env=kept, capture_output=True, text=True, timeout=600)


TARGETS = ['setup', 'quickstart', 'test', 'test-fast', 'test-mmselfsup', 'lint', 'format', 'docs', 'bench', 'clean']


@pytest.mark.parametrize('target', TARGETS)
def test_make_knows_its_targets(target, tmp_path):
    result = make('-n', target, f'VENV={tmp_path / "venv"}')
    assert result.returncode == 0, result.stderr
    assert f'make {target} ' in make('help').stdout


def test_setup_does_nothing_if_it_is_up_to_date(tmp_path):
    """With a stamp of these requirements and this clone, and an interpreter that reports its calls."""
    python = tmp_path / 'bin' / 'python'
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n[ "$*" = "-m pip --version" ] || { echo "called: $*"; exit 1; }\n')
    python.chmod(0o755)
    stamp = re.search(r'\.false-\d+', make('-n', 'setup', f'VENV={tmp_path}').stdout).group()
    (tmp_path / stamp).write_text(f'{ROOT}\n')
    result = make('setup', f'VENV={tmp_path}')
    assert (result.returncode, result.stdout) == (0, '')
    (tmp_path / stamp).write_text('/another/clone\n')
    assert 'install -q --no-deps --no-build-isolation -e .' in make('setup', f'VENV={tmp_path}').stdout
    (tmp_path / stamp).unlink()
    assert 'called: -m pip install -r requirements.txt' in make('setup', f'VENV={tmp_path}').stdout


def test_ci_runs_what_the_documents_say():
    script = ROOT / '.ci' / 'run'
    assert os.access(script, os.X_OK)
    commands = re.findall(r'^make \S+', script.read_text(), flags=re.MULTILINE)
    assert commands == ['make lint', 'make test']
    for document in ('README.md', 'CONTRIBUTING.md'):
        if (ROOT / document).exists():
            assert 'make test' in (ROOT / document).read_text()
