"""Read what torchrun, Slurm and MPI tell a process about its rank, and connect processes that have no GPU."""

import os
from datetime import timedelta

from torch import distributed

from projects.false.common.errors import InputError

# MMEngine's launchers, and the environment variable in which each gives rank, world size and local rank.
LAUNCHER_VARIABLES = {
    'pytorch': {'RANK': 'RANK', 'WORLD_SIZE': 'WORLD_SIZE', 'LOCAL_RANK': 'LOCAL_RANK'},
    'slurm': {'RANK': 'SLURM_PROCID', 'WORLD_SIZE': 'SLURM_NTASKS', 'LOCAL_RANK': 'SLURM_LOCALID'},
    'mpi': {
        'RANK': 'OMPI_COMM_WORLD_RANK',
        'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE',
        'LOCAL_RANK': 'OMPI_COMM_WORLD_LOCAL_RANK',
    },
}


def is_first_process(launcher: str) -> bool:
    """Return True in the process that decides and writes, before the processes are connected.

    Args:
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``; with ``none`` every process is the first.
    """
    if launcher not in LAUNCHER_VARIABLES:
        return True
    return os.environ.get(LAUNCHER_VARIABLES[launcher]['RANK'], '0') == '0'


def init_gloo(launcher: str, timeout: float | None = None) -> None:
    """Connect the processes without a GPU, which MMEngine's own initialisation requires.

    Args:
        launcher: ``pytorch``, ``slurm`` or ``mpi``.
        timeout: Seconds to wait for the others; None for PyTorch's default.

    Raises:
        InputError: The launcher's variables are not set, so it did not start this process.
    """
    _set_variables(launcher, 'train')
    distributed.init_process_group('gloo', timeout=None if timeout is None else timedelta(seconds=timeout))


def connect_store(launcher: str, tool: str) -> tuple[distributed.Store, int, int, int]:
    """Connect the processes only by a key-value store, which each process may use at any time.

    Args:
        launcher: ``pytorch``, ``slurm`` or ``mpi``.
        tool: Name of the tool, for the message.

    Returns:
        The store, rank, world size and local rank.

    Raises:
        InputError: The launcher's variables are not set, so it did not start this process.
    """
    _set_variables(launcher, tool)
    store, rank, count = next(distributed.rendezvous('env://'))
    return store, rank, count, int(os.environ['LOCAL_RANK'])


def _set_variables(launcher: str, tool: str) -> None:
    """Give rank, world size and local rank the names that PyTorch looks for."""
    for name, source in LAUNCHER_VARIABLES.get(launcher, {}).items():
        if source in os.environ:
            os.environ[name] = os.environ[source]
    os.environ.setdefault('MASTER_PORT', '29500')
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR') if name not in os.environ]
    if missing:
        raise InputError(
            f'--launcher {launcher} without {", ".join(missing)} in the environment; '
            f'start with tools/dist_{tool}.sh or tools/slurm_{tool}.sh, or leave --launcher out for one process'
        )
