import json
import pickle
import random
from itertools import islice

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader, Dataset

from projects.false import InputError
from projects.false.common.random_state import seeded
from projects.false.datasets.seeding import NeighbourSampler, SampleIndex, SeededSampler, SeededSamples


def draws():
    return random.random(), np.random.rand(), torch.rand(()).item()


class Base(Dataset):
    def __len__(self):
        return 7

    def prepare_data(self, idx):
        return torch.tensor([float(idx), *draws()], dtype=torch.float64)

    def __getitem__(self, idx):
        return self.prepare_data(idx)


class Samples(SeededSamples, Base):
    pass


def test_seeded_repeats_and_restores():
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    with seeded((1, 2, 3)):
        first = draws()
    with seeded((1, 2, 3)):
        again = draws()
    with seeded((1, 2, 4)):
        other = draws()
    assert first == again
    assert len({*first, *other}) == 6
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.equal(torch.get_rng_state(), before[2])


def test_parts_of_joined_and_repeated_data_see_the_seed():
    """MMEngine computes the index in the part."""

    class Part(SeededSamples, BaseDataset):
        def load_data_list(self):
            return [{'number': number} for number in range(7)]

    part = Part(pipeline=[lambda entry: torch.tensor([float(entry['number']), *draws()])])
    joined, repeated = ConcatDataset([part, part]), RepeatDataset(part, 3)
    seed = (0, 1, 2)
    expected = part[SampleIndex(3, seed)]
    for data, index in ((part, 3), (joined, 3), (joined, 10), (repeated, 3), (repeated, 17), (joined, -4)):
        assert torch.equal(data[SampleIndex(index, seed)], expected), index
    assert not torch.equal(joined[SampleIndex(10, (0, 1, 3))], expected)


def test_index_keeps_its_seed_between_processes():
    index = pickle.loads(pickle.dumps(SampleIndex(5, (1, 2))))
    assert index == 5
    assert index.seed == (1, 2)


def load(workers, epoch=0, **sampler):
    data = Samples()
    made = SeededSampler(data, seed=3, **sampler)
    made.set_epoch(epoch)
    loader = DataLoader(data, batch_size=2, sampler=made, num_workers=workers)
    return torch.cat(list(islice(loader, 6)))


def test_samples_do_not_depend_on_workers():
    assert torch.equal(load(0), load(2))


def test_epochs_differ_and_cover_everything():
    first, second = load(0, 0), load(0, 1)
    assert sorted(first[:, 0].tolist()) == sorted(second[:, 0].tolist()) == list(range(7))
    assert first[:, 0].tolist() != second[:, 0].tolist()
    by_index = {int(row[0]): row[1:].tolist() for row in first}
    assert all(by_index[int(row[0])] != row[1:].tolist() for row in second)


def test_infinite_skip_continues_the_stream():
    data = Samples()
    whole = list(islice(iter(SeededSampler(data, seed=1, infinite=True)), 25))
    resumed = SeededSampler(data, seed=1, infinite=True)
    resumed.skip(9)
    rest = list(islice(iter(resumed), 16))
    assert rest == whole[9:]
    assert [index.seed for index in rest] == [index.seed for index in whole[9:]]


@pytest.mark.parametrize('rank', [0, 1])
def test_finite_skip_leaves_out_the_beginning_of_one_epoch(rank, monkeypatch):
    monkeypatch.setattr('projects.false.datasets.seeding.get_dist_info', lambda: (rank, 2))
    sampler = SeededSampler(Samples(), seed=1)
    whole = list(sampler)
    sampler.skip(3)
    assert (len(sampler), list(sampler)) == (4, whole[3:])
    assert list(sampler) == whole
    sampler.skip(4)
    assert list(sampler) == []


def test_infinite_epochs_are_those_of_the_finite_sampler():
    data = Samples()
    finite = SeededSampler(data, seed=1)
    finite.set_epoch(1)
    assert list(islice(iter(SeededSampler(data, seed=1, infinite=True)), 14))[7:] == list(finite)


def test_without_shuffle_order_is_kept():
    assert list(SeededSampler(Samples(), seed=1, shuffle=False)) == list(range(7))


def test_plain_indices_are_not_seeded():
    torch.manual_seed(0)
    first = Samples()[3]
    second = Samples()[3]
    assert not torch.equal(first, second)


class Grid(Base):
    """Patches of 64 pixels in two rasters of 8 x 8 of them."""

    def __init__(self, folder):
        self.places = [(raster, 64 * row, 64 * col) for raster in 'ab' for row in range(8) for col in range(8)]
        patches = [{'name': f'{s}_{r}_{c}', 'source': s, 'row': r, 'col': c} for s, r, c in self.places]
        (folder / 'dataset.json').write_text(json.dumps({'patches': patches}))
        self.paths = [str(folder / 'images' / f'{patch["name"]}.png') for patch in patches]

    def __len__(self):
        return len(self.paths)

    def get_data_info(self, index):
        return {'img_path': self.paths[index]}


@pytest.fixture
def grid(tmp_path):
    return Grid(tmp_path)


def neighbours(places, order, batch):
    """Pairs of a batch that lie side by side, per batch."""
    count = 0
    for start in range(0, len(order), batch):
        chosen = [places[index] for index in order[start : start + batch]]
        count += sum(
            a[0] == b[0] and max(abs(a[1] - b[1]), abs(a[2] - b[2])) == 64
            for number, a in enumerate(chosen)
            for b in chosen[:number]
        )
    return count * batch / len(order)


def test_neighbours_meet_in_a_batch(grid):
    near, far = list(NeighbourSampler(grid, side=128, seed=0)), list(SeededSampler(grid, seed=0))
    assert sorted(near) == list(range(128))
    assert neighbours(grid.places, near, 16) > 10  # four cells of 2 x 2 give 24, fewer at the edges
    assert neighbours(grid.places, near, 16) > 2 * neighbours(grid.places, far, 16)


def test_orders_of_neighbours_are_seeded_and_differ(grid):
    def order(seed, epoch):
        sampler = NeighbourSampler(grid, side=128, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 2) == order(1, 2)
    assert [index.seed for index in order(1, 2)] == [(1, 2, position) for position in range(128)]
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)
    cells = {frozenset(order(0, epoch)[:4]) for epoch in range(8)}
    assert len(cells) > 4  # the grid moves


def test_neighbours_over_processes_and_after_an_interruption(grid, monkeypatch):
    whole = list(NeighbourSampler(grid, side=128, seed=1))
    parts = []
    for rank in (0, 1):
        monkeypatch.setattr('projects.false.datasets.seeding.get_dist_info', lambda rank=rank: (rank, 2))
        sampler = NeighbourSampler(grid, side=128, seed=1)
        parts.append(list(sampler))
        sampler.skip(10)
        assert list(sampler) == parts[-1][10:]
    assert [index for pair in zip(*parts, strict=True) for index in pair] == whole


def test_neighbours_that_nobody_knows(grid, tmp_path):
    with pytest.raises(InputError, match='side of NeighbourSampler'):
        NeighbourSampler(grid, side=0)
    grid.paths[3] = str(tmp_path / 'images' / 'new.png')
    with pytest.raises(InputError, match="does not know the patch 'new'"):
        NeighbourSampler(grid)
