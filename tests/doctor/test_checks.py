"""The doctor's checks over facts, and the tool in real environments, whole and broken."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from projects.false.doctor.checks import (
    GIB,
    check_all,
    check_bounds,
    check_imports,
    check_machine,
    check_numpy,
    check_opencv,
    check_project,
    check_python,
    check_torch_pair,
    check_twins,
)
from projects.false.doctor.facts import (
    Facts,
    broken_bounds,
    normalise,
    parse_requirements,
    unwritable_folders,
    version_key,
)
from projects.false.doctor.probe import DISTRIBUTIONS, MODULES, Outcome, run_probe
from projects.false.doctor.report import show
from tests.helpers.tools import REPOSITORY

ROOT = REPOSITORY
TOOL = ROOT / 'tools' / 'doctor.py'
VERSIONS = {
    'numpy': '2.4.6',
    'opencv-python': '5.0.0.93',
    'torch': '2.14.1',
    'torchvision': '0.29.1',
    'onedl-mmengine': '0.10.12',
    'onedl-mmcv': '2.3.6',
    'onedl-mmpretrain': '1.3.6',
    'onedl-mmsegmentation': '1.4.2',
    'onedl-mim': '0.5.1',
    'rasterio': '1.4.4',
    'matplotlib': '3.11.2',
    'rich': '15.0.0',
    'safetensors': '0.8.0',
    'scipy': '1.17.1',
    'onnx': '1.23.2',
    'onnxscript': '0.7.2',
    'onnxruntime': '1.32.0',
    'ftfy': '6.3.1',
    'regex': '2026.11.15',
}


def facts(remove=(), add=None, outcomes=None, **changes):
    """A healthy environment with a GPU, changed as told."""
    distributions = {name: version for name, version in VERSIONS.items() if name not in remove} | (add or {})
    fine = {label: Outcome(True, distributions.get(DISTRIBUTIONS[label], '')) for label in MODULES}
    fine['torch and numpy'] = fine['torchvision operator'] = Outcome(True, '')
    fine['gpu'] = Outcome(True, ['Some GPU'])
    fine['projects.false'] = Outcome(True, str(ROOT / 'projects' / 'false'))
    values = {
        'python': (3, 11, 7),
        'executable': '/env/bin/python',
        'root': str(ROOT),
        'distributions': distributions,
        'providers': {},
        'outcomes': fine | (outcomes or {}),
        'requirements': parse_requirements((ROOT / 'requirements.txt').read_text()),
    }
    return Facts(**(values | changes))


def only(findings):
    assert len(findings) == 1, findings
    return findings[0]


def test_healthy_environment_has_no_finding():
    assert check_all(facts()) == []


def test_old_python():
    finding = only(check_python(facts(python=(3, 9, 1))))
    assert finding.level == 'error'
    assert '3.9.1' in finding.what
    assert 'PYTHON=' in finding.remedy


@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        ('mmengine', 'onedl-mmengine'),
        ('mmcv', 'onedl-mmcv'),
        ('mmcv-lite', 'onedl-mmcv'),
        ('mmcv-full', 'onedl-mmcv'),
        ('mmpretrain', 'onedl-mmpretrain'),
        ('mmsegmentation', 'onedl-mmsegmentation'),
        ('openmim', 'onedl-mim'),
    ],
)
def test_twins_are_removed_together_and_ours_comes_back(theirs, ours):
    finding = only(check_twins(facts(add={theirs: '1.0'})))
    assert finding.level == 'error'
    assert f'uninstall -y {theirs} {ours} && ' in finding.remedy
    assert f'install {ours} -c ' in finding.remedy


def test_rival_alone_is_replaced():
    finding = only(check_twins(facts(remove=['onedl-mmcv'], add={'mmcv': '2.1.0'})))
    assert 'uninstall -y mmcv && ' in finding.remedy
    assert 'onedl-mmcv is needed' in finding.what


def test_obsolete_distribution_only_warns():
    assert only(check_twins(facts(add={'mmcls': '0.25.0'}))).level == 'warning'


@pytest.mark.parametrize(('works', 'level'), [(True, 'warning'), (False, 'error')])
def test_two_opencv_builds(works, level):
    finding = only(
        check_opencv(facts(add={'opencv-python-headless': '4.11.0'}, outcomes={'opencv': Outcome(works, 'text')}))
    )
    assert finding.level == level
    assert 'uninstall -y opencv-python opencv-python-headless && ' in finding.remedy


def test_headless_opencv_alone_is_accepted():
    assert check_all(facts(remove=['opencv-python'], add={'opencv-python-headless': '5.0.0.93'})) == []


def test_missing_packages_are_one_finding():
    gone = {'torch': Outcome(False, "ModuleNotFoundError: No module named 'torch'")}
    finding = only(check_bounds(facts(remove=['torch', 'ftfy'], outcomes=gone)))
    assert finding.level == 'error'
    assert finding.what == 'not installed: torch, ftfy'
    assert '-m pip install -r ' in finding.remedy


def test_what_fails_for_a_missing_package_is_not_reported_again():
    absent = Outcome(False, "ModuleNotFoundError: No module named 'torch'")
    environment = facts(remove=['torch'], outcomes=dict.fromkeys(('torch', 'torchvision', 'mmcv'), absent))
    assert [finding.what for finding in check_all(environment)] == ['not installed: torch']


@pytest.mark.parametrize(('version', 'level'), [('2.5.1', 'error'), ('3.0', 'warning')])
def test_version_outside_bounds(version, level):
    finding = only(check_bounds(facts(add={'torch': version})))
    assert finding.level == level
    assert version in finding.what
    assert 'install torch -c' in finding.remedy


def test_torch_pair_with_missing_operators():
    error = Outcome(False, 'RuntimeError: operator torchvision::nms does not exist')
    environment = facts(add={'torchvision': '0.28.0+cpu'}, outcomes={'torchvision': error})
    del environment.outcomes['torchvision operator']
    finding = only(check_torch_pair(environment))
    assert finding.level == 'error'
    assert 'torchvision::nms' in finding.what
    assert 'uninstall -y torch torchvision && ' in finding.remedy
    assert check_all(environment) == [finding]


def test_torch_pair_that_works_by_luck_only_warns():
    assert only(check_torch_pair(facts(add={'torch': '2.13.0'}))).level == 'warning'


@pytest.mark.parametrize('pair', [('2.6.0+cu124', '0.21.0+cu124'), ('2.14', '0.29'), ('2.14.1', '0.29.1+cpu')])
def test_right_torch_pairs(pair):
    assert check_torch_pair(facts(add={'torch': pair[0], 'torchvision': pair[1]})) == []


@pytest.mark.parametrize('text', ['numpy.core.multiarray failed to import', 'Numpy is not available'])
def test_numpy_of_another_generation(text):
    finding = only(check_all(facts(outcomes={'rasterio': Outcome(False, f'ImportError: {text}')})))
    assert finding.level == 'error'
    assert 'numpy 2.4.6 does not fit rasterio' in finding.what
    assert 'numpy rasterio' in finding.remedy
    assert only(check_numpy(facts(outcomes={'torch and numpy': Outcome(False, text)}))).what.count('torch')


def test_packages_that_fail_of_one_cause_are_named_together():
    broken = Outcome(False, 'ImportError: libsomething.so.1: cannot open shared object file')
    finding = only(check_imports(facts(outcomes={'mmcv': broken, 'mmseg': broken})))
    assert 'import mmcv, mmseg.models: ' in finding.what
    assert 'uninstall -y onedl-mmcv && ' in finding.remedy


def test_hidden_dependency_is_installed_not_reinstalled():
    broken = Outcome(False, "ModuleNotFoundError: No module named 'einops'")
    assert 'uninstall' not in only(check_imports(facts(outcomes={'mmpretrain': broken}))).remedy


def test_project_not_installed_elsewhere_or_hidden():
    absent = Outcome(False, 'ModuleNotFoundError')
    here = Outcome(True, str(ROOT / 'projects' / 'false'))
    levels = [
        only(check_project(facts(outcomes={'projects.false': absent, 'projects.false here': outcome}))).level
        for outcome in (here, absent)
    ]
    assert levels == ['warning', 'error']
    assert 'another place' in only(check_project(facts(outcomes={'projects.false': Outcome(True, '/other')}))).what


@pytest.mark.parametrize(
    ('changes', 'level', 'words'),
    [
        ({'unwritable': {'work_dirs': 'Read-only file system'}}, 'error', '--work-dir'),
        ({'free_disk': GIB}, 'warning', '--work-dir'),
        ({'shared_memory': 64 << 20}, 'warning', '--shm-size'),
        ({'shared_memory': 64 << 20}, 'warning', 'num_workers=0'),
        ({'cores': 2}, 'info', 'num_workers'),
        ({'outcomes': {'gpu': Outcome(True, [])}}, 'warning', 'quickstart'),
        ({'outcomes': {'gpu': Outcome(True, [])}, 'has_driver': True}, 'warning', 'torch.version.cuda'),
        ({'outcomes': {'gpu': Outcome(False, 'driver')}}, 'warning', 'nvidia-smi'),
    ],
)
def test_machine(changes, level, words):
    finding = only(check_machine(facts(**changes)))
    assert finding.level == level
    assert words in finding.remedy


def test_unwritable_folder(tmp_path):
    not_a_folder = tmp_path / 'file'
    not_a_folder.write_text('')
    assert list(unwritable_folders([str(tmp_path), str(not_a_folder), str(tmp_path / 'absent')])) == [str(not_a_folder)]


def test_errors_come_first_and_are_counted(capsys):
    environment = facts(remove=['regex'], add={'torch': '2.5.0', 'torchvision': '0.20.0'}, cores=1, free_disk=0)
    findings = check_all(environment)
    assert [finding.level for finding in findings] == ['error', 'error', 'error', 'warning', 'info']
    show(environment, findings)
    assert '3 to mend' in capsys.readouterr().out


def test_parse_requirements():
    text = '# comment\nTorch_Vision>=0.21,<1  # why\n\nregex\nnumpy>2; python_version < "3"\n-r other.txt\n'
    assert parse_requirements(text) == [
        ('torch-vision', (('>=', '0.21'), ('<', '1'))),
        ('regex', ()),
        ('numpy', (('>', '2'),)),
    ]
    assert normalise('A.b__C') == 'a-b-c'


numbers = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: '.'.join(map(str, parts)))


@given(numbers, numbers, st.sampled_from(['', 'rc1', '.dev0', '+cpu']))
def test_version_order_is_that_of_packaging(left, right, suffix):
    expected = Version(left + suffix.replace('+cpu', '')) < Version(right)
    assert (version_key(left + suffix) < version_key(right)) is expected
    assert (broken_bounds(left + suffix, (('<', right),)) == []) is expected


def test_version_without_number():
    with pytest.raises(ValueError, match='unknown'):
        version_key('unknown')


@pytest.mark.parametrize(
    ('source', 'ok', 'words'),
    [
        ('__version__ = "1.5"', True, '1.5'),
        ('import os; os.abort()', False, 'signal 6'),
        ('import os; os._exit(3)', False, 'status 3'),
        ('import sys; sys.exit("bye")', False, 'SystemExit: bye'),
        ('import time; time.sleep(60)', False, 'not done after 2 s'),
        ('raise ImportError("no_such.so")', False, 'no_such.so'),
    ],
)
def test_probe_survives_what_an_import_may_do(tmp_path, monkeypatch, source, ok, words):
    (tmp_path / 'some_package.py').write_text(source)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    outcome = run_probe(str(ROOT), 2, {'some': 'some_package'})['some']
    assert outcome.ok is ok
    assert words in outcome.value


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
