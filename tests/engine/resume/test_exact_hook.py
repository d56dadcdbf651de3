"""k + k iterations equal 2k bit for bit."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from projects.false.common.errors import InputError
from projects.false.common.random_state import random_state, set_random_state
from projects.false.engine.checkpoints.files import read_checkpoint, write_checkpoint
from tests.helpers.processes import run_processes
from tests.helpers.runs import build_runner


def draw() -> list:
    return [torch.rand(3).tolist(), np.random.randn(3).tolist(), random.gauss(0, 1)]


def test_state_survives_a_file(tmp_path: Path) -> None:
    draw()  # leaves a cached Gaussian behind
    write_checkpoint(random_state(), tmp_path / 'state.pth')
    expected = draw()
    set_random_state(torch.load(tmp_path / 'state.pth', weights_only=True))
    assert draw() == expected


def weights_of(runner) -> dict:
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


LOOPS = {
    'by epoch': ({'by_epoch': True, 'max_epochs': 4}, True, 'epoch_2.pth'),
    'by iteration': ({'by_epoch': False, 'max_iters': 16, 'val_interval': 5}, False, 'iter_8.pth'),
}


@pytest.mark.parametrize('name', LOOPS)
@pytest.mark.parametrize('validate', [True, False])
@pytest.mark.parametrize('optimizer', ['SGD', 'LARC'])
def test_interrupted_run_equals_uninterrupted(
    tmp_path, tiny_runner, with_validation, name, validate, optimizer
) -> None:
    loop, by_epoch, checkpoint = LOOPS[name]
    # Iteration-based loops shuffle once and for all; samplers that know their position have tests of their own.
    sampler = {'type': 'DefaultSampler' if by_epoch else 'InfiniteSampler', 'shuffle': True}
    loader = tiny_runner('probe')._train_dataloader | {'sampler': sampler}
    settings = {
        'train_cfg': loop,
        'train_dataloader': loader,
        'optim_wrapper': {'optimizer': {'type': optimizer, 'lr': 0.05, 'momentum': 0.9}},
        'default_hooks': {
            'checkpoint': {'type': 'SafeCheckpointHook', 'by_epoch': by_epoch, 'interval': 2 if by_epoch else 8}
        },
        **(with_validation if validate else {'train_cfg': {k: v for k, v in loop.items() if k != 'val_interval'}}),
    }
    whole = tiny_runner('whole', **settings)
    start = weights_of(whole)
    whole.train()
    resumed = tiny_runner('resumed', load_from=str(tmp_path / 'whole' / checkpoint), resume=True, **settings)
    torch.rand(11)  # a new process has another random state
    resumed.train()
    for key, value in weights_of(whole).items():
        assert torch.equal(value, weights_of(resumed)[key])
        assert not torch.equal(value, start[key])
    assert np.array_equal(
        whole.message_hub.get_scalar('train/loss').data[0], resumed.message_hub.get_scalar('train/loss').data[0]
    )


WITHIN = {'default_hooks': {'checkpoint': {'type': 'SafeCheckpointHook', 'by_epoch': False, 'interval': 1}}}


def within_an_epoch(tiny_runner, workers: int = 0, sampler: str = 'SeededSampler') -> dict:
    loader = tiny_runner('probe')._train_dataloader | {
        'sampler': {'type': sampler, 'shuffle': True},
        'num_workers': workers,
        'persistent_workers': workers > 0,
    }
    schedules = [{'type': 'StepLR', 'by_epoch': True, 'step_size': 1}, {'type': 'ReleasedLR', 'by_epoch': False}]
    hooks = [{'type': f'{name}Hook'} for name in ('PlainCheckpoint', 'ExactResume', 'ResumeCheck')]
    return {**WITHIN, 'train_dataloader': loader, 'param_scheduler': schedules, 'custom_hooks': hooks}


class Batches(Hook):
    """Record the number and the content of every batch."""

    def __init__(self) -> None:
        self.seen: list[tuple] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        points = torch.stack(data_batch['inputs'])[:, 0].tolist()
        self.seen.append((runner.epoch, runner.iter, batch_idx, points))


@pytest.mark.parametrize(
    ('iteration', 'workers', 'accumulated'),
    [(5, 0, 1), (6, 2, 1), (8, 0, 1), (8, 2, 1), (15, 0, 1), (3, 0, 1), (3, 0, 3), (4, 0, 3), (8, 0, 3), (15, 0, 3)],
)
def test_within_an_epoch_the_rest_of_it_follows(tmp_path, tiny_runner, iteration, workers, accumulated) -> None:
    optimizer = {'optimizer': {'type': 'SGD', 'lr': 0.01, 'momentum': 0.9}, 'accumulative_counts': accumulated}
    settings = {**within_an_epoch(tiny_runner, workers), 'optim_wrapper': optimizer}
    whole, resumed = Batches(), Batches()
    runner = tiny_runner('whole', **settings)
    runner.register_hook(whole)
    runner.train()
    path = str(tmp_path / 'whole' / f'iter_{iteration}.pth')
    other = tiny_runner('resumed', load_from=path, resume=True, **settings)
    other.register_hook(resumed)
    other.train()
    assert resumed.seen == whole.seen[iteration:]
    assert (other.epoch, other.iter) == (4, 16)
    assert all(torch.equal(value, weights_of(other)[key]) for key, value in weights_of(runner).items())
    assert other.optim_wrapper.get_lr() == runner.optim_wrapper.get_lr()
    one, two = (each.message_hub.get_scalar('train/loss').data[0] for each in (runner, other))
    assert np.array_equal(one, two)


def test_a_sampler_that_cannot_begin_within_an_epoch_is_refused(tmp_path, tiny_runner) -> None:
    settings = within_an_epoch(tiny_runner, sampler='DefaultSampler')
    tiny_runner('whole', **settings).train()
    path = tmp_path / 'whole' / 'iter_6.pth'
    with pytest.raises(InputError, match=r'within an epoch \(2 of its 4 iterations\) and DefaultSampler cannot'):
        tiny_runner('resumed', load_from=str(path), resume=True, **settings).train()
    checkpoint = read_checkpoint(path)
    checkpoint['meta']['iter'] = 9
    write_checkpoint(checkpoint, path)
    with pytest.raises(InputError, match=r'9 iterations after 1 epochs of 4, which do not fit'):
        tiny_runner('other', load_from=str(path), resume=True, **settings).train()


def test_loading_weights_starts_another_run(tmp_path: Path, tiny_runner) -> None:
    tiny_runner('first').train()
    path = str(tmp_path / 'first' / 'epoch_2.pth')
    runner = tiny_runner('second', load_from=path)
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == 'ExactResumeHook')
    runner.train()
    assert hook._loaded is None
    saved = read_checkpoint(tmp_path / 'second' / 'epoch_2.pth')['rng'][0]['torch']
    assert not torch.equal(saved, read_checkpoint(tmp_path / 'first' / 'epoch_4.pth')['rng'][0]['torch'])


def test_loaders_have_their_own_generators(tiny_runner, with_validation) -> None:
    runner = tiny_runner('loaders', **with_validation)
    runner.train()
    assert runner.train_dataloader.generator.initial_seed() == runner.val_dataloader.generator.initial_seed() == 7


def test_other_number_of_processes_is_seeded_anew(tmp_path: Path, tiny_runner, caplog) -> None:
    tiny_runner('first').train()
    path = tmp_path / 'first' / 'epoch_2.pth'
    checkpoint = torch.load(path, weights_only=True)
    write_checkpoint({**checkpoint, 'rng': checkpoint['rng'] * 2}, path)
    runner = tiny_runner('second', load_from=str(path), resume=True)
    messages = []
    runner.logger.warning = messages.append
    runner.train()
    assert any('random state of 2 processes and this run has 1' in message for message in messages)


def run_in_a_process(rank: int, folder: str) -> None:
    """One of two processes with generators and accumulated gradients of its own."""
    rendezvous = f'file://{folder}/rendezvous'
    torch.distributed.init_process_group('gloo', init_method=rendezvous, rank=rank, world_size=2)
    optimizer = {'optimizer': {'type': 'SGD', 'lr': 0.01, 'momentum': 0.9}, 'accumulative_counts': 3}
    settings = {'randomness': {'seed': 7, 'diff_rank_seed': True}, 'optim_wrapper': optimizer}
    build_runner(Path(folder, 'whole'), **settings).train()
    expected = random_state()
    torch.distributed.barrier()
    path = str(Path(folder, 'whole', 'epoch_2.pth'))
    build_runner(Path(folder, 'resumed'), **settings, load_from=path, resume=True).train()
    assert torch.equal(random_state()['torch'], expected['torch'])
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_get_their_own_states_back(tmp_path: Path) -> None:
    run_processes(run_in_a_process, str(tmp_path), count=2)
    first, second = read_checkpoint(tmp_path / 'whole' / 'epoch_2.pth')['rng']
    assert not torch.equal(first['torch'], second['torch'])
    weight = 'backbone.weight'
    assert first['gradients'][weight].any()
    assert not torch.equal(first['gradients'][weight], second['gradients'][weight])
