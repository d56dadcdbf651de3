"""Results that do not depend on the chunk size, and memory that is linear in the batch."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from projects.false import FALSELoss, InputError
from tests.helpers.loss_cases import WITH_QUEUE, losses, queue_of, some_excluded, views

NAMES = list(losses())


class LargestTensor(TorchDispatchMode):
    """Notes how many values the largest tensor had that anything made."""

    def __init__(self):
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        self.values = max(
            [self.values, *(leaf.numel() for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor))]
        )
        return made


def results(loss, first, second, **others):
    first, second = first.clone().requires_grad_(), second.clone().requires_grad_()
    value = loss(first, second, **others)
    value.backward()
    seen = {f'seen {name}': number.double() for name, number in loss.seen.items()}
    return {'value': value.detach(), 'first': first.grad, 'second': second.grad, **seen}


@pytest.mark.parametrize('name', NAMES)
def test_a_second_derivative_is_refused(name):
    """That of the normalisation alone would pass for it."""
    first, second = views(5)
    value = losses()[name](first.requires_grad_(), second)
    with pytest.raises(InputError, match=r'have no second derivatives; call backward or .* without create_graph=True'):
        torch.autograd.grad(value, first, create_graph=True)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('spread', [0.1, 0.8])
def test_chunk_size_changes_nothing_in_a_batch(name, spread):
    first, second = views(9, spread=spread)
    expected = results(losses(chunk_size=None)[name], first, second)
    for chunk_size in (1, 3, 7, 18, 50):
        found = results(losses(chunk_size=chunk_size)[name], first, second)
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize('name', WITH_QUEUE)
def test_chunk_size_changes_nothing_with_a_queue(name):
    others = {'queue': queue_of(11), 'excluded': some_excluded(9, 11)}
    expected = results(losses(chunk_size=None)[name], *views(9), **others)
    for chunk_size in (1, 4, 9, 30):
        found = results(losses(chunk_size=chunk_size)[name], *views(9), **others)
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize('name', NAMES)
def test_the_matrix_never_exists_in_a_batch(name):
    first, second = (view.requires_grad_() for view in views(128, dimension=4, spread=0.1))
    largest = {}
    for chunk_size in (8, 256):
        with LargestTensor() as mode:
            losses(chunk_size=chunk_size)[name](first, second).backward()
        largest[chunk_size] = mode.values
    assert largest[256] >= 256 * 256  # what is noted is what is made
    assert largest[8] <= 256 * 256 // 8


@pytest.mark.parametrize('name', WITH_QUEUE)
def test_the_matrix_never_exists_with_a_queue(name):
    query, key = (view.requires_grad_() for view in views(128, dimension=4))
    queue = queue_of(512, dimension=4)
    with LargestTensor() as mode:
        losses(chunk_size=8)[name](query, key, queue=queue, excluded=torch.zeros(512, dtype=torch.bool)).backward()
    assert mode.values <= 128 * 512 // 8


def test_without_a_chunk_size_blocks_are_bounded():
    first, second = (view.float().requires_grad_() for view in views(2048, dimension=4))
    with LargestTensor() as mode:
        FALSELoss()(first, second).backward()
    assert mode.values <= 4096 * 4096 // 8


def test_a_loss_without_gradient_costs_no_gradient():
    first, second = views(6)
    loss = FALSELoss(0.5, 0.9, 0.2)
    expected = loss(first.clone().requires_grad_(), second)
    assert torch.equal(loss(first, second), expected.detach())
    with torch.no_grad():
        assert not loss(first.clone().requires_grad_(), second).requires_grad
