import pytest
import torch

from projects.false import InputError
from projects.false.models.false_moco import KeyQueue


def keys(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None] * torch.tensor([[3.0, 4.0]])


def test_the_oldest_are_replaced_first():
    queue = KeyQueue(4, 2)
    queue.enqueue(keys(1, 1, 1), torch.tensor([10, 11, 12]))
    queue.enqueue(keys(-1, -1), torch.tensor([13, 14]))
    assert queue.image_indices.tolist() == [14, 11, 12, 13]
    torch.testing.assert_close(queue.keys, torch.tensor([[-0.6, -0.8], [0.6, 0.8], [0.6, 0.8], [-0.6, -0.8]]))
    assert queue.pointer.tolist() == [1]


def test_own_images_and_empty_places_are_excluded():
    queue = KeyQueue(4, 2)
    queue.enqueue(keys(1, 2, 3), torch.tensor([7, 8, 7]))
    excluded = queue.excluded(torch.tensor([7, 8, 9]))
    assert excluded.tolist() == [
        [True, False, True, True],
        [False, True, False, True],
        [False, False, False, True],
    ]


def test_everything_is_in_the_state():
    queue, copy = KeyQueue(3, 2), KeyQueue(3, 2)
    queue.enqueue(keys(1, 2), torch.tensor([5, 6]))
    copy.load_state_dict(queue.state_dict())
    for one in (queue, copy):
        one.enqueue(keys(3, 4), torch.tensor([7, 8]))
    assert all(torch.equal(a, b) for a, b in zip(queue.buffers(), copy.buffers(), strict=True))
    assert copy.image_indices.tolist() == [8, 6, 7]


def test_half_precision_keys_are_stored_in_full():
    queue = KeyQueue(2, 2)
    queue.enqueue(keys(100).half(), torch.tensor([0]))
    torch.testing.assert_close(queue.keys[0], torch.tensor([0.6, 0.8]), atol=1e-3, rtol=0)
    assert queue.keys.dtype == torch.float32


def test_more_keys_than_places():
    with pytest.raises(InputError, match='queue_len 2 is smaller than the global batch of 3'):
        KeyQueue(2, 2).enqueue(keys(1, 2, 3), torch.tensor([0, 1, 2]))
