import pickle
import random
from itertools import islice

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from projects.false.common.random_state import seeded
from projects.false.datasets.seeding import SampleIndex, SeededSampler, SeededSamples


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
