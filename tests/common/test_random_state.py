"""The random generators continue where a saved state left them."""

import random

import numpy as np
import torch

from projects.false.common.random_state import random_state, seeded, set_random_state


def draw() -> tuple[float, float, float, float]:
    return random.random(), random.gauss(0, 1), np.random.standard_normal(), torch.rand(()).item()


def test_restored_state_gives_the_same_numbers() -> None:
    draw()  # leaves the second number of a normal pair in Python's and NumPy's generators
    state = random_state()
    first = [draw() for _ in range(3)]
    set_random_state(state)
    assert [draw() for _ in range(3)] == first


def test_state_is_saved_as_plain_values_and_tensors(tmp_path) -> None:
    torch.save(random_state(), tmp_path / 'state.pth')
    state = torch.load(tmp_path / 'state.pth', weights_only=True)
    first = draw()
    set_random_state(state)
    assert draw() == first


def test_seeded_block_is_repeatable_and_restores_the_generators() -> None:
    state = random_state()
    expected = draw()
    set_random_state(state)
    blocks = []
    for _ in range(2):
        with seeded((1, 2)):
            blocks.append(draw())
    assert blocks[0] == blocks[1] != expected
    assert draw() == expected
