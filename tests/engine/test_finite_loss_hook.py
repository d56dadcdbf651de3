"""A loss that is not finite ends the run with one line that says all, and leaves the last checkpoint."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from projects.false.common.errors import InputError
from projects.false.engine.finite_loss_hook import FiniteLossHook, image_paths, message, not_finite
from tests.helpers.runs import Tiny

NAN, INF = float('nan'), float('inf')


class Images(Dataset):
    """Sixteen points, each with the path of an image; the fourteenth is NaN."""

    metainfo = {}  # noqa: RUF012

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict:
        value = NAN if index == 13 else index / 16
        sample = BaseDataElement(metainfo={'img_path': f'images/{index:02}.png'})
        return {'inputs': torch.tensor([value, 1.0]), 'data_samples': sample}


class WithTemperature(Tiny):
    """Has the temperature of a contrastive head."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Module()
        self.head.loss_module = SimpleNamespace(temperature=0.2)

    def forward(self, inputs, data_samples=None, mode: str = 'tensor'):
        return super().forward(inputs, mode)


def settings(**changes) -> dict:
    loader = {'dataset': Images(), 'batch_size': 4, 'sampler': {'type': 'DefaultSampler', 'shuffle': False}}
    every = {'checkpoint': {'type': 'SafeCheckpointHook', 'by_epoch': False, 'interval': 1, 'max_keep_ckpts': 1}}
    hooks = [{'type': 'FiniteLossHook'}, {'type': 'ExportBackboneHook'}]
    return {
        'model': WithTemperature(),
        'train_dataloader': loader,
        'default_hooks': every,
        'custom_hooks': hooks,
        **changes,
    }


def test_run_ends_with_one_line_that_says_all(tmp_path: Path, tiny_runner) -> None:
    folder = tmp_path / 'run'
    optimizer = {'optimizer': {'type': 'SGD', 'lr': 0.025}}
    with pytest.raises(InputError) as caught:
        tiny_runner('run', **settings(optim_wrapper=optimizer, param_scheduler=None)).train()
    listing = folder / 'non_finite_loss_iter_4_rank_0.txt'
    assert str(caught.value) == (
        'the loss is not finite at iteration 4 (learning rate 0.025, temperature 0.2); lower the learning rate or '
        f'raise model.head.loss.temperature, look at the images that {listing} lists, and continue from '
        f'{folder}/iter_3.pth with --resume'
    )
    assert listing.read_text().splitlines() == ['# loss is nan', *(f'images/{number}.png' for number in range(12, 16))]
    assert sorted(path.name for path in folder.glob('*.pth')) == ['iter_3.pth']  # no iter_4.pth, no backbone.pth


def test_the_checkpoint_to_go_on_from_is_named_where_it_is_now(tmp_path: Path, tiny_runner) -> None:
    optimizer = {'optimizer': {'type': 'SGD', 'lr': 0.025}}
    with pytest.raises(InputError):
        tiny_runner('run', **settings(optim_wrapper=optimizer, param_scheduler=None)).train()
    (tmp_path / 'run').rename(tmp_path / 'moved')
    changed = settings(optim_wrapper=optimizer, param_scheduler=None)
    changed['default_hooks'] = {'checkpoint': {'type': 'SafeCheckpointHook', 'by_epoch': False, 'interval': 99}}
    runner = tiny_runner('moved', **changed, resume=True, load_from=str(tmp_path / 'moved' / 'iter_3.pth'))
    with pytest.raises(InputError, match=rf'continue from {tmp_path}/moved/iter_3.pth with --resume'):
        runner.train()


def test_run_without_temperature_checkpoint_and_paths(tmp_path: Path, tiny_runner) -> None:
    class Broken(Tiny):
        def forward(self, inputs, mode='tensor'):
            losses = super().forward(inputs, mode)
            return {'loss_a': losses['loss'], 'loss_b': losses['loss'] * INF}

    with pytest.raises(InputError) as caught:
        tiny_runner('run', model=Broken(), custom_hooks=[{'type': 'FiniteLossHook'}]).train()
    listing = tmp_path / 'run' / 'non_finite_loss_iter_1_rank_0.txt'
    assert str(caught.value) == (
        'the loss is not finite at iteration 1 (learning rate 0.00125); lower the learning rate, look at the images '
        f'that {listing} lists, and start again: there is no checkpoint yet'
    )
    assert listing.read_text() == '# loss is inf, loss_b is inf\n# images unknown\n'


def test_full_disk_does_not_hide_the_loss(tiny_runner, monkeypatch) -> None:
    def full(*given) -> None:
        raise OSError('no space')

    monkeypatch.setattr('projects.false.engine.finite_loss_hook.write_text', full)
    with pytest.raises(InputError, match=r'the loss is not finite .*temperature, and continue from'):
        tiny_runner('run', **settings()).train()


def test_finite_losses_pass(tmp_path: Path, tiny_runner) -> None:
    runner = tiny_runner('run', custom_hooks=[{'type': 'FiniteLossHook'}])
    runner.train()
    assert runner.iter == 16


def test_nothing_but_the_logged_number_is_read(tiny_runner) -> None:
    """Reading the tensor once more would wait for the GPU once more."""

    class Unreadable:
        def __getattr__(self, name):
            raise AssertionError(f'{name} of the tensor was read')

    runner = tiny_runner('run', custom_hooks=[{'type': 'FiniteLossHook'}])
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == 'FiniteLossHook')
    runner.message_hub.update_scalar('train/loss', 1.0)
    outputs = {'loss': Unreadable(), 'loss_unlogged': Unreadable()}
    hook.after_train_iter(runner, 0, outputs=outputs)
    assert not list(Path(runner.work_dir).glob('non_finite*'))
    with pytest.raises(AssertionError, match='item of the tensor was read'):
        outputs['loss'].item()


def test_not_finite() -> None:
    assert not_finite({'loss': 1.0, 'loss_a': -INF, 'accuracy': NAN}) == {'loss_a': -INF}


@pytest.mark.parametrize(
    ('batch', 'paths'),
    [
        (None, []),
        ([torch.ones(1)], []),
        ({'inputs': 1}, []),
        ({'data_samples': BaseDataElement()}, []),
        ({'data_samples': [BaseDataElement(), BaseDataElement(metainfo={'img_path': 'a'}), {}]}, ['a']),
    ],
)
def test_image_paths(batch, paths) -> None:
    assert image_paths(batch) == paths


def test_paths_of_both_libraries() -> None:
    from mmpretrain.structures import DataSample
    from mmseg.structures import SegDataSample

    samples = [kind(metainfo={'img_path': kind.__name__}) for kind in (DataSample, SegDataSample)]
    assert image_paths({'data_samples': samples}) == ['DataSample', 'SegDataSample']


def test_all_processes_say_the_same(tiny_runner, tmp_path, monkeypatch, capsys) -> None:
    """One line for both, although their images differ and one has NaN where the other has infinity."""
    monkeypatch.setattr('projects.false.engine.finite_loss_hook.get_world_size', lambda: 2)
    runner, said = tiny_runner('run'), []
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    for rank, value in enumerate((NAN, INF)):
        monkeypatch.setattr('projects.false.engine.finite_loss_hook.get_rank', lambda rank=rank: rank)
        runner.message_hub.update_scalar('train/loss', value)
        batch = {'data_samples': [BaseDataElement(metainfo={'img_path': f'{rank}.png'})]}
        with pytest.raises(InputError) as caught:
            FiniteLossHook().after_train_iter(runner, 0, batch, {'loss': None})
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert f'{tmp_path}/run/non_finite_loss_iter_1_rank_*.txt' in said[0]
    files = sorted(path.read_text() for path in (tmp_path / 'run').glob('non_finite*'))
    assert files == ['# loss is inf\n1.png\n', '# loss is nan\n0.png\n']


def test_without_details() -> None:
    assert message(7, [0.1, 0.5], None, None, 'iter_6.pth') == (
        'the loss is not finite at iteration 7 (learning rate 0.1, 0.5); lower the learning rate, and continue from '
        'iter_6.pth with --resume'
    )
