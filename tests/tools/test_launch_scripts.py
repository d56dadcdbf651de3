"""tools/dist_*.sh with torchrun and tools/slurm_*.sh with a made srun: what reaches the tool, and the errors."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.tools import REPOSITORY

TOOLS = REPOSITORY / 'tools'
FREE = ('PORT', 'NNODES', 'NODE_RANK', 'MASTER_ADDR', 'MASTER_PORT', 'MAX_RESTARTS', 'OMP_NUM_THREADS', 'GPUS')


def shell(cwd, *command, **environment):
    kept = {key: value for key, value in os.environ.items() if key not in FREE and not key.startswith('SLURM')}
    return subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=kept | {'PYTHON': sys.executable} | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture
def told(tmp_path):
    """A tool that prints arguments and environment as a line of JSON; with --fail its first start fails."""
    path = tmp_path / 'told.py'
    path.write_text(
        'import json, os, sys\n'
        'keys = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS"]\n'
        'keys += ["TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_USE_AGENT_STORE"]\n'
        'line = json.dumps({"arguments": sys.argv[1:]} | {key: os.environ.get(key) for key in keys}) + "\\n"\n'
        'os.write(1, line.encode())  # in one piece: two processes share the pipe\n'
        'sys.exit("--fail" in sys.argv and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0")\n'
    )
    return path


def lines(done):
    return sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda line: int(line['RANK'] or 0))


@pytest.mark.parametrize(
    ('script', 'given', 'needed'),
    [
        ('dist_train', ['c.py'], 'CONFIG GPUS'),
        ('dist_test', ['c.py', 'c.pth'], 'CONFIG CHECKPOINT GPUS'),
        ('dist_infer', ['c.py', 'c.pth', '2'], 'CONFIG CHECKPOINT GPUS INPUT...'),
        ('slurm_train', ['gpu', 'job'], 'PARTITION JOB_NAME CONFIG'),
        ('slurm_test', ['gpu', 'job', 'c.py'], 'PARTITION JOB_NAME CONFIG CHECKPOINT'),
        ('slurm_infer', ['gpu', 'job', 'c.py', 'c.pth'], 'PARTITION JOB_NAME CONFIG CHECKPOINT INPUT...'),
    ],
)
def test_missing_arguments(script, given, needed, tmp_path):
    assert os.access(TOOLS / f'{script}.sh', os.X_OK)
    for caller in ([], ['sh']):
        done = shell(tmp_path, *caller, TOOLS / f'{script}.sh', *given)
        assert done.returncode == 2
        assert done.stderr.startswith('usage: ')
        assert f'.sh {needed} [arguments of ' in done.stderr


@pytest.mark.parametrize(
    ('gpus', 'environment', 'text'),
    [
        ('two', {}, "GPUS is 'two'; give a whole number, at least 1"),
        ('0', {}, "GPUS is '0'"),
        ('2', {'PORT': 'x'}, "PORT is 'x'"),
        ('2', {'PORT': '65536'}, "PORT is '65536'; give a whole number, at least 1 and at most 65535"),
        ('2', {'MAX_RESTARTS': '-1'}, "MAX_RESTARTS is '-1'"),
        ('2', {'NNODES': '2'}, 'set MASTER_ADDR'),
        ('2', {'NNODES': '2', 'NODE_RANK': '2', 'MASTER_ADDR': 'a'}, 'NODE_RANK is 2 with NNODES=2'),
        ('2', {'PYTHON': 'no-such-python'}, 'no-such-python: no such command'),
    ],
)
def test_wrong_numbers(gpus, environment, text, tmp_path):
    done = shell(tmp_path, TOOLS / 'dist_train.sh', 'c.py', gpus, **environment)
    assert done.returncode == 2
    assert done.stderr.startswith('error: ')
    assert done.stderr.count('\n') == 1
    assert text in done.stderr


@pytest.mark.slow
def test_processes_of_one_machine(told, tmp_path):
    done = shell(tmp_path, TOOLS / 'launch' / 'dist.sh', told, 2, 'c.py', '--cfg-options', 'a=1 2')
    assert done.returncode == 0, done.stderr
    first, second = lines(done)
    assert first['arguments'] == ['c.py', '--cfg-options', 'a=1 2', '--launcher', 'pytorch']
    assert (first['RANK'], second['RANK'], first['WORLD_SIZE']) == ('0', '1', '2')
    assert first['MASTER_PORT'] == second['MASTER_PORT'] != '29500'
    assert int(first['OMP_NUM_THREADS']) == max(1, len(os.sched_getaffinity(0)) // 2)
    assert 'OMP_NUM_THREADS' not in done.stderr


@pytest.mark.slow
def test_a_run_that_died_starts_again(told, tmp_path):
    done = shell(tmp_path, TOOLS / 'launch' / 'dist.sh', told, 1, '--fail', MAX_RESTARTS='1', OMP_NUM_THREADS='3')
    assert done.returncode == 0, done.stderr
    first, second = sorted(lines(done), key=lambda line: line['TORCHELASTIC_RESTART_COUNT'])
    assert (first['TORCHELASTIC_RESTART_COUNT'], second['TORCHELASTIC_RESTART_COUNT']) == ('0', '1')
    assert first['OMP_NUM_THREADS'] == second['OMP_NUM_THREADS'] == '3'
    # not the store of the agent, in which the new processes would find the addresses of the dead ones
    assert first['TORCHELASTIC_USE_AGENT_STORE'] == second['TORCHELASTIC_USE_AGENT_STORE'] == 'False'
    assert first['MASTER_PORT'] != second['MASTER_PORT']


@pytest.mark.slow
@pytest.mark.parametrize('restarts', ['0', '1'])
def test_two_machines(told, tmp_path, restarts):
    from torch.distributed.elastic.utils.distributed import get_free_port

    kept = {key: value for key, value in os.environ.items() if key not in FREE}
    common = {'NNODES': '2', 'MASTER_ADDR': '127.0.0.1', 'PORT': str(get_free_port()), 'MAX_RESTARTS': restarts}
    both = [
        subprocess.Popen(
            [TOOLS / 'launch' / 'dist.sh', told, '1'],
            env=kept | common | {'NODE_RANK': rank, 'PYTHON': sys.executable},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in '01'
    ]
    found = [json.loads(process.communicate(timeout=600)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(line['RANK'] for line in found) == ['0', '1']
    if restarts == '0':
        assert [line['RANK'] for line in found] == ['0', '1']


@pytest.mark.slow
@pytest.mark.parametrize(('script', 'more'), [('dist_train', []), ('dist_test', ['c.pth'])])
def test_bad_input_is_reported_once_and_at_the_end(script, more, tmp_path):
    done = shell(tmp_path, TOOLS / f'{script}.sh', 'gone.py', *more, 2)
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if line.startswith('error: ')] == [
        'error: gone.py: no such config; the recipes are in configs/'
    ]
    assert 'error: gone.py: no such config' in done.stderr[-400:]


SRUN = """#!/usr/bin/env bash
# one task of Slurm's: options up to the first word without a dash, then the command
set -euo pipefail
while [[ $1 == -* ]]; do printf '%s\\n' "$1" >>"$SRUN_SEEN"; shift; done
export SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_LOCALID=0 SLURM_JOB_ID=40123 SLURM_JOB_NODELIST='node[7-8]'
exec "$@"
"""


@pytest.fixture
def cluster(tmp_path):
    """The environment of a machine with Slurm, as far as the scripts need it."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    answer = '[[ $* == "show hostnames node[7-8]" ]] && printf "localhost\\nnode8\\n"'
    for name, text in (('srun', SRUN), ('scontrol', f'#!/usr/bin/env bash\n{answer}\n')):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return {'PATH': f'{folder}:{os.environ["PATH"]}', 'SRUN_SEEN': str(tmp_path / 'seen')}


def test_slurm_job(told, cluster, tmp_path):
    environment = {'GPUS': '16', 'CPUS_PER_TASK': '3', 'SRUN_ARGS': '--time=1:00 --qos=long'}
    done = shell(
        tmp_path, TOOLS / 'launch' / 'slurm.sh', told, 'gpu', 'my job', 'c.py', 'a b', **cluster, **environment
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'seen').read_text().splitlines() == [
        '--partition=gpu',
        '--job-name=my job',
        '--gres=gpu:8',
        '--ntasks=16',
        '--ntasks-per-node=8',
        '--cpus-per-task=3',
        '--kill-on-bad-exit=1',
        '--time=1:00',
        '--qos=long',
    ]
    (line,) = lines(done)
    assert line['arguments'] == ['c.py', 'a b', '--launcher', 'slurm']
    assert (line['MASTER_ADDR'], line['MASTER_PORT']) == ('localhost', '20123')


@pytest.mark.parametrize(
    ('script', 'arguments'),
    [
        ('slurm_train', ['gone.py']),
        ('slurm_test', ['gone.py', 'c.pth']),
        ('slurm_infer', ['gone.py', 'c.pth', 'in.tif', '--out', 'maps']),
    ],
)
def test_slurm_scripts_call_their_tool(script, arguments, cluster, tmp_path):
    done = shell(tmp_path, TOOLS / f'{script}.sh', 'gpu', 'job', *arguments, **cluster, GPUS='1')
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == 'error: gone.py: no such config; the recipes are in configs/'
    assert '--ntasks-per-node=1' in (tmp_path / 'seen').read_text()


@pytest.mark.parametrize(
    ('name', 'value', 'bounds'),
    [
        ('GPUS', '0', 'at least 1'),
        ('CPUS_PER_TASK', '1.5', 'at least 1'),
        ('GPUS_PER_NODE', 'all', 'at least 1'),
        ('PORT', '65536', 'at least 1 and at most 65535'),
        ('MASTER_PORT', 'auto', 'at least 1 and at most 65535'),
    ],
)
def test_settings_of_a_slurm_job_that_cannot_be(name, value, bounds, cluster, tmp_path):
    done = shell(tmp_path, TOOLS / 'slurm_train.sh', 'gpu', 'job', 'c.py', **cluster, **{name: value})
    assert (done.returncode, done.stderr) == (2, f"error: {name} is '{value}'; give a whole number, {bounds}\n")
    assert not (tmp_path / 'seen').exists()


def test_a_number_of_gpus_with_a_leading_zero(told, cluster, tmp_path):
    done = shell(tmp_path, TOOLS / 'launch' / 'slurm.sh', told, 'gpu', 'job', **cluster, GPUS='08')
    assert done.returncode == 0, done.stderr
    assert {'--gres=gpu:8', '--ntasks=8', '--ntasks-per-node=8'} < set((tmp_path / 'seen').read_text().splitlines())


def test_without_slurm(tmp_path):
    (tmp_path / 'dirname').symlink_to('/usr/bin/dirname')
    (tmp_path / 'bash').symlink_to('/bin/bash')
    (tmp_path / 'env').symlink_to('/usr/bin/env')
    done = shell(tmp_path, TOOLS / 'slurm_train.sh', 'gpu', 'job', 'c.py', PATH=str(tmp_path))
    assert (done.returncode, done.stderr.split(';')[0]) == (2, 'error: srun: no such command')
