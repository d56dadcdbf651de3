import torch
from torch import nn

from projects.false.models.shuffled_encoding import encode_shuffled


def images(count=8):
    return torch.arange(count, dtype=torch.float32).view(count, 1, 1, 1)


def test_every_image_gets_its_own_projection():
    own, everybody = encode_shuffled(lambda part: part.flatten(1) * 10, images(), 4)
    assert own.flatten().tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    assert torch.equal(own, everybody)


def test_sub_batches_are_shuffled_and_at_least_two():
    sizes, seen = [], []

    def encode(part):
        sizes.append(len(part))
        seen.extend(part.flatten().int().tolist())
        return part.flatten(1)

    torch.manual_seed(1)
    encode_shuffled(encode, images(7), 8)
    assert sorted(sizes) == [2, 2, 3]
    assert sorted(seen) == list(range(7))
    assert seen != list(range(7))
    sizes.clear()
    encode_shuffled(encode, images(1), 8)
    assert sizes == [1]


def test_batch_statistics_are_those_of_sub_batches():
    """A key normalised with a quarter of the batch differs from one normalised with all of it."""
    norm = nn.BatchNorm2d(1).train()
    own, _ = encode_shuffled(lambda part: norm(part).flatten(1), images(), 4)
    assert not torch.allclose(own, norm(images()).flatten(1), atol=0.1)
    assert own.mean().abs() < 1e-5
