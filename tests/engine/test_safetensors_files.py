"""Weights and facts come back, and a file that is none ends in one line."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from projects.false.common.errors import InputError
from projects.false.engine.checkpoints.files import DamagedCheckpoint, read_checkpoint, write_safetensors

STATE = {'a.weight': torch.arange(6.0).reshape(2, 3), 'b': torch.tensor(3), 'half': torch.ones(2, dtype=torch.bfloat16)}


def test_round_trip(tmp_path):
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
def test_files_of_others(tmp_path, header):
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
def test_damaged(tmp_path, damage):
    path = tmp_path / 'weights.safetensors'
    save_file(STATE, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DamagedCheckpoint, match=r'weights\.safetensors is damaged or no safetensors file') as caught:
        read_checkpoint(path)
    assert '\n' not in str(caught.value)


def test_missing_or_not_writable(tmp_path):
    with pytest.raises(InputError, match='is missing; check the path'):
        read_checkpoint(tmp_path / 'gone.safetensors')
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match=r'^cannot write .*file/weights\.safetensors: .*; choose another place$'):
        write_safetensors(STATE, tmp_path / 'file' / 'weights.safetensors', {})
