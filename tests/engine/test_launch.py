import json
from pathlib import Path

import pytest

from projects.false import InputError
from projects.false.engine.checkpoints.files import write_checkpoint
from projects.false.engine.checkpoints.latest import torchrun_name
from projects.false.engine.config import load_config
from projects.false.engine.launch import alone_in_work_dir, build_runner, set_resume
from tests.helpers.tools import REPOSITORY

RECIPE = str(REPOSITORY / 'configs' / 'simclr_r50_potsdam.py')


@pytest.fixture
def resumable(tmp_path):
    """A config whose work folder has a checkpoint of 8 iterations, and a checkpoint of 4 iterations elsewhere."""
    for path, iteration in ((tmp_path / 'run' / 'epoch_2.pth', 8), (tmp_path / 'given.pth', 4)):
        meta = {'iter': iteration, 'epoch': 1, 'experiment_name': 'first'}
        write_checkpoint({'meta': meta, 'state_dict': {}, 'message_hub': {}}, path)
    config = load_config(RECIPE, work_dir=str(tmp_path / 'run'))
    return config, str(tmp_path / 'run' / 'epoch_2.pth'), str(tmp_path / 'given.pth')


@pytest.fixture
def said(monkeypatch):
    """Lines of the log."""
    lines = []
    monkeypatch.setattr('projects.false.engine.checkpoints.latest.print_log', lambda text, *where: lines.append(text))
    return lines


def test_resume_is_left_alone_unless_asked_for(resumable):
    config, *_ = resumable
    set_resume(config, None)
    assert (config.resume, config.load_from) == (False, None)


def test_resume_finds_the_checkpoint_of_the_work_folder(resumable):
    config, latest, _ = resumable
    set_resume(config, 'auto')
    assert (config.resume, config.load_from) == (True, latest)


def test_resume_of_a_config(resumable):
    config, latest, given = resumable
    config.resume = True
    set_resume(config, None)
    assert config.load_from == latest
    config.load_from = given
    set_resume(config, None)
    assert (config.resume, config.load_from) == (True, given)


def test_resume_without_a_checkpoint_begins_with_the_weights_of_the_config(tmp_path, said):
    config = load_config(RECIPE, {'load_from': 'weights.pth'}, work_dir=str(tmp_path / 'new'))
    set_resume(config, 'auto')
    assert (config.resume, config.load_from) == (False, 'weights.pth')
    assert said == [f'{tmp_path / "new"}: no checkpoint to resume from yet, starting from the beginning']


def started(config, monkeypatch, runs, resumed=None):
    """Pretend that torchrun restarted this process."""
    monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', '/tmp/made/attempt_1/0/error.json')
    record = {'launchers': [torchrun_name()], 'runs': runs, 'resumed': resumed}
    Path(config.work_dir, '.launch.json').write_text(json.dumps(record))


def test_a_run_that_begins_beside_checkpoints_says_so(resumable, said):
    config, *_ = resumable
    set_resume(config, None)
    assert (config.resume, config.load_from) == (False, None)
    assert len(said) == 1
    assert said[0].startswith(
        f'{config.work_dir} has checkpoints of an earlier run (epoch_2.pth): this run starts again'
    )


def test_restart_of_torchrun_resumes_by_itself(resumable, said, monkeypatch):
    config, latest, given = resumable
    for resume in (None, 'auto', given):  # the file is what the first start resumed from
        started(config, monkeypatch, ['first', 'second'], resumed=resume)
        set_resume(config, resume)
        assert (config.resume, config.load_from) == (True, latest)
        assert said.pop() == f'restart 2 by torchrun goes on from {latest}'


def test_restart_does_not_go_on_from_an_earlier_run(resumable, said, monkeypatch):
    """The folder has a checkpoint of another run; this one died before its first."""
    config, _, given = resumable
    started(config, monkeypatch, ['second'])
    set_resume(config, None)
    assert (config.resume, config.load_from) == (False, None)
    assert said[-1] == 'restart 1 by torchrun goes on from the beginning: there is no checkpoint of this run yet'
    started(config, monkeypatch, ['second'], resumed=given)
    set_resume(config, 'auto')
    assert (config.resume, config.load_from) == (True, given)


@pytest.mark.parametrize(
    ('kind', 'name'), [('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID'), ('mpi', 'OMPI_COMM_WORLD_RANK')]
)
def test_only_the_first_process_decides_and_logs(resumable, said, monkeypatch, kind, name, holder):
    config, latest, _ = resumable
    config.launcher = kind
    monkeypatch.setenv(name, '1')
    with holder(config.work_dir), alone_in_work_dir(config):
        set_resume(config, 'auto')
        assert (config.resume, config.load_from, said) == (False, None, [])
        monkeypatch.setenv(name, '0')
        with pytest.raises(InputError, match='is being written by process'), alone_in_work_dir(config):
            pass
    with alone_in_work_dir(config):
        set_resume(config, 'auto')
    assert config.load_from == latest


def test_a_process_without_a_launcher_decides_for_itself(resumable, monkeypatch):
    config, latest, _ = resumable
    monkeypatch.setenv('SLURM_PROCID', '1')  # in a shell that srun opened
    set_resume(config, 'auto')
    assert config.load_from == latest


def test_resume_from_a_missing_file(resumable):
    with pytest.raises(InputError, match=r'gone\.pth: no such checkpoint'):
        set_resume(resumable[0], 'gone.pth')


def test_work_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'file/run: cannot be made .* choose another --work-dir'):
        build_runner(load_config(RECIPE, work_dir=str(tmp_path / 'file' / 'run')))
