import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS

from projects.false.engine.config import load_config
from projects.false.engine.runner import FALSERunner, fit_schedules
from tests.helpers.tools import REPOSITORY


def test_runner_is_registered():
    assert RUNNERS.get('FALSERunner') is FALSERunner


def test_schedules_that_begin_after_the_end_are_dropped():
    by_iteration = [dict(begin=0), dict(), dict(begin=10), dict(begin=9)]
    schedules = [dict(type='PolyLR', by_epoch=False, **entry) for entry in by_iteration]
    config = Config(dict(train_cfg=dict(max_iters=10), param_scheduler=schedules))
    fit_schedules(config)
    assert [entry.get('begin') for entry in config.param_scheduler] == [0, None, 9]


def test_schedules_in_another_unit_than_the_run_stay():
    schedules = [dict(by_epoch=False, begin=500), dict(by_epoch=True, begin=500)]
    config = Config(dict(train_cfg=dict(max_epochs=200), param_scheduler=schedules))
    fit_schedules(config)
    assert config.param_scheduler == schedules[:1]


@pytest.mark.parametrize(
    'config',
    [
        dict(),
        dict(train_cfg=None),
        dict(train_cfg=dict(max_epochs=1), param_scheduler=dict(begin=3)),
        dict(train_cfg=dict(max_epochs=1)),
        dict(train_cfg=dict(max_epochs='no'), param_scheduler=[dict(begin=3)]),
    ],
)
def test_nothing_to_fit(config):
    made = Config(config)
    fit_schedules(made)
    assert made.to_dict() == config


def test_schedules_of_a_shortened_run_end_with_it():
    config = load_config(str(REPOSITORY / 'configs' / 'simclr_r50_potsdam.py'), {'train_cfg.max_epochs': 10})
    fit_schedules(config)
    assert [entry.type for entry in config.param_scheduler] == ['LinearLR']
