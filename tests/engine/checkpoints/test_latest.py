"""The last complete checkpoint is found whatever happened to the work folder."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from projects.false.common.errors import InputError
from projects.false.engine.checkpoints.files import write_checkpoint, write_safetensors
from projects.false.engine.checkpoints.latest import (
    Found,
    LaunchRecord,
    agree_on_checkpoint,
    choose_after_restart,
    choose_resumed,
    find_latest_checkpoint,
    note_start,
    pointed_to,
    read_record,
    torchrun_name,
)
from tests.helpers.processes import run_processes


def save(path: Path, iteration: int, run: str = 'earlier') -> str:
    meta = {'iter': iteration, 'epoch': 0, 'experiment_name': run}
    content = {'meta': meta, 'state_dict': {'w': torch.ones(500)}, 'message_hub': {}}
    write_checkpoint(content, path)
    return str(path)


def cut(path: str) -> str:
    Path(path).write_bytes(Path(path).read_bytes()[:-300])
    return path


def flip(path: str) -> str:
    data = bytearray(Path(path).read_bytes())
    data[data.find(torch.ones(10).numpy().tobytes())] ^= 1
    Path(path).write_bytes(data)
    return path


def hostile(path: Path, victim: Path) -> None:
    class Payload:
        def __reduce__(self):
            return os.system, (f'touch {victim}',)

    torch.save(Payload(), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Checkpoints of 9, 10 and 11 iterations, which sort otherwise by name, and files that must not be chosen."""
    run = tmp_path / 'run'
    for iteration in (9, 10, 11):
        save(run / f'iter_{iteration}.pth', iteration)
    save(run / 'best_mIoU_iter_12.pth', 12)
    save(run / '.iter_12.pth.0123abcd.tmp', 12)
    write_checkpoint({'state_dict': {}, 'meta': {'iter': 99}}, run / 'backbone.pth')
    write_checkpoint([1], run / 'list.pth')
    return run


def point(folder: Path, text: str) -> None:
    (folder / 'last_checkpoint').write_text(text)


def test_what_last_checkpoint_names_comes_first(folder: Path) -> None:
    point(folder, f'{folder}/iter_10.pth\n')
    assert find_latest_checkpoint(folder) == Found(f'{folder}/iter_10.pth', [])


@pytest.mark.parametrize('text', ['', '\n', '/gone/iter_12.pth', 'x' * 5000, '\0', 'iter_12.pth\nmore'])
def test_newest_where_last_checkpoint_is_useless(folder: Path, text: str) -> None:
    point(folder, text)
    found = find_latest_checkpoint(folder)
    assert found.path == f'{folder}/iter_11.pth'
    assert len(found.skipped) == bool(text.strip())
    assert all('is missing' in reason for reason in found.skipped)


def test_newest_without_last_checkpoint(folder: Path) -> None:
    assert find_latest_checkpoint(folder) == Found(f'{folder}/iter_11.pth', [])


@pytest.mark.parametrize('damage', [cut, flip])
@pytest.mark.parametrize('pointer', [True, False])
def test_damaged_files_are_passed_over(folder: Path, damage, pointer: bool) -> None:
    for iteration in (10, 11):
        damage(f'{folder}/iter_{iteration}.pth')
    if pointer:
        point(folder, f'{folder}/iter_11.pth')
    found = find_latest_checkpoint(folder)
    assert found.path == f'{folder}/iter_9.pth'
    assert sorted(found.skipped) == [f'{folder}/iter_10.pth is damaged', f'{folder}/iter_11.pth is damaged']


def test_last_checkpoint_that_names_weights_alone(folder: Path) -> None:
    point(folder, f'{folder}/backbone.pth')
    path, skipped = find_latest_checkpoint(folder)
    assert path == f'{folder}/iter_11.pth'
    assert skipped == [f'last_checkpoint names {folder}/backbone.pth, from which training cannot resume']


def test_moved_folder(folder: Path, tmp_path: Path) -> None:
    point(folder, f'{folder}/iter_10.pth')
    moved = shutil.move(folder, tmp_path / 'moved')
    assert find_latest_checkpoint(moved) == Found(f'{moved}/iter_10.pth', [])


def test_copied_folder_goes_on_from_its_own_file(folder: Path, tmp_path: Path) -> None:
    point(folder, f'{folder}/iter_10.pth')
    copy = shutil.copytree(folder, tmp_path / 'copy')
    assert pointed_to(copy) == f'{copy}/iter_10.pth'


def test_checkpoints_in_a_folder_of_their_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / 'work').mkdir()
    point(tmp_path / 'work', f'{folder}/iter_10.pth')
    assert find_latest_checkpoint(tmp_path / 'work').path == f'{folder}/iter_10.pth'
    cut(f'{folder}/iter_10.pth')
    assert find_latest_checkpoint(tmp_path / 'work').path == f'{folder}/iter_11.pth'


@pytest.mark.parametrize('pointer', [True, False])
def test_hostile_file_stops_the_search_and_runs_nothing(folder: Path, tmp_path: Path, pointer: bool) -> None:
    hostile(folder / 'iter_12.pth', tmp_path / 'victim')
    if pointer:
        point(folder, f'{folder}/iter_12.pth')
    with pytest.raises(InputError, match=r'iter_12\.pth is refused, nothing was run'):
        find_latest_checkpoint(folder)
    assert not (tmp_path / 'victim').exists()


def test_folder_without_checkpoints(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / 'gone'):
        assert choose_resumed('auto', folder) == Found(None, [])


def test_only_damaged_checkpoints_are_an_error(folder: Path) -> None:
    for iteration in (9, 10, 11):
        cut(f'{folder}/iter_{iteration}.pth')
    with pytest.raises(InputError, match=r'no complete checkpoint .*iter_11\.pth is damaged.* to start again'):
        choose_resumed('auto', folder)


def test_given_file(folder: Path, tmp_path: Path) -> None:
    early, late = save(tmp_path / 'early.pth', 5), save(tmp_path / 'late.pth', 50)
    assert choose_resumed(early, folder).path == early
    assert choose_resumed(late, tmp_path / 'gone').path == late
    with pytest.raises(InputError, match=r'gone\.pth: no such checkpoint'):
        choose_resumed('gone.pth', folder)


@pytest.mark.parametrize('name', ['backbone.pth', 'weights.safetensors'])
def test_weights_alone_cannot_be_resumed_from(tmp_path, name):
    state = {'conv1.weight': torch.ones(1)}
    if name.endswith('.pth'):
        write_checkpoint({'state_dict': state, 'meta': {'iter': 9}}, tmp_path / name)
    else:
        write_safetensors(state, tmp_path / name, {'iter': 9})
    with pytest.raises(InputError, match=rf'{name}: holds weights alone, training cannot resume from it; give an'):
        choose_resumed(str(tmp_path / name), tmp_path)


def test_after_a_restart_only_its_own_checkpoints_count(folder: Path, tmp_path: Path) -> None:
    """The folder has checkpoints of an earlier run, with more iterations and named by last_checkpoint."""
    point(folder, f'{folder}/iter_11.pth')
    given = save(tmp_path / 'given.pth', 4)
    begun, resumed = LaunchRecord([], ['mine_1', 'mine_2'], None), LaunchRecord([], ['mine_1', 'mine_2'], given)
    skipped = [f'last_checkpoint names {folder}/iter_11.pth, which belongs to an earlier run']
    assert choose_after_restart(folder, begun) == Found(None, skipped)
    assert choose_after_restart(folder, resumed) == Found(given, skipped)
    for run in ('mine_1', 'mine_2'):
        own = save(folder / f'{run}.pth', 6, run)
        assert choose_after_restart(folder, begun) == Found(own, skipped)
        assert choose_after_restart(folder, resumed) == Found(own, skipped)
        os.unlink(own)
    os.unlink(given)
    with pytest.raises(InputError, match=r'given\.pth: no such checkpoint'):
        choose_after_restart(folder, resumed)


@pytest.mark.parametrize('spelling', ['{}/./iter_11.pth', '{}//iter_11.pth', '{}/../run/iter_11.pth'])
def test_a_damaged_file_is_listed_once_however_it_is_spelt(folder: Path, monkeypatch, spelling: str) -> None:
    cut(f'{folder}/iter_11.pth')
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr('projects.false.engine.checkpoints.latest.pointed_to', lambda folder: spelling.format('run'))
    for place in (folder, 'run', './run/'):
        assert len(find_latest_checkpoint(place).skipped) == 1


def decide_in_a_process(rank: int, folder: str) -> None:
    class Runner:
        _resume, _load_from = (True, 'first.pth') if rank == 0 else (False, None)

    rendezvous = f'file://{folder}/rendezvous'
    torch.distributed.init_process_group('gloo', init_method=rendezvous, rank=rank, world_size=2)
    agree_on_checkpoint(Runner)
    assert (Runner._resume, Runner._load_from) == (True, 'first.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_every_process_goes_on_from_the_file_of_the_first(tmp_path: Path) -> None:
    run_processes(decide_in_a_process, str(tmp_path), count=2)


@pytest.fixture
def started(monkeypatch, tmp_path: Path):
    """``started('a', attempt)`` pretends that torchrun ``a`` started this process."""

    def start(name: str, attempt: int = 0, rank: int = 0) -> None:
        monkeypatch.setenv('TORCHELASTIC_RUN_ID', 'none')  # what torchrun sets for every launch without --rdzv-id
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
    assert read_record(tmp_path) == LaunchRecord([torchrun_name()], ['run_1'], None)
    started('a', attempt=1, rank=1)
    note_start(run(tmp_path, 'run_2', 'iter_5.pth'))
    assert read_record(tmp_path) == LaunchRecord([torchrun_name()], ['run_1', 'run_2'], None)
    started('b')
    assert read_record(tmp_path) is None
    monkeypatch.chdir(tmp_path)
    note_start(run(tmp_path, 'run_3', 'iter_9.pth'))
    assert read_record(tmp_path) == LaunchRecord([torchrun_name()], ['run_3'], f'{tmp_path}/iter_9.pth')


def test_the_first_process_may_be_on_another_machine_after_a_restart(tmp_path: Path, started, monkeypatch) -> None:
    started('a')
    here = torchrun_name()
    monkeypatch.setattr(
        'projects.false.engine.checkpoints.latest.all_gather_object', lambda name: [name, 'there', 'there']
    )
    note_start(run(tmp_path, 'run_1'))
    monkeypatch.setattr('projects.false.engine.checkpoints.latest.torchrun_name', lambda: 'there')
    assert read_record(tmp_path) == LaunchRecord(sorted([here, 'there']), ['run_1'], None)


def test_nothing_is_noted_without_torchrun(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv('TORCHELASTIC_ERROR_FILE', raising=False)
    note_start(run(tmp_path, 'run_1'))
    assert not list(tmp_path.iterdir())
    (tmp_path / '.launch.json').write_text('{"launchers": [null], "runs": [], "resumed": null}')
    assert read_record(tmp_path) is None


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"launchers": 1, "runs": [], "resumed": null}'])
def test_damaged_record_is_ignored(tmp_path: Path, started, text: str) -> None:
    started('a')
    (tmp_path / '.launch.json').write_text(text)
    assert read_record(tmp_path) is None


def test_folder_that_cannot_be_written(tmp_path: Path, started) -> None:
    started('a')
    (tmp_path / '.launch.json' / 'x').mkdir(parents=True)
    with pytest.raises(InputError, match='cannot be written'):
        note_start(run(tmp_path, 'run_1'))
