"""W processes have the loss and the gradient of one with the whole batch: every loss, whole and in blocks."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import distributed as dist

from projects.false import FALSELoss
from projects.false.losses.distributed import gather_together
from tests.helpers.loss_cases import WITH_QUEUE, losses, queue_of, some_excluded, views
from tests.helpers.processes import run_processes

IMAGES = 12


def loss_and_gradient(loss, first, second, projection, **others):
    """Of a model that is one linear layer, as a training step has them."""
    projection = projection.clone().requires_grad_()
    value = loss(first @ projection, second @ projection, **others)
    return value.detach(), torch.autograd.grad(value, projection)[0]


def compare(rank, processes, name, make, first, second, **others):
    """The mean over processes of both, as DistributedDataParallel takes it, with those of the whole batch."""
    projection = torch.linspace(-1, 1, 25, dtype=torch.float64).view(5, 5) + torch.eye(5, dtype=torch.float64)
    mine = slice(rank * IMAGES // processes, (rank + 1) * IMAGES // processes)
    own = {key: value[mine] if key in ('excluded', 'labels') else value for key, value in others.items()}
    for name in {'evidence', 'place', 'features'} & others.keys():
        of_views = others[name].unflatten(0, (-1, IMAGES))  # of both views, or of queries
        own[name] = of_views[:, mine].flatten(0, 1)
    expected = loss_and_gradient(make(gather=False), first, second, projection, **others)
    for chunk_size in (None, 2):
        found = loss_and_gradient(make(chunk_size=chunk_size), first[mine], second[mine], projection, **own)
        for part, whole in zip(found, expected, strict=True):
            dist.all_reduce(part)
            torch.testing.assert_close(part / processes, whole, atol=1e-9, rtol=0, msg=lambda text: f'{name}: {text}')


def run_in_a_process(rank: int, processes: int, folder: str) -> None:
    dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=processes)
    mine = torch.arange(3) + 10 * rank, torch.full((3, 2), rank / 3, dtype=torch.float16), torch.ones(3, 5).cumsum(1)
    indices, shares, rows = gather_together(*mine)
    assert indices.tolist() == [10 * other + n for other in range(processes) for n in range(3)]
    assert torch.equal(shares, torch.cat([torch.full((3, 2), o / 3, dtype=torch.float16) for o in range(processes)]))
    assert torch.equal(rows, mine[2].repeat(processes, 1))
    for spread in (0.1, 0.8) if processes == 2 else (0.8,):  # the released rule in both of its regimes
        first, second = views(IMAGES, spread=spread)
        for name in losses():
            compare(rank, processes, name, lambda name=name, **options: losses(**options)[name], first, second)
        for name in WITH_QUEUE:
            others = {'queue': queue_of(15), 'excluded': some_excluded(IMAGES, 15)}
            compare(
                rank, processes, f'{name}, queue', lambda name=name, **o: losses(**o)[name], first, second, **others
            )
        labels = torch.arange(IMAGES) % 3
        compare(
            rank, processes, 'oracle', lambda **o: FALSELoss(0.5, 0.7, 0.2, 'oracle', **o), first, second, labels=labels
        )
        shares = torch.rand(2 * IMAGES, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        shares = shares / shares.sum(1, keepdim=True)
        in_queue = dict(queue=queue_of(15), evidence=shares[:IMAGES], queue_evidence=shares[:15])
        for by in ('overlap', 'distance'):
            rule = dict(type='evidence', overlap=0.7, graded=True, compare=by)
            for name, others in {f'evidence, {by}': dict(evidence=shares), f'{by}, queue': in_queue}.items():
                compare(rank, processes, name, partial(FALSELoss, 0.5, 0.7, 0.2, rule), first, second, **others)
        places = torch.tensor([[i % 2, 0, 8 * i, 8, 8 * i + 10] for i in range(2 * IMAGES)])
        rules = [
            dict(type='place', distance=8),
            dict(type='all_of', rules=[dict(type='evidence', overlap=0.5), dict(type='nearest_features', k=6)]),
            dict(type='any_of', rules=[dict(type='other_place', distance=9), dict(type='evidence', graded=True)]),
        ]
        for rule in rules:
            others = dict(place=places, evidence=shares, features=first.repeat(2, 1))
            compare(rank, processes, str(rule), partial(FALSELoss, 0.5, 0.7, 0.2, rule), first, second, **others)
    if rank == 0:
        Path(folder, 'done').touch()
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize('processes', [2, 4])
def test_processes_equal_one(tmp_path: Path, processes) -> None:
    run_processes(run_in_a_process, processes, str(tmp_path), count=processes)
    assert (tmp_path / 'done').exists()
