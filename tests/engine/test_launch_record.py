"""Whose checkpoints a restart may go on from."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from projects.false.common.errors import InputError
from projects.false.engine.checkpoints.latest import LaunchRecord, launcher, note_start, read_record


@pytest.fixture
def started(monkeypatch, tmp_path: Path):
    """``started('a', attempt)``: this process is one of torchrun ``a``."""

    def start(name: str, attempt: int = 0, rank: int = 0) -> None:
        monkeypatch.setenv('TORCHELASTIC_RUN_ID', 'none')  # as torchrun has it for every launch without --rdzv-id
        monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', f'/tmp/{name}/attempt_{attempt}/{rank}/error.json')

    return start


def run(folder: Path, name: str, resumed: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(
        work_dir=str(folder), experiment_name=name, _resume=resumed is not None, _load_from=resumed or 'weights.pth'
    )


def test_starts_of_one_torchrun_are_one_record(tmp_path: Path, started, monkeypatch) -> None:
    started('a')
    assert read_record(tmp_path) is None
    note_start(run(tmp_path, 'run_1'))
    assert read_record(tmp_path) == LaunchRecord([launcher()], ['run_1'], None)
    started('a', attempt=1, rank=1)
    note_start(run(tmp_path, 'run_2', 'iter_5.pth'))
    assert read_record(tmp_path) == LaunchRecord([launcher()], ['run_1', 'run_2'], None)
    started('b')
    assert read_record(tmp_path) is None
    monkeypatch.chdir(tmp_path)
    note_start(run(tmp_path, 'run_3', 'iter_9.pth'))
    assert read_record(tmp_path) == LaunchRecord([launcher()], ['run_3'], f'{tmp_path}/iter_9.pth')


def test_the_first_process_may_be_on_another_machine_after_a_restart(tmp_path: Path, started, monkeypatch) -> None:
    started('a')
    here = launcher()
    monkeypatch.setattr(
        'projects.false.engine.checkpoints.latest.all_gather_object', lambda name: [name, 'there', 'there']
    )
    note_start(run(tmp_path, 'run_1'))
    monkeypatch.setattr('projects.false.engine.checkpoints.latest.launcher', lambda: 'there')
    assert read_record(tmp_path) == LaunchRecord(sorted([here, 'there']), ['run_1'], None)


def test_nothing_is_noted_without_torchrun(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv('TORCHELASTIC_ERROR_FILE', raising=False)
    note_start(run(tmp_path, 'run_1'))
    assert not list(tmp_path.iterdir())
    (tmp_path / '.launch.json').write_text('{"launchers": [null], "runs": [], "resumed": null}')
    assert read_record(tmp_path) is None


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"launchers": 1, "runs": [], "resumed": null}'])
def test_record_that_is_none(tmp_path: Path, started, text: str) -> None:
    started('a')
    (tmp_path / '.launch.json').write_text(text)
    assert read_record(tmp_path) is None


def test_folder_that_cannot_be_written(tmp_path: Path, started) -> None:
    started('a')
    (tmp_path / '.launch.json' / 'x').mkdir(parents=True)
    with pytest.raises(InputError, match='cannot be written'):
        note_start(run(tmp_path, 'run_1'))
