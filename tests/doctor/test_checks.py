"""Every check, on facts of healthy and broken environments."""

import pytest

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
from projects.false.doctor.probe import Outcome
from tests.helpers.environments import facts
from tests.helpers.tools import REPOSITORY as ROOT


def only(problems):
    assert len(problems) == 1, problems
    return problems[0]


def test_healthy_environment_has_no_problem():
    assert check_all(facts()) == []


def test_old_python():
    problem = only(check_python(facts(python=(3, 9, 1))))
    assert problem.level == 'error'
    assert '3.9.1' in problem.what
    assert 'PYTHON=' in problem.remedy


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
    problem = only(check_twins(facts(add={theirs: '1.0'})))
    assert problem.level == 'error'
    assert f'uninstall -y {theirs} {ours} && ' in problem.remedy
    assert f'install {ours} -c ' in problem.remedy


def test_rival_alone_is_replaced():
    problem = only(check_twins(facts(remove=['onedl-mmcv'], add={'mmcv': '2.1.0'})))
    assert 'uninstall -y mmcv && ' in problem.remedy
    assert 'onedl-mmcv is needed' in problem.what


def test_obsolete_distribution_only_warns():
    assert only(check_twins(facts(add={'mmcls': '0.25.0'}))).level == 'warning'


@pytest.mark.parametrize(('works', 'level'), [(True, 'warning'), (False, 'error')])
def test_two_opencv_builds(works, level):
    problem = only(
        check_opencv(facts(add={'opencv-python-headless': '4.11.0'}, outcomes={'opencv': Outcome(works, 'text')}))
    )
    assert problem.level == level
    assert 'uninstall -y opencv-python opencv-python-headless && ' in problem.remedy


def test_headless_opencv_alone_is_accepted():
    assert check_all(facts(remove=['opencv-python'], add={'opencv-python-headless': '5.0.0.93'})) == []


def test_missing_packages_are_one_problem():
    gone = {'torch': Outcome(False, "ModuleNotFoundError: No module named 'torch'")}
    problem = only(check_bounds(facts(remove=['torch', 'ftfy'], outcomes=gone)))
    assert problem.level == 'error'
    assert problem.what == 'not installed: torch, ftfy'
    assert '-m pip install -r ' in problem.remedy


def test_what_fails_for_a_missing_package_is_not_reported_again():
    absent = Outcome(False, "ModuleNotFoundError: No module named 'torch'")
    environment = facts(remove=['torch'], outcomes=dict.fromkeys(('torch', 'torchvision', 'mmcv'), absent))
    assert [problem.what for problem in check_all(environment)] == ['not installed: torch']


@pytest.mark.parametrize(('version', 'level'), [('2.5.1', 'error'), ('3.0', 'warning')])
def test_version_outside_bounds(version, level):
    problem = only(check_bounds(facts(add={'torch': version})))
    assert problem.level == level
    assert version in problem.what
    assert 'install torch -c' in problem.remedy


def test_torch_pair_with_missing_operators():
    error = Outcome(False, 'RuntimeError: operator torchvision::nms does not exist')
    environment = facts(add={'torchvision': '0.28.0+cpu'}, outcomes={'torchvision': error})
    del environment.outcomes['torchvision operator']
    problem = only(check_torch_pair(environment))
    assert problem.level == 'error'
    assert 'torchvision::nms' in problem.what
    assert 'uninstall -y torch torchvision && ' in problem.remedy
    assert check_all(environment) == [problem]


def test_torch_pair_that_works_by_luck_only_warns():
    assert only(check_torch_pair(facts(add={'torch': '2.13.0'}))).level == 'warning'


@pytest.mark.parametrize('pair', [('2.6.0+cu124', '0.21.0+cu124'), ('2.14', '0.29'), ('2.14.1', '0.29.1+cpu')])
def test_right_torch_pairs(pair):
    assert check_torch_pair(facts(add={'torch': pair[0], 'torchvision': pair[1]})) == []


@pytest.mark.parametrize('text', ['numpy.core.multiarray failed to import', 'Numpy is not available'])
def test_numpy_of_another_generation(text):
    problem = only(check_all(facts(outcomes={'rasterio': Outcome(False, f'ImportError: {text}')})))
    assert problem.level == 'error'
    assert 'numpy 2.4.6 does not fit rasterio' in problem.what
    assert 'numpy rasterio' in problem.remedy
    assert only(check_numpy(facts(outcomes={'torch and numpy': Outcome(False, text)}))).what.count('torch')


def test_packages_that_fail_of_one_cause_are_named_together():
    broken = Outcome(False, 'ImportError: libsomething.so.1: cannot open shared object file')
    problem = only(check_imports(facts(outcomes={'mmcv': broken, 'mmseg': broken})))
    assert 'import mmcv, mmseg.models: ' in problem.what
    assert 'uninstall -y onedl-mmcv && ' in problem.remedy


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
    problem = only(check_machine(facts(**changes)))
    assert problem.level == level
    assert words in problem.remedy


def test_errors_come_first():
    environment = facts(remove=['regex'], add={'torch': '2.5.0', 'torchvision': '0.20.0'}, cores=1, free_disk=0)
    assert [problem.level for problem in check_all(environment)] == ['error', 'error', 'error', 'warning', 'info']
