"""Where and with what an experiment ran, for its report."""

import platform

import torch

from .steps import cores


def hardware() -> str:
    """Such as ``x86_64, 2 cores, no GPU``."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'
    return f'{platform.machine()}, {cores()} cores, {gpu}'


def software() -> str:
    """Versions of Python and PyTorch."""
    return f'Python {platform.python_version()}, torch {torch.__version__}'
