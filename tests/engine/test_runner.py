import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS

from projects.false import InputError
from projects.false.engine.runner import FALSERunner, fit_schedules, init_gloo


def test_recipes_ask_for_it():
    assert RUNNERS.get('FALSERunner') is FALSERunner


def test_schedules_that_begin_after_the_end_are_dropped():
    by_iteration = [dict(begin=0), dict(), dict(begin=10), dict(begin=9)]
    schedules = [dict(type='PolyLR', by_epoch=False, **entry) for entry in by_iteration]
    config = Config(dict(train_cfg=dict(max_iters=10), param_scheduler=schedules))
    fit_schedules(config)
    assert [entry.get('begin') for entry in config.param_scheduler] == [0, None, 9]


def test_schedules_counted_otherwise_than_the_run_stay():
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


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm', 'mpi'])
def test_process_that_no_launcher_started(launcher, monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('MASTER_PORT', '29501')
    with pytest.raises(InputError, match=f'--launcher {launcher} without RANK.*start with tools/dist_train.sh'):
        init_gloo(launcher)


@pytest.mark.parametrize(
    ('launcher', 'variables'),
    [
        ('slurm', dict(SLURM_PROCID='0', SLURM_NTASKS='1', SLURM_LOCALID='0')),
        (
            'mpi',
            dict(OMPI_COMM_WORLD_RANK='0', OMPI_COMM_WORLD_SIZE='1', OMPI_COMM_WORLD_LOCAL_RANK='0'),
        ),
        ('pytorch', dict(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0')),
    ],
)
def test_launchers_variables_are_understood(launcher, variables, monkeypatch):
    from torch import distributed

    from tests.end_to_end.test_several_processes import free_port

    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.setenv(name, 'replaced')
    for name, value in {**variables, 'MASTER_ADDR': 'localhost', 'MASTER_PORT': str(free_port())}.items():
        monkeypatch.setenv(name, value)
    init_gloo(launcher, timeout=60)
    try:
        assert distributed.get_backend() == 'gloo'
        assert distributed.get_world_size() == 1
    finally:
        distributed.destroy_process_group()
