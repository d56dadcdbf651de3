"""A changed batch is logged, refused or allowed, and an allowed one continues at the right position."""

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from projects.false.common.errors import InputError
from projects.false.engine.checkpoints.files import read_checkpoint, write_checkpoint
from tests.helpers.processes import run_processes
from tests.helpers.runs import Points, build_runner

SCHEDULES = [
    {'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': True, 'begin': 0, 'end': 2, 'convert_to_iter_based': True},
    {'type': 'CosineAnnealingLR', 'by_epoch': True, 'begin': 2, 'convert_to_iter_based': True},
    {'type': 'StepLR', 'by_epoch': True, 'step_size': 3, 'gamma': 0.5},
]
BY_EPOCH = {'by_epoch': True, 'max_epochs': 6}
BY_ITERATION = {'by_epoch': False, 'max_iters': 24}


class Rates(Hook):
    """Record the learning rate of every step."""

    def __init__(self) -> None:
        self.by_iteration: dict[int, float] = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.by_iteration[runner.iter] = runner.optim_wrapper.get_lr()['lr'][0]


@pytest.fixture
def train(tmp_path: Path, tiny_runner):
    """``train(name, batch_size, allow=..., **changes)`` returns the trained runner and its learning rates."""

    def run(name: str, batch_size: int, allow: bool = False, **changes):
        shuffled = {'type': 'DefaultSampler', 'shuffle': True}
        by_epoch = changes.get('train_cfg', BY_EPOCH)['by_epoch']
        saving = {'type': 'SafeCheckpointHook', 'by_epoch': by_epoch, 'interval': 1 if by_epoch else 4}
        settings = {
            'train_cfg': BY_EPOCH,
            'train_dataloader': {'dataset': Points(), 'batch_size': batch_size, 'sampler': shuffled},
            'param_scheduler': SCHEDULES,
            'custom_hooks': [{'type': 'PlainCheckpointHook'}, {'type': 'ResumeCheckHook', 'allow_other_batch': allow}],
            'default_hooks': {'checkpoint': saving},
        }
        runner = tiny_runner(name, **{**settings, **changes})
        runner.said = []
        runner.logger.info = runner.said.append
        rates = Rates()
        runner.register_hook(rates)
        runner.train()
        return runner, rates.by_iteration

    return run


def said(runner, words: str) -> list[str]:
    return [line for line in runner.said if words in line]


def test_checkpoints_record_their_batch(tmp_path: Path, train) -> None:
    train('whole', 4)
    note = read_checkpoint(tmp_path / 'whole' / 'epoch_3.pth')['meta']['global_batch']
    assert note == {'processes': 1, 'per_process': 4, 'epoch_length': 4, 'accumulation': 1}


def test_same_batch_logs_nothing(tmp_path: Path, train) -> None:
    train('whole', 4)
    runner, _ = train('resumed', 4, load_from=str(tmp_path / 'whole' / 'epoch_3.pth'), resume=True)
    assert said(runner, 'global batch') == said(runner, 'continues after') == []


def test_other_batch_is_refused(tmp_path: Path, train) -> None:
    train('whole', 4)
    with pytest.raises(InputError, match=r'4 = 1 process\(es\) x 4 and this run has 8 = 1 process\(es\) x 8'):
        train('resumed', 8, load_from=str(tmp_path / 'whole' / 'epoch_3.pth'), resume=True)
    assert not list((tmp_path / 'resumed').glob('*.pth'))


def test_loading_weights_compares_nothing(tmp_path: Path, train) -> None:
    train('whole', 4)
    runner, rates = train('other', 8, load_from=str(tmp_path / 'whole' / 'epoch_3.pth'))
    assert min(rates) == 0
    assert said(runner, 'global batch') == []


@pytest.mark.parametrize('batch_size', [8, 2])
def test_allowed_other_batch_goes_on_after_the_same_epoch(tmp_path: Path, train, batch_size: int) -> None:
    train('whole', 4)
    _, expected = train('expected', batch_size)
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    runner, rates = train('resumed', batch_size, allow=True, load_from=path, resume=True)
    length = 16 // batch_size
    assert sorted(rates) == list(range(3 * length, 6 * length))
    assert rates == pytest.approx({iteration: expected[iteration] for iteration in rates})
    assert (runner.epoch, runner.iter) == (6, 6 * length)
    assert len(said(runner, 'resumed with another global batch, as requested')) == 1
    place = f'continues after epoch 3 (of {length} iterations, previously 4), iteration {3 * length} of {6 * length}'
    assert len(said(runner, place)) == 1
    last = read_checkpoint(tmp_path / 'resumed' / 'epoch_6.pth')
    assert (last['meta']['iter'], last['meta']['global_batch']['per_process']) == (6 * length, batch_size)


def test_momentum_of_the_optimizer_is_kept(tmp_path: Path, train) -> None:
    train('whole', 4)
    path = tmp_path / 'whole' / 'epoch_5.pth'
    saved = read_checkpoint(path)['optimizer']['state']
    seen = {}

    class Look(Hook):
        def before_train_epoch(self, runner) -> None:
            seen.update(
                {k: v['momentum_buffer'].clone() for k, v in runner.optim_wrapper.state_dict()['state'].items()}
            )

    train('resumed', 8, allow=True, load_from=str(path), resume=True, custom_hooks=[*_hooks(), Look()])
    assert seen
    assert all(torch.equal(value, saved[key]['momentum_buffer']) for key, value in seen.items())


def _hooks() -> list[dict]:
    return [{'type': 'PlainCheckpointHook'}, {'type': 'ResumeCheckHook', 'allow_other_batch': True}]


def test_random_state_is_restored_at_the_new_position(tmp_path: Path, train) -> None:
    exact = [*_hooks(), {'type': 'ExactResumeHook'}]
    train('whole', 4, custom_hooks=exact)
    path = tmp_path / 'whole' / 'epoch_5.pth'
    saved = read_checkpoint(path)['rng'][0]['torch']
    seen = []

    class Look(Hook):
        priority = 'LOWEST'

        def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
            seen.append(torch.get_rng_state())

    train('resumed', 8, load_from=str(path), resume=True, custom_hooks=[*exact, Look()])
    assert torch.equal(seen[0], saved)


def test_scaled_learning_rate_follows_the_present_batch(tmp_path: Path, train) -> None:
    scaling = {'auto_scale_lr': {'base_batch_size': 4, 'enable': True}}
    train('whole', 4, **scaling)
    _, expected = train('expected', 8, **scaling)
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    _, rates = train('resumed', 8, allow=True, load_from=path, resume=True, **scaling)
    assert rates == pytest.approx({iteration: expected[iteration] for iteration in rates})


class OfTwoLayers(torch.nn.Sequential):
    pass


def test_a_checkpoint_of_another_model_or_optimizer(tmp_path: Path, train) -> None:
    train('run', 4)
    path = str(tmp_path / 'run' / 'epoch_3.pth')
    checkpoint = read_checkpoint(path)
    sgd = {'optimizer': {'type': 'SGD', 'lr': 0.1}}
    with pytest.raises(InputError, match=r'epoch_3.pth: was trained with \w+ and cannot be resumed with AdamW; set '):
        train('other', 4, resume=True, load_from=path, optim_wrapper={'optimizer': {'type': 'AdamW', 'lr': 0.1}})
    name = next(name for name, value in checkpoint['state_dict'].items() if value.ndim > 1)
    for spoil, text in ((lambda: checkpoint['state_dict'][name].T[:1], 'has the shape'), (None, 'is missing')):
        checkpoint['state_dict'] = {key: value for key, value in checkpoint['state_dict'].items() if key != name} | (
            {name: spoil()} if spoil else {}
        )
        write_checkpoint(checkpoint, tmp_path / 'spoilt.pth')
        with pytest.raises(InputError, match=rf'spoilt.pth: is of another model and cannot be resumed \({name} {text}'):
            train('third', 4, resume=True, load_from=str(tmp_path / 'spoilt.pth'), optim_wrapper=sgd)
        train('weights', 4, load_from=str(tmp_path / 'spoilt.pth')) if not spoil else None


def test_allowed_other_batch_of_iterations_goes_on_after_the_same_iteration(tmp_path: Path, train) -> None:
    schedules = [{'type': 'PolyLR', 'by_epoch': False, 'eta_min': 1e-4}]
    settings = {'train_cfg': BY_ITERATION, 'param_scheduler': schedules}
    _, expected = train('whole', 4, **settings)
    path = str(tmp_path / 'whole' / 'iter_8.pth')
    runner, rates = train('resumed', 8, allow=True, load_from=path, resume=True, **settings)
    assert sorted(rates) == list(range(8, 24))
    assert rates == pytest.approx({iteration: expected[iteration] for iteration in rates})
    assert len(said(runner, 'continues after iteration 8 of 24')) == 1


def test_more_images_need_no_permission(tmp_path: Path, train) -> None:
    """The batch stays and epochs get longer; the position still counts in epochs."""

    class More(Points):
        def __len__(self) -> int:
            return 32

    train('whole', 4)
    sampler = {'type': 'DefaultSampler', 'shuffle': True}
    loader = {'dataset': More(), 'batch_size': 4, 'sampler': sampler}
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    runner, rates = train('resumed', 4, load_from=path, resume=True, train_dataloader=loader)
    assert sorted(rates) == list(range(24, 48))
    assert len(said(runner, 'epoch 3 (of 8 iterations, previously 4)')) == 1


def test_checkpoint_without_a_note_goes_on_as_before(tmp_path: Path, train) -> None:
    train('whole', 4)
    path = tmp_path / 'whole' / 'epoch_3.pth'
    checkpoint = read_checkpoint(path)
    del checkpoint['meta']['global_batch']
    write_checkpoint(checkpoint, path)
    runner, rates = train('resumed', 8, load_from=str(path), resume=True)
    assert min(rates) == 12
    assert len(said(runner, 'the checkpoint does not record its global batch; this run has 8')) == 1


def test_accumulated_gradients_count(tmp_path: Path, train) -> None:
    """Two iterations per step keep the global batch with half the images, and change it with as many."""
    train('whole', 4)
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    twice = {'optimizer': {'type': 'SGD', 'lr': 0.01}, 'accumulative_counts': 2}
    runner, rates = train('half', 2, load_from=path, resume=True, optim_wrapper=twice)
    assert len(said(runner, '4 = 1 process(es) x 2 x 2 accumulated, previously 4 = 1 process(es) x 4')) == 1
    assert min(rates) == 24
    with pytest.raises(InputError, match=r'this run has 8 = 1 process\(es\) x 4 x 2 accumulated'):
        train('same', 4, load_from=path, resume=True, optim_wrapper=twice)


def test_the_logged_rate_is_that_of_the_present_batch(tmp_path: Path, train) -> None:
    scaling = {'auto_scale_lr': {'base_batch_size': 4, 'enable': True}}
    train('whole', 4, **scaling)
    hooks = [{'type': 'StartChecksHook'}, *_hooks()]
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    runner, _ = train('resumed', 8, load_from=path, resume=True, custom_hooks=hooks, **scaling)
    assert [line.split('base learning rate ')[1] for line in said(runner, 'base learning rate')] == ['0.02']


@pytest.mark.parametrize('batch_size', [8, 2])
def test_end_of_an_epoch_moves_as_well(tmp_path: Path, train, batch_size: int) -> None:
    """Saved after the last iteration of an epoch, so that the end of that epoch is still to come."""
    saving = {'default_hooks': {'checkpoint': {'type': 'SafeCheckpointHook', 'by_epoch': False, 'interval': 4}}}
    sampler = {'type': 'SeededSampler'}
    train('whole', 4, **saving)
    _, expected = train('expected', batch_size)
    loader = {'dataset': Points(), 'batch_size': batch_size, 'sampler': sampler}
    path = str(tmp_path / 'whole' / 'iter_12.pth')
    runner, rates = train('resumed', 0, allow=True, load_from=path, resume=True, train_dataloader=loader)
    length = 16 // batch_size
    assert (runner.epoch, runner.iter) == (6, 6 * length)
    assert rates == pytest.approx({iteration: expected[iteration] for iteration in range(3 * length, 6 * length)})


@pytest.mark.parametrize('long', [{'by_epoch': True, 'max_epochs': 9}, {'by_epoch': True, 'max_epochs': 4}])
def test_schedules_follow_another_length(tmp_path: Path, train, long: dict) -> None:
    train('whole', 4)
    _, expected = train('expected', 4, train_cfg=long)
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    runner, rates = train('resumed', 4, load_from=path, resume=True, train_cfg=long)
    assert sorted(rates) == list(range(12, 4 * long['max_epochs']))
    assert rates == pytest.approx({iteration: expected[iteration] for iteration in rates})
    assert len(said(runner, f'current config from iteration 12 of {4 * long["max_epochs"]} on (CosineAnnealingLR')) == 1


def test_a_schedule_that_the_shorter_run_left_out_begins(tmp_path: Path, train) -> None:
    train('whole', 4, train_cfg={'by_epoch': True, 'max_epochs': 2}, param_scheduler=SCHEDULES[:1])
    _, expected = train('expected', 4)
    path = str(tmp_path / 'whole' / 'epoch_2.pth')
    runner, rates = train('resumed', 4, load_from=path, resume=True)
    assert rates == pytest.approx({iteration: expected[iteration] for iteration in range(8, 24)})
    assert len(said(runner, '(3 schedules, previously 1)')) == 1


def test_other_settings_of_the_optimizer_count(tmp_path: Path, train) -> None:
    train('whole', 4)
    other = {'optimizer': {'type': 'SGD', 'lr': 0.02, 'momentum': 0.5}}
    _, expected = train('expected', 4, optim_wrapper=other)
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    runner, rates = train('resumed', 4, load_from=path, resume=True, optim_wrapper=other)
    assert rates == pytest.approx({iteration: expected[iteration] for iteration in rates})
    assert runner.optim_wrapper.param_groups[0]['momentum'] == 0.5
    assert len(said(runner, 'momentum 0.5, previously 0.9')) == 1


def test_a_run_that_ends_before_its_checkpoint(tmp_path: Path, train) -> None:
    train('whole', 4)
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    short = {'by_epoch': True, 'max_epochs': 2}
    with pytest.raises(InputError, match=r'has 12 iterations and this run ends at 8; raise train_cfg\.max_epochs'):
        train('short', 4, load_from=path, resume=True, train_cfg=short, param_scheduler=SCHEDULES[:1])
    last = str(tmp_path / 'whole' / 'epoch_6.pth')
    runner, rates = train('over', 4, load_from=last, resume=True)
    assert (rates, len(said(runner, 'all 24 iterations of this run: nothing is trained'))) == ({}, 1)


def test_schedule_that_follows_a_metric_goes_on_to_another_end(tmp_path: Path, train, with_validation) -> None:
    plateau = [{'type': 'ReduceOnPlateauLR', 'monitor': 'score', 'by_epoch': True}]
    train('whole', 4, param_scheduler=plateau, **with_validation)
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    longer = {'train_cfg': {'by_epoch': True, 'max_epochs': 8}, 'param_scheduler': plateau, **with_validation}
    runner, _ = train('resumed', 4, load_from=path, resume=True, **longer)
    assert (runner.epoch, runner.param_schedulers[0].end) == (8, 8)


def test_schedule_that_follows_a_metric_cannot_be_moved(tmp_path: Path, train, with_validation) -> None:
    plateau = [{'type': 'ReduceOnPlateauLR', 'monitor': 'score', 'by_epoch': True}]
    train('whole', 4, param_scheduler=plateau, **with_validation)
    path = str(tmp_path / 'whole' / 'epoch_3.pth')
    with pytest.raises(InputError, match='ReduceOnPlateauLR follows a validation metric'):
        train('resumed', 8, True, load_from=path, resume=True, param_scheduler=plateau, **with_validation)


def run_in_a_process(rank: int, folder: str) -> None:
    rendezvous = f'file://{folder}/rendezvous'
    torch.distributed.init_process_group('gloo', init_method=rendezvous, rank=rank, world_size=2)
    loader = {'dataset': Points(), 'batch_size': 2, 'sampler': {'type': 'DefaultSampler', 'shuffle': True}}
    hooks = [{'type': 'PlainCheckpointHook'}, {'type': 'ExactResumeHook'}, {'type': 'ResumeCheckHook'}]
    path = f'{folder}/whole/epoch_3.pth'
    settings = {'train_dataloader': loader, 'custom_hooks': hooks, 'train_cfg': BY_EPOCH, 'load_from': path}
    runner = build_runner(Path(folder, 'resumed'), resume=True, **settings)
    lines = []
    runner.logger.info = lines.append
    runner.train()
    assert runner.iter == 24
    words = '4 = 2 process(es) x 2, previously 4 = 1 process(es) x 4; the global batch is unchanged'
    assert sum(words in line for line in lines) == 1
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_go_on_where_one_was(tmp_path: Path, train) -> None:
    train('whole', 4)
    run_processes(run_in_a_process, str(tmp_path), count=2)
    assert (tmp_path / 'resumed' / 'epoch_6.pth').exists()
