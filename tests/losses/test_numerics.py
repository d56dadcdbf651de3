"""Gradients, precisions and edges of every loss."""

import pytest
import torch

from projects.false import FALSELoss, InputError, NTXentLoss
from projects.false.losses import DETERMINATIONS
from tests.helpers.loss_cases import WITH_QUEUE, losses, queue_of, some_excluded, views

NAMES = list(losses())
SMOOTH = [name for name in NAMES if name != 'growing']
"""Not the loss whose constant confidence changes with the embeddings: finite differences see that."""
LABELS = torch.tensor([0, 1, 0, 1])


@pytest.mark.parametrize('name', SMOOTH)
@pytest.mark.parametrize('chunk_size', [None, 3])
def test_gradient(name, chunk_size):
    first, second = views(4, dimension=3, spread=0.3)
    loss = losses(chunk_size=chunk_size)[name]
    assert torch.autograd.gradcheck(loss, (first.requires_grad_(), second.requires_grad_()))


@pytest.mark.parametrize('name', [name for name in SMOOTH if name in WITH_QUEUE])
def test_gradient_with_a_queue(name):
    query, key = views(4, dimension=3, spread=0.3)
    queue, excluded = queue_of(7, dimension=3), some_excluded(4, 7)
    loss = losses(temperature=0.2)[name]
    assert torch.autograd.gradcheck(
        lambda *views: loss(*views, queue=queue, excluded=excluded), (query.requires_grad_(), key.requires_grad_())
    )


def test_gradient_that_reaches_the_queue():
    query, key = views(4, dimension=3, spread=0.3)
    assert torch.autograd.gradcheck(
        lambda queue: FALSELoss(0.5, 0.7, -1.0)(query, key, queue=queue), queue_of(6, dimension=3).requires_grad_()
    )


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('temperature', [0.01, 0.1, 2.0])
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_precisions(name, temperature, dtype):
    """Half precision costs what the same numbers cost in float32, under autocast and without."""
    first, second = (view.to(dtype) for view in views(8, spread=0.4))
    loss = losses(temperature)[name]
    full = torch.float64 if dtype == torch.float64 else torch.float32
    expected = loss(first.to(full), second.to(full))
    first.requires_grad_()
    value = loss(first, second)
    assert value.dtype == full
    torch.testing.assert_close(value, expected)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(first.grad).all()
    if dtype in (torch.bfloat16, torch.float16):
        with torch.autocast('cpu', dtype=dtype):
            torch.testing.assert_close(loss(first, second), expected)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('temperature', [0.01, 0.5, 2.0])
@pytest.mark.parametrize('rows', ['identical', 'orthogonal', 'random', 'zero', 'opposite', 'one image', 'two images'])
def test_finite_at_the_edges(name, temperature, rows):
    make = {
        'identical': torch.ones(4, 8),
        'orthogonal': torch.eye(8)[:4],
        'random': torch.randn(4, 8, generator=torch.Generator().manual_seed(3)),
        'zero': torch.zeros(4, 8),
        'opposite': torch.ones(4, 8) * torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None],
        'one image': torch.eye(8)[:1],
        'two images': torch.eye(8)[:2],
    }
    for second in (make[rows], -make[rows]):
        first = make[rows].clone().requires_grad_()
        value = losses(temperature)[name](first, second)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(first.grad).all()


@pytest.mark.parametrize('name', WITH_QUEUE)
def test_nothing_in_the_queue_yet(name):
    query = views(4)[0].requires_grad_()
    value = losses()[name](query, views(4)[1], queue=torch.zeros(6, 5), excluded=torch.ones(6, dtype=torch.bool))
    value.backward()
    assert value.item() == 0
    assert (query.grad == 0).all()


@pytest.mark.parametrize('name', sorted(DETERMINATIONS.module_dict))
def test_nothing_determined(name):
    first, second = views(4)
    value = FALSELoss(0.5, 1.0, 1.0, name)(first.requires_grad_(), second, labels=LABELS)
    value.backward()
    torch.testing.assert_close(value, NTXentLoss(0.5)(first, second))
    assert torch.isfinite(first.grad).all()


@pytest.mark.parametrize(
    'config', ['oracle', {'type': 'topk', 'k': 99, 'floor': -1}, {'type': 'anchor_nearest', 'k': 6}]
)
def test_everything_determined(config):
    first, second = views(4)
    value = FALSELoss(0.5, 1.0, -1.0, config)(first.requires_grad_(), second, labels=torch.zeros(4))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert torch.isfinite(first.grad).all()


@pytest.mark.parametrize('name', [name for name in sorted(DETERMINATIONS.module_dict) if name != 'oracle'])
@pytest.mark.parametrize('n', [32, 256])
def test_no_default_rewards_collapse(name, n):
    loss = FALSELoss(determination=name)
    collapsed, separated = collapsed_and_separated(n)
    assert loss(collapsed, collapsed) > loss(separated, separated) + 0.1


def collapsed_and_separated(n):
    noise = 1e-3 * torch.randn(2, n, n, generator=torch.Generator().manual_seed(0))
    return torch.ones(n, n) + noise[0], torch.eye(n) + noise[1]


@pytest.mark.parametrize('name', ['nt_xent', 'debiased', 'hard_negative', 'elimination_topk', 'attraction_topk'])
def test_no_relative_rewards_collapse(name):
    loss = losses()[name]
    collapsed, separated = collapsed_and_separated(32)
    assert loss(collapsed, collapsed) > loss(separated, separated) + 0.2


@pytest.mark.parametrize('shapes', [((4, 8), (5, 8)), ((4, 8), (4, 7)), ((4, 8, 1), (4, 8, 1)), ((0, 8), (0, 8))])
def test_views_must_match(shapes):
    with pytest.raises(InputError, match='two views of one shape'):
        FALSELoss()(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


@pytest.mark.parametrize(
    ('queue', 'excluded', 'text'),
    [
        (torch.zeros(6, 7), None, r'a queue has shape \(K, D\) with the D of the projections, 8; got \(6, 7\)'),
        (torch.zeros(6, 8, 1), None, r'got \(6, 8, 1\)'),
        (torch.zeros(6, 8), torch.zeros(6), r'excluded is bool of shape \(4, 6\) or \(6,\); got torch.float32'),
        (torch.zeros(6, 8), torch.zeros(4, 5, dtype=torch.bool), r'of shape \(4, 5\)'),
    ],
)
def test_queue_must_fit(queue, excluded, text):
    with pytest.raises(InputError, match=text):
        FALSELoss()(torch.zeros(4, 8), torch.zeros(4, 8), queue=queue, excluded=excluded)
