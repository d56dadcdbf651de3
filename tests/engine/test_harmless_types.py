"""The allowlist gives a file data and nothing that it could call."""

import io
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from projects.false.engine.checkpoints.files import HARMLESS


class Pickled:
    """Pickles as the call it is made with."""

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
def test_getattr_gives_nothing(arguments: tuple) -> None:
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
