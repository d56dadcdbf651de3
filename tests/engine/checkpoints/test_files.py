"""Reading runs no code, writing is all or nothing, and so it is for MMEngine's own loaders."""

import io
import json
import os
import pickle
import resource
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model.weight_init import PretrainedInit
from mmengine.runner import CheckpointLoader, load_checkpoint
from safetensors.torch import load_file, save_file
from torch import nn

from projects.false.common.errors import InputError
from projects.false.engine.checkpoints.files import (
    HARMLESS,
    DamagedCheckpoint,
    read_checkpoint,
    verify_checkpoint,
    write_checkpoint,
    write_safetensors,
)


class Payload:
    """A pickle that creates a file when it is loaded without limits."""

    def __init__(self, call, *arguments) -> None:
        self.reduced = (call, arguments)

    def __reduce__(self):
        return self.reduced


def payloads(victim: Path) -> dict[str, object]:
    return {
        'system': Payload(os.system, f'touch {victim}'),
        'exec': Payload(exec, f'open({str(victim)!r}, "w").close()'),
        'getattr': Payload(getattr, Payload(__import__, 'os'), 'system'),
        'open': Payload(open, str(victim), 'w'),
    }


@pytest.mark.parametrize('kind', ['system', 'exec', 'getattr', 'open'])
@pytest.mark.parametrize('zipped', [True, False])
def test_hostile_file_runs_nothing(tmp_path: Path, kind: str, zipped: bool, monkeypatch) -> None:
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    victim, path = tmp_path / 'created', tmp_path / 'hostile.pth'
    checkpoint = {'state_dict': {'weight': torch.ones(1)}, 'meta': payloads(victim)[kind]}
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    for load in (
        read_checkpoint,
        CheckpointLoader.load_checkpoint,
        lambda name: load_checkpoint(nn.Linear(1, 1), name),
    ):
        with pytest.raises(
            InputError, match=r'hostile\.pth is refused, nothing was run: .* asks for \S+; get the weights'
        ):
            load(str(path))
    with pytest.raises(InputError, match='refused'):
        PretrainedInit(str(path))(nn.Linear(1, 1))
    assert not victim.exists()


def test_plain_pickle_runs_nothing(tmp_path: Path) -> None:
    victim, path = tmp_path / 'created', tmp_path / 'hostile.pth'
    path.write_bytes(pickle.dumps(payloads(victim)['system']))
    with pytest.raises(InputError, match=r'hostile\.pth is'):
        read_checkpoint(path)
    assert not victim.exists()


def test_torchscript_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.save(torch.jit.script(nn.Linear(1, 1)), str(tmp_path / 'script.pth'))
    with pytest.raises(InputError, match='TorchScript'):
        read_checkpoint(tmp_path / 'script.pth')


def test_config_that_would_be_executed_is_refused(tmp_path: Path, tiny_runner) -> None:
    victim, path = tmp_path / 'created', tmp_path / 'legacy.pth'
    torch.save({'meta': {'config': f'open({str(victim)!r}, "w")', 'epoch': 1, 'iter': 1}, 'state_dict': {}}, path)
    with pytest.raises(InputError, match=r"meta\['config'\] would be executed"):
        tiny_runner('resume', load_from=str(path), resume=True).train()
    assert not victim.exists()


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'absent\.pth is missing; check the path'):
        read_checkpoint(tmp_path / 'absent.pth')
    with pytest.raises(InputError, match='is a folder'):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize('share', [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize('zipped', [True, False])
def test_truncated_file(tmp_path: Path, share: float, zipped: bool) -> None:
    buffer, path = io.BytesIO(), tmp_path / 'cut.pth'
    torch.save({'state_dict': nn.Linear(30, 30).state_dict()}, buffer, _use_new_zipfile_serialization=zipped)
    path.write_bytes(buffer.getvalue()[: int(share * len(buffer.getvalue()))])
    with pytest.raises(InputError, match=r'cut\.pth is damaged or no PyTorch checkpoint'):
        read_checkpoint(path)


def test_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / 'page.pth').write_text('<html>404 not found</html>\n' * 100)
    with pytest.raises(InputError, match=r'page\.pth is damaged or no PyTorch checkpoint'):
        read_checkpoint(tmp_path / 'page.pth')


def test_plain_mmengine_checkpoint_is_read(tmp_path: Path) -> None:
    checkpoint = {
        'state_dict': OrderedDict(weight=torch.arange(3.0)),
        'message_hub': {'log_scalars': {'loss': HistoryBuffer([1.5, 2.5], [1, 1])}},
        'meta': {'dataset_meta': {'palette': np.arange(6, dtype=np.uint8).reshape(2, 3)}, 'score': np.float64(0.5)},
    }
    torch.save(checkpoint, tmp_path / 'stock.pth')
    read = CheckpointLoader.load_checkpoint(str(tmp_path / 'stock.pth'))
    assert read['message_hub']['log_scalars']['loss'].mean() == 2.0
    assert np.array_equal(read['meta']['dataset_meta']['palette'], checkpoint['meta']['dataset_meta']['palette'])
    assert read['meta']['score'] == 0.5


def test_published_weights_are_read_without_running(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path))
    victim, cached = tmp_path / 'created', tmp_path / 'checkpoints' / 'resnet18-f37072fd.pth'
    write_checkpoint({'fc.bias': torch.ones(2)}, cached)
    assert torch.equal(CheckpointLoader.load_checkpoint('torchvision://resnet18')['fc.bias'], torch.ones(2))
    torch.save(payloads(victim)['open'], cached)
    with pytest.raises(InputError, match='refused'):
        CheckpointLoader.load_checkpoint('torchvision://resnet18')
    assert not victim.exists()


def test_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'folder' / 'weights.pth'
    for number in (1, 2):
        write_checkpoint({'number': number}, path)
    assert read_checkpoint(path) == {'number': 2}
    assert os.listdir(path.parent) == ['weights.pth']


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'weights.pth'
    write_checkpoint({'number': 1}, path)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        write_checkpoint({'tensor': torch.ones(1000), 'number': lambda: 2}, path)
    assert read_checkpoint(path) == {'number': 1}
    assert os.listdir(tmp_path) == ['weights.pth']


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / 'weights.pth'
    write_checkpoint({'number': 1, 'tensor': torch.arange(5000)}, path)
    assert verify_checkpoint(path)['number'] == 1
    data = bytearray(path.read_bytes())
    data[data.find(torch.arange(2000, 2010).numpy().tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedCheckpoint, match=r'weights\.pth is damaged'):
        verify_checkpoint(path)


@pytest.mark.parametrize('zipped', [True, False])
def test_verifying_tells_truncated_from_hostile(tmp_path: Path, zipped: bool) -> None:
    victim, path = tmp_path / 'created', tmp_path / 'file.pth'
    torch.save({'tensor': torch.ones(1000)}, path, _use_new_zipfile_serialization=zipped)
    assert verify_checkpoint(path)['tensor'].sum() == 1000
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DamagedCheckpoint):
        verify_checkpoint(path)
    torch.save(payloads(victim)['system'], path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match='refused') as caught:
        verify_checkpoint(path)
    assert not isinstance(caught.value, DamagedCheckpoint)
    assert not victim.exists()


def test_content_that_does_not_read_back_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / 'weights.pth'
    write_checkpoint({'number': 1}, path)
    with pytest.raises(InputError, match=r'weights\.pth is refused, .* did not read back') as caught:
        write_checkpoint({'path': Path('x')}, path)
    assert '.tmp' not in str(caught.value)
    assert read_checkpoint(path) == {'number': 1}
    assert os.listdir(tmp_path) == ['weights.pth']


def test_full_disk(tmp_path: Path) -> None:
    path = tmp_path / 'weights.pth'
    write_checkpoint({'number': 1}, path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(InputError, match=r'cannot write checkpoint .*weights\.pth: .*free space') as caught:
            write_checkpoint({'tensor': torch.ones(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert '\n' not in str(caught.value)
    assert read_checkpoint(path) == {'number': 1}
    assert os.listdir(tmp_path) == ['weights.pth']


def test_write_below_a_file(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match=r'cannot write checkpoint .*file.weights\.pth'):
        write_checkpoint({}, tmp_path / 'file' / 'weights.pth')


STATE = {'a.weight': torch.arange(6.0).reshape(2, 3), 'b': torch.tensor(3), 'half': torch.ones(2, dtype=torch.bfloat16)}


def test_safetensors_round_trip(tmp_path):
    path = tmp_path / 'new' / 'weights.safetensors'
    write_safetensors(STATE, path, {'epoch': 3, 'blocks': (2, 2)})
    read = read_checkpoint(path)
    assert read['meta'] == {'epoch': 3, 'blocks': [2, 2]}
    for found in (read['state_dict'], load_file(path)):
        assert found.keys() == STATE.keys()
        assert all(
            torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in STATE.items()
        )
    assert [file.name for file in path.parent.iterdir()] == ['weights.safetensors']


@pytest.mark.parametrize('header', [None, {'format': 'pt'}, {'facts': 'no json'}, {'facts': '[1]'}])
def test_safetensors_of_other_tools(tmp_path, header):
    save_file(STATE, tmp_path / 'weights.safetensors', header)
    read = read_checkpoint(tmp_path / 'weights.safetensors')
    assert read['meta'] == {}
    assert torch.equal(read['state_dict']['a.weight'], STATE['a.weight'])


def test_facts_that_would_run_on_resuming_are_refused(tmp_path):
    facts = {'facts': json.dumps({'epoch': 1, 'config': 'print("ran")'})}
    save_file(STATE, tmp_path / 'weights.safetensors', facts)
    with pytest.raises(InputError, match=r"is refused: its meta\['config'\] would be executed"):
        read_checkpoint(tmp_path / 'weights.safetensors')


@pytest.mark.parametrize('damage', [lambda data: data[:-3], lambda data: b'', lambda data: b'\xff' * 40])
def test_damaged_safetensors(tmp_path, damage):
    path = tmp_path / 'weights.safetensors'
    save_file(STATE, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DamagedCheckpoint, match=r'weights\.safetensors is damaged or no safetensors file') as caught:
        read_checkpoint(path)
    assert '\n' not in str(caught.value)


def test_safetensors_missing_or_not_writable(tmp_path):
    with pytest.raises(InputError, match='is missing; check the path'):
        read_checkpoint(tmp_path / 'gone.safetensors')
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match=r'^cannot write .*file/weights\.safetensors: .*; choose another place$'):
        write_safetensors(STATE, tmp_path / 'file' / 'weights.safetensors', {})


class Pickled:
    """An object that is unpickled by the given call."""

    def __init__(self, call, *arguments, state=None) -> None:
        self.reduced = (call, arguments, state)

    def __reduce__(self):
        return self.reduced


def load(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    with torch.serialization.safe_globals(HARMLESS):
        return torch.load(buffer, weights_only=True)


def test_history_comes_back_as_mmengine_made_it() -> None:
    restored = load(HistoryBuffer([0.5, 1.5], [1, 1], max_length=9))
    assert type(restored) is HistoryBuffer
    assert restored.max_length == 9
    assert restored.statistics('mean') == 1.0
    assert HistoryBuffer._statistics_methods['mean'] is HistoryBuffer.mean


def test_history_cannot_replace_statistics() -> None:
    state = {
        'max_length': 1,
        '_log_history': np.ones(1),
        '_count_history': np.ones(1),
        'statistics_methods': {'mean': 1},
    }
    load(Pickled(HistoryBuffer, state=state))
    assert HistoryBuffer._statistics_methods['mean'] is HistoryBuffer.mean


@pytest.mark.parametrize('arguments', [(HistoryBuffer, '__init__'), (np.ndarray, 'tofile'), (torch.Size, '__class__')])
def test_getattr_is_refused(arguments: tuple) -> None:
    with pytest.raises(pickle.UnpicklingError, match='getattr'):
        load(Pickled(getattr, *arguments))


@pytest.mark.parametrize(
    'array', [np.arange(4, dtype=np.uint8), np.ones((2, 2), np.float16), np.array(['a']), np.array([True])]
)
def test_arrays_and_numbers(array: np.ndarray) -> None:
    assert np.array_equal(load(array), array)
    assert load(array.flat[0]) == array.flat[0]


def test_object_arrays_are_refused() -> None:
    with pytest.raises(pickle.UnpicklingError):
        load(np.array([{}], dtype=object))
