"""Checkpoints of real runs load without any allowlist, and resume with and without the hook."""

from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer

from projects.false.engine.checkpoints.plain_hook import from_plain, pack_log, to_plain, unpack_log


class Level(IntEnum):
    """A subclass of int."""

    HIGH = 3


def test_values_become_plain() -> None:
    value = {
        'number': np.float32(0.5),
        'flag': np.bool_(True),
        'nested': ConfigDict(a=[np.int64(2), (Level.HIGH, None)]),
        np.int64(4): 'text',
        'names': np.array(['a', 'b']),
        'odd': object(),
        'odd list': [object(), 1],
    }
    plain = to_plain(value, 'meta')
    assert plain == {
        'number': 0.5,
        'flag': True,
        'nested': {'a': [2, (3, None)]},
        4: 'text',
        'names': ['a', 'b'],
        'odd list': [None, 1],
    }
    assert type(plain['nested']) is dict
    assert type(plain['nested']['a'][1][0]) is int


@pytest.mark.parametrize('dtype', [np.uint8, np.int64, np.float32, np.float64, bool, np.uint16])
def test_arrays_come_back(dtype: type) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    plain = to_plain({'palette': [array]})
    assert isinstance(plain['palette'][0]['numpy array'], torch.Tensor)
    restored = from_plain(plain)['palette'][0]
    assert restored.dtype == array.dtype
    assert np.array_equal(restored, array)


def test_log_history_is_lossless() -> None:
    history = HistoryBuffer([0.1, 0.2, 0.3], [1, 2, 3], max_length=5)
    hub = {
        'log_scalars': {'loss': history},
        'runtime_info': {'epoch': np.int64(3)},
        'resumed_keys': {'loss': True, 'epoch': True},
    }
    plain, histories = pack_log(hub)
    assert plain == {'log_scalars': {}, 'runtime_info': {'epoch': 3}, 'resumed_keys': {'epoch': True}}
    restored = unpack_log(plain, histories)
    assert restored['resumed_keys'] == hub['resumed_keys']
    for mine, own in zip(restored['log_scalars']['loss'].data, history.data, strict=True):
        assert np.array_equal(mine, own)
        assert mine.dtype == own.dtype
    assert restored['log_scalars']['loss'].max_length == 5


@pytest.mark.parametrize('hooks', [[{'type': 'PlainCheckpointHook'}], []])
def test_run_is_saved_plain_and_resumed(tmp_path: Path, tiny_runner, hooks: list, capfd) -> None:
    runner = tiny_runner('first', train_cfg={'by_epoch': True, 'max_epochs': 2})
    runner.message_hub.update_scalar('train/extra', np.float64(0.5))
    runner.message_hub.update_info('val/matrix', np.eye(2))
    runner.train()
    path = tmp_path / 'first' / 'epoch_2.pth'
    assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == []
    assert torch.load(path, weights_only=True)['log_history']['train/loss']['values'].shape == (8,)

    resumed = tiny_runner('second', load_from=str(path), resume=True, custom_hooks=hooks, model=runner.model)
    resumed.train()
    assert resumed.iter == 16
    assert 'is not defined in message_hub' not in ''.join(capfd.readouterr())
    values = resumed.message_hub.get_scalar('train/loss').data[0]
    assert len(values) == (16 if hooks else 8)
    if hooks:
        assert np.array_equal(values[:8], runner.message_hub.get_scalar('train/loss').data[0])
        assert np.array_equal(resumed.message_hub.get_info('val/matrix'), np.eye(2))
