"""There is a complete checkpoint at every moment, whatever fails."""

import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import mmengine.runner
import pytest
import torch
from mmengine.hooks import Hook

from projects.false.common.errors import InputError
from projects.false.engine.checkpoints.files import read_checkpoint, verify_checkpoint
from projects.false.engine.checkpoints.safe_hook import SafeCheckpointHook, not_finite, split_kept
from tests.helpers.runs import Careless


def safe(**changes) -> dict:
    return {'checkpoint': {'type': 'SafeCheckpointHook', 'interval': 1, **changes}}


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in ('.pth', '.tmp'))


def pointer(folder: Path) -> str:
    return mmengine.runner.find_latest_checkpoint(str(folder))  # as `mim train --resume` reads it


@contextmanager
def no_file_larger_than(size: int):
    """Let writing fail in mid-file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class At(Hook):
    """Call something after an epoch, before the checkpoint is saved."""

    priority = 'NORMAL'

    def __init__(self, epoch: int, call) -> None:
        self.epoch, self.call = epoch, call

    def after_train_epoch(self, runner) -> None:
        if runner.epoch + 1 == self.epoch:
            self.call(runner)


@pytest.mark.parametrize(
    ('steps', 'new', 'most', 'kept', 'outdated'),
    [
        ([], 1, 1, [1], []),
        ([1], 2, 1, [2], [1]),
        ([1, 2], 3, 2, [2, 3], [1]),
        ([1, 2, 3, 4], 5, 2, [4, 5], [1, 2, 3]),
        ([1, 2], 2, 2, [1, 2], []),
        ([2, 3], 2, 2, [3, 2], []),
    ],
)
def test_checkpoints_that_outlive_a_new_one(steps, new, most, kept, outdated) -> None:
    assert split_kept(steps, new, most) == (kept, outdated)


def test_names_of_values_that_are_not_finite() -> None:
    state = {'a': torch.ones(2), 'b': torch.tensor([1, float('nan')]), 'c': torch.tensor(-float('inf')).bfloat16()}
    assert not_finite({**state, 'd': torch.arange(3), 'e': torch.ones(0), 'f': 'text'}) == ['b', 'c']
    momenta = {'state': {3: {'momentum_buffer': torch.tensor([float('inf')]), 'step': 1}}, 'param_groups': [{'lr': 1}]}
    assert not_finite({'optimizer': momenta, 'more': None}) == ['optimizer.state.3.momentum_buffer']


@pytest.mark.parametrize('most', [1, 2])
def test_never_without_a_complete_checkpoint(tmp_path: Path, tiny_runner, monkeypatch, most: int) -> None:
    """Look at the folder whenever the file system changes."""
    folder, seen = tmp_path / 'run', []
    for name in ('replace', 'unlink', 'fsync'):
        real = getattr(os, name)

        def look(*given, name=name, real=real, **more):
            result = real(*given, **more)
            named = pointer(folder)
            if named:
                verify_checkpoint(named)
            complete = [path for path in folder.glob('epoch_*.pth') if verify_checkpoint(path)]
            seen.append((name, len(complete), bool(named)))
            return result

        monkeypatch.setattr(os, name, look)
    tiny_runner('run', default_hooks=safe(max_keep_ckpts=most)).train()
    first = [number for _, number, _ in seen].index(1)
    assert len(seen) > 8
    assert all(number >= 1 for _, number, _ in seen[first:])
    assert max(number for _, number, _ in seen) == most + 1
    assert any(named and name == 'unlink' for name, _, named in seen)
    assert checkpoints(folder) == [f'epoch_{epoch}.pth' for epoch in range(5 - most, 5)]
    assert pointer(folder) == str(folder / 'epoch_4.pth')


def test_full_disk_keeps_the_previous_checkpoint(tmp_path: Path, tiny_runner) -> None:
    folder = tmp_path / 'run'
    full = no_file_larger_than(2000)
    runner = tiny_runner('run', default_hooks=safe(max_keep_ckpts=1))
    runner.register_hook(At(3, lambda runner: full.__enter__()))
    try:
        with pytest.raises(InputError, match=r'cannot write checkpoint .*epoch_3\.pth: .*--resume') as caught:
            runner.train()
    finally:
        full.__exit__(None, None, None)
    assert '\n' not in str(caught.value)
    assert checkpoints(folder) == ['epoch_2.pth']
    assert pointer(folder) == str(folder / 'epoch_2.pth')
    resumed = tiny_runner(
        'run', default_hooks=safe(max_keep_ckpts=1), resume=True, experiment_name=f'{tmp_path.name}-again'
    )
    resumed.train()
    assert checkpoints(folder) == ['epoch_4.pth']


def test_last_checkpoint_that_cannot_be_written(tmp_path: Path, tiny_runner) -> None:
    folder = tmp_path / 'run'
    runner = tiny_runner('run', default_hooks=safe(max_keep_ckpts=1))

    def occupy(runner) -> None:
        (folder / 'last_checkpoint').unlink()
        (folder / 'last_checkpoint' / 'x').mkdir(parents=True)

    runner.register_hook(At(2, occupy))
    with pytest.raises(InputError, match=r'cannot write .*last_checkpoint: .*--resume .*epoch_2\.pth'):
        runner.train()
    assert checkpoints(folder) == ['epoch_1.pth', 'epoch_2.pth']


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path, tiny_runner, value: float) -> None:
    runner = tiny_runner('run', default_hooks=safe(max_keep_ckpts=1))
    runner.register_hook(At(3, lambda runner: runner.model.neck.bias.data.fill_(value)))
    with pytest.raises(
        InputError, match=r'1 weights and 0 optimizer values are not finite .* 12 \(first: neck\.bias\)'
    ):
        runner.train()
    assert checkpoints(tmp_path / 'run') == ['epoch_2.pth']
    assert pointer(tmp_path / 'run') == str(tmp_path / 'run' / 'epoch_2.pth')


def test_momenta_that_are_not_finite_are_not_saved(tmp_path: Path, tiny_runner) -> None:
    def spoil(runner) -> None:
        next(iter(runner.optim_wrapper.optimizer.state.values()))['momentum_buffer'].fill_(float('inf'))

    runner = tiny_runner('run', default_hooks=safe(max_keep_ckpts=1))
    runner.register_hook(At(3, spoil))
    with pytest.raises(
        InputError, match=r'0 weights and 1 optimizer values .* \(first: optimizer\.state\.0\.momentum_buffer\)'
    ):
        runner.train()
    assert checkpoints(tmp_path / 'run') == ['epoch_2.pth']


def test_no_second_run_writes_to_the_folder(tmp_path: Path, tiny_runner, holder) -> None:
    """As `mim train` starts it, where only the hook takes the lock."""
    live = tmp_path / 'run' / '.epoch_9.pth.0123abcd.tmp'
    with holder(tmp_path / 'run'):
        live.write_text('half')
        with pytest.raises(InputError, match=r'run is being written by process \d+ on'):
            tiny_runner('run', default_hooks=safe()).train()
        assert live.exists()
    runner = tiny_runner('run', default_hooks=safe(), experiment_name=f'{tmp_path.name}-again')
    runner.train()
    assert not live.exists()
    with holder(tmp_path / 'run'):  # given back
        pass


def test_a_folder_is_tested_while_a_run_writes_there(tmp_path: Path, tiny_runner, with_validation, holder) -> None:
    loop = {'val_dataloader': 'test_dataloader', 'val_cfg': 'test_cfg', 'val_evaluator': 'test_evaluator'}
    tests = {loop[name]: value for name, value in with_validation.items()}
    with holder(tmp_path / 'run'):
        assert tiny_runner('run', default_hooks=safe(), **tests).test() == {'score': 16.0}


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path, tiny_runner, monkeypatch) -> None:
    """A resumed run removes the outdated checkpoint that the killed run could not."""
    folder = tmp_path / 'run'
    short = {'by_epoch': True, 'max_epochs': 3}
    with monkeypatch.context() as patch:
        patch.setattr(SafeCheckpointHook, '_remove_outdated', lambda hook, runner: None)
        tiny_runner('run', default_hooks=safe(max_keep_ckpts=2), train_cfg=short).train()
    (folder / '.epoch_4.pth.0123abcd.tmp').write_text('half')
    (folder / 'epoch_0.pth').write_text('of somebody else')
    assert len(checkpoints(folder)) == 5
    runner = tiny_runner(
        'run', default_hooks=safe(max_keep_ckpts=2), resume=True, experiment_name=f'{tmp_path.name}-again'
    )
    seen = []
    runner.register_hook(At(4, lambda runner: seen.extend(checkpoints(folder))))
    runner.train()
    assert seen == ['epoch_0.pth', 'epoch_2.pth', 'epoch_3.pth']
    assert checkpoints(folder) == ['epoch_0.pth', 'epoch_3.pth', 'epoch_4.pth']
    assert read_checkpoint(folder / 'epoch_4.pth')['message_hub']['runtime_info']['keep_ckpt_ids'] == [3, 4]


def test_resumed_into_another_folder_removes_nothing_there(tmp_path: Path, tiny_runner, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SafeCheckpointHook, '_remove_outdated', lambda hook, runner: None)
        tiny_runner(
            'first', default_hooks=safe(max_keep_ckpts=1), train_cfg={'by_epoch': True, 'max_epochs': 2}
        ).train()
    (tmp_path / 'second').mkdir()
    (tmp_path / 'second' / 'epoch_1.pth').write_text('of somebody else')
    path = str(tmp_path / 'first' / 'epoch_2.pth')
    tiny_runner(
        'second',
        default_hooks=safe(max_keep_ckpts=1),
        load_from=path,
        resume=True,
        experiment_name=f'{tmp_path.name}-again',
    ).train()
    assert checkpoints(tmp_path / 'first') == ['epoch_1.pth', 'epoch_2.pth']
    assert checkpoints(tmp_path / 'second') == ['epoch_1.pth', 'epoch_4.pth']


def test_only_existing_checkpoints_count(tmp_path: Path, tiny_runner) -> None:
    tiny_runner('first', default_hooks=safe(max_keep_ckpts=3), train_cfg={'by_epoch': True, 'max_epochs': 2}).train()
    path = str(tmp_path / 'first' / 'epoch_2.pth')
    tiny_runner('second', default_hooks=safe(max_keep_ckpts=3), load_from=path, resume=True).train()
    hub = read_checkpoint(tmp_path / 'second' / 'epoch_4.pth')['message_hub']['runtime_info']
    assert hub['keep_ckpt_ids'] == [3, 4]


def test_fewer_are_kept_after_a_resume(tmp_path: Path, tiny_runner) -> None:
    short = {'by_epoch': True, 'max_epochs': 3}
    tiny_runner('run', default_hooks=safe(max_keep_ckpts=3), train_cfg=short).train()
    assert len(checkpoints(tmp_path / 'run')) == 3
    tiny_runner(
        'run', default_hooks=safe(max_keep_ckpts=1), resume=True, experiment_name=f'{tmp_path.name}-again'
    ).train()
    assert checkpoints(tmp_path / 'run') == ['epoch_4.pth']


class Rising(Careless):
    """An evaluator whose score rises with every validation."""

    score = 0.0

    def evaluate(self, size: int) -> dict:
        self.score += 1.0
        return {'score': self.score}


@pytest.fixture
def with_best(with_validation: dict) -> dict:
    """Settings that keep one checkpoint and the best one."""
    best = safe(max_keep_ckpts=1, save_best='score', rule='greater')
    return {**with_validation, 'val_evaluator': Rising(), 'default_hooks': best}


def test_best_checkpoint_is_replaced_only_by_a_complete_one(
    tmp_path: Path, tiny_runner, with_best, monkeypatch
) -> None:
    folder, seen = tmp_path / 'run', []
    real = os.unlink

    def look(path, **more):
        if Path(path).match('best*.pth'):
            seen.append(sorted(p.name for p in folder.glob('best*') if verify_checkpoint(p)))
        return real(path, **more)

    monkeypatch.setattr(os, 'unlink', look)
    tiny_runner('run', **with_best).train()
    assert seen == [[f'best_score_epoch_{n}.pth', f'best_score_epoch_{n + 1}.pth'] for n in (1, 2, 3)]
    assert checkpoints(folder) == ['best_score_epoch_4.pth', 'epoch_4.pth']
    hub = read_checkpoint(folder / 'epoch_4.pth')['message_hub']['runtime_info']
    assert (hub['best_score'], hub['best_ckpt']) == (4.0, str(folder / 'best_score_epoch_4.pth'))


def test_a_run_resumed_elsewhere_leaves_the_best_of_the_other(tmp_path: Path, tiny_runner, with_best) -> None:
    short = {**with_best, 'train_cfg': {'by_epoch': True, 'max_epochs': 2}}
    tiny_runner('first', **short).train()
    before = checkpoints(tmp_path / 'first')
    assert before == ['best_score_epoch_2.pth', 'epoch_2.pth']
    better = Rising()
    better.score = 2.0
    again = {**with_best, 'val_evaluator': better, 'resume': True}
    tiny_runner('second', **again, load_from=str(tmp_path / 'first' / 'epoch_2.pth')).train()
    assert checkpoints(tmp_path / 'first') == before
    assert checkpoints(tmp_path / 'second') == ['best_score_epoch_4.pth', 'epoch_4.pth']
    (tmp_path / 'first').rename(tmp_path / 'moved')
    better.score = 2.0
    moved = str(tmp_path / 'moved' / 'epoch_2.pth')
    tiny_runner('moved', **again, load_from=moved, experiment_name=f'{tmp_path.name}-moved').train()
    assert checkpoints(tmp_path / 'moved') == ['best_score_epoch_4.pth', 'epoch_4.pth']


def test_best_checkpoint_stays_when_the_disk_is_full(tmp_path: Path, tiny_runner, with_best, monkeypatch) -> None:
    real = SafeCheckpointHook._save_best_checkpoint

    def save_on_a_full_disk(hook, runner, metrics):
        with no_file_larger_than(2000 if runner.epoch == 2 else -1):
            real(hook, runner, metrics)

    monkeypatch.setattr(SafeCheckpointHook, '_save_best_checkpoint', save_on_a_full_disk)
    with pytest.raises(InputError, match=r'cannot write checkpoint .*best_score_epoch_2\.pth'):
        tiny_runner('run', **with_best).train()
    assert checkpoints(tmp_path / 'run') == ['best_score_epoch_1.pth', 'epoch_2.pth']


def test_best_checkpoint_saved_again_under_its_own_name(tmp_path: Path, tiny_runner, with_best) -> None:
    """A resumed run that validates the same epoch again must not remove what it has just written."""
    runner = tiny_runner('run', **with_best)
    runner.train()
    hook = next(hook for hook in runner.hooks if isinstance(hook, SafeCheckpointHook))
    hook._save_best_checkpoint(runner, {'score': 99.0})
    assert checkpoints(tmp_path / 'run') == ['best_score_epoch_4.pth', 'epoch_4.pth']


@pytest.mark.parametrize(
    'option', [{'backend_args': {'backend': 'petrel'}}, {'file_client_args': {}}, {'out_dir': 's3://bucket/runs'}]
)
def test_remote_storage_is_refused(option: dict) -> None:
    with pytest.raises(InputError, match=f'local folders only, got {next(iter(option))}='):
        SafeCheckpointHook(interval=1, **option)


def test_folder_for_checkpoints(tmp_path: Path, tiny_runner) -> None:
    hooks = safe(max_keep_ckpts=1, out_dir=str(tmp_path / 'out'))
    tiny_runner('run', default_hooks=hooks).train()
    assert checkpoints(tmp_path / 'out' / 'run') == ['epoch_4.pth']
    assert pointer(tmp_path / 'run') == str(tmp_path / 'out' / 'run' / 'epoch_4.pth')
    shutil.rmtree(tmp_path / 'out')
