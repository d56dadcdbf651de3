"""Read, set and restore the random generators of Python, NumPy and PyTorch."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """Copy the state of this process's random generators, as tensors and plain values."""
    version, words, gauss = random.getstate()
    twister = np.random.get_state(legacy=False)
    keys, position = twister['state']['key'], twister['state']['pos']
    return {
        'torch': torch.get_rng_state(),
        'cuda': torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        'numpy': [
            twister['bit_generator'],
            torch.tensor(keys.astype(np.int64)),
            int(position),
            int(twister['has_gauss']),
            float(twister['gauss']),
        ],
        'python': [version, torch.tensor(words), gauss],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Put this process's random generators where :func:`random_state` found them.

    On a machine with other devices the ones in common are set.
    """
    version, words, gauss = state['python']
    random.setstate((version, tuple(words.tolist()), gauss))
    name, keys, *rest = state['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'].cpu())
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for device, cuda_state in zip(range(devices), state['cuda'], strict=False):
        torch.cuda.set_rng_state(cuda_state.cpu(), device)


@contextmanager
def seeded(seed: tuple[int, ...], restore: bool = True) -> Iterator[None]:
    """Seed Python's, NumPy's and PyTorch's CPU generators inside the block, and restore them after it.

    Args:
        seed: Non-negative integers below 2**32. Empty: nothing is seeded.
        restore: Put the generators back. It takes four times as long as seeding them.
    """
    if not seed:
        yield
        return
    if restore:
        python_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    words = np.random.SeedSequence(seed).generate_state(4)
    random.seed(words.tobytes())
    np.random.seed(words)
    torch.default_generator.manual_seed(int(words[0]) << 32 | int(words[1]))
    try:
        yield
    finally:
        if restore:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            torch.set_rng_state(torch_state)
