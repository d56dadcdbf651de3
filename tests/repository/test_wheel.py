"""The package as `pip install` leaves it, far from the clone: what it holds, mim, and the command false-rs."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from projects.false.common.recipes import recipe_names
from tests.helpers.tools import REPOSITORY

pytestmark = pytest.mark.slow
BESIDE = (
    'LICENSE', 'MANIFEST.in', 'README.md', 'model-index.yml', 'pyproject.toml', 'requirements.txt', 'setup.py',
)  # fmt: skip


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """Packages of a wheel that was built from a copy, beside those of this environment."""
    folder = tmp_path_factory.mktemp('wheel')
    source, site = folder / 'source', folder / 'site'
    source.mkdir()
    for name in ('configs', 'projects', 'tools'):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    for name in BESIDE:
        shutil.copy(REPOSITORY / name, source)
    pip = [sys.executable, '-m', 'pip', '-q', '--disable-pip-version-check']
    for command in (
        ['wheel', '--no-deps', '--no-build-isolation', '-w', 'wheels', source],
        ['install', '--no-deps', '--no-compile', '--no-index', '--find-links', 'wheels', '--target', site, 'false-rs'],
    ):
        done = subprocess.run([*pip, *map(str, command)], cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    return site


def run(site, folder, *command):
    environment = os.environ | {'PYTHONPATH': str(site)}
    command = [sys.executable, *map(str, command)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_of(folder):
    """Modules and package data, such as py.typed and the published lists; documents stay in the clone."""
    files = (path.relative_to(folder) for path in folder.rglob('*') if path.is_file())
    return {path for path in files if '__pycache__' not in path.parts and path.suffix != '.md'}


def test_it_holds_package_recipes_and_tools(site):
    assert files_of(site / 'projects' / 'false') == files_of(REPOSITORY / 'projects' / 'false')
    packaged = site / '+false_recipes' / '.mim'
    for folder in ('configs', 'tools'):
        there = {path.relative_to(packaged) for path in (packaged / folder).rglob('*') if path.is_file()}
        here = {path.relative_to(REPOSITORY) for path in (REPOSITORY / folder).rglob('*') if path.is_file()}
        assert there == {path for path in here if '__pycache__' not in path.parts}
    assert os.access(packaged / 'tools' / 'dist_train.sh', os.X_OK)


def test_mim_finds_its_recipes(site, tmp_path):
    code = (
        'from mim.utils import get_installed_path\n'
        'from mim.commands.search import get_model_info\n'
        'print(get_installed_path("false-rs"))\n'
        'print(*get_model_info("false-rs").index)\n'
    )
    root, names = run(site, tmp_path, '-c', code).splitlines()
    assert root == str(site / '+false_recipes')
    assert sorted(names.split()) == sorted(path.stem for path in (REPOSITORY / 'configs').glob('*.py'))


def test_false_rs_runs_in_any_folder_with_its_own_recipes(site, tmp_path):
    program, packaged = site / 'bin' / 'false-rs', site / '+false_recipes' / '.mim' / 'configs'
    listed = run(site, tmp_path, program, 'configs', 'list').splitlines()
    assert [line.split()[0] for line in listed] == recipe_names()
    run(site, tmp_path, program, 'configs', 'copy', 'upernet_r18_synthetic', 'own')
    (tmp_path / 'mine.py').write_text("_base_ = 'own/upernet_r18_synthetic.py'\n")
    run(site, tmp_path, program, 'prepare', 'synthetic', 'scenes', '--tiles', 2, '--size', 64)
    run(
        *(site, tmp_path, program, 'prepare', 'color-masks', 'scenes/images', 'scenes/masks', 'data/mine'),
        *('--palette', 'synthetic', '--patch-size', 32, '--workers', 1),
    )
    assert 'no errors' in run(site, tmp_path, program, 'audit', 'data/mine', '--workers', 1)
    code = (
        'import json, projects.false\n'
        'from projects.false.engine.config import load_config\n'
        'from projects.false.experiments.benchmark.spec import read_spec\n'
        'recipe, mine = load_config("upernet_r18_synthetic"), load_config("mine.py")\n'
        'spec = read_spec("benchmarks/quickstart").protocols["upernet"].config\n'
        'print(json.dumps([projects.false.__file__, recipe.filename, spec, recipe.model == mine.model]))\n'
    )
    found = json.loads(run(site, tmp_path, '-c', code).splitlines()[-1])
    recipe = str(packaged / 'upernet_r18_synthetic.py')
    assert found == [str(site / 'projects' / 'false' / '__init__.py'), recipe, recipe, True]
