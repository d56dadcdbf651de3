import torch
from torch import distributed, multiprocessing, nn

from projects.false.models.false_moco import draw_order, encode_shuffled

CPU = torch.device('cpu')


def images(count=8):
    return torch.arange(count, dtype=torch.float32).view(count, 1, 1, 1)


def test_every_image_gets_its_own_projection():
    own, everybody = encode_shuffled(lambda part: part.flatten(1) * 10, images(), draw_order(8, CPU), 4)
    assert own.flatten().tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    assert torch.equal(own, everybody)


def test_sub_batches_are_shuffled_and_at_least_two():
    sizes, seen = [], []

    def encode(part):
        sizes.append(len(part))
        seen.extend(part.flatten().int().tolist())
        return part.flatten(1)

    torch.manual_seed(1)
    encode_shuffled(encode, images(7), draw_order(7, CPU), 8)
    assert sorted(sizes) == [2, 2, 3]
    assert sorted(seen) == list(range(7))
    assert seen != list(range(7))
    sizes.clear()
    encode_shuffled(encode, images(1), draw_order(1, CPU), 8)
    assert sizes == [1]


def test_batch_statistics_are_those_of_sub_batches():
    """A key normalised with a quarter of the batch differs from one normalised with all of it."""
    norm = nn.BatchNorm2d(1).train()
    own, _ = encode_shuffled(lambda part: norm(part).flatten(1), images(), torch.arange(8), 4)
    torch.testing.assert_close(own.flatten(), torch.tensor([-1.0, 1.0]).repeat(4), atol=1e-3, rtol=0)


def one_of_two(rank, folder):
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    torch.manual_seed(rank)  # what the second process draws must not matter
    order = draw_order(4, CPU)
    norm = nn.BatchNorm2d(1).train()
    mine = images()[4 * rank : 4 * rank + 4] ** 2
    own, everybody = encode_shuffled(lambda part: norm(part).flatten(1), mine, order, 8)
    torch.save([order, own, everybody], f'{folder}/{rank}.pt')
    distributed.destroy_process_group()


def test_two_processes_normalise_with_one_anothers_images(tmp_path):
    multiprocessing.start_processes(one_of_two, (str(tmp_path),), nprocs=2, start_method='spawn')
    (order, *first), (order2, *second) = (torch.load(tmp_path / f'{rank}.pt') for rank in (0, 1))
    assert torch.equal(order, order2)
    assert set(order[:4].tolist()) not in ({0, 1, 2, 3}, {4, 5, 6, 7})
    expected = torch.empty(8, 1)
    for group in (order[:4], order[4:]):
        values = images()[group].flatten(1) ** 2
        expected[group] = (values - values.mean()) / (values.var(unbiased=False) + 1e-5).sqrt()
    assert torch.equal(first[1], second[1])
    torch.testing.assert_close(first[1], expected)
    torch.testing.assert_close(torch.cat([first[0], second[0]]), expected)
