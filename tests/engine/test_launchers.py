import pytest

from projects.false import InputError
from projects.false.engine.launchers import LAUNCHER_VARIABLES, init_gloo, is_first_process


@pytest.mark.parametrize('launcher', LAUNCHER_VARIABLES)
def test_first_process_is_told_by_its_rank(launcher, monkeypatch):
    variable = LAUNCHER_VARIABLES[launcher]['RANK']
    monkeypatch.delenv(variable, raising=False)
    assert is_first_process(launcher)
    for rank, first in (('0', True), ('1', False)):
        monkeypatch.setenv(variable, rank)
        assert is_first_process(launcher) is first


def test_every_process_without_a_launcher_is_the_first(monkeypatch):
    for names in LAUNCHER_VARIABLES.values():
        monkeypatch.setenv(names['RANK'], '1')
    assert is_first_process('none')


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

    from tests.helpers.processes import free_port

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
