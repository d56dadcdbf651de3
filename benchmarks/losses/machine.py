"""The machine that a benchmark runs on."""

import os
import platform
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import torch

LIBRARIES = ('torch', 'onedl-mmpretrain', 'lightly', 'pytorch-metric-learning')


def machine_facts(device: str) -> dict[str, str | int]:
    """Return processor or GPU, cores, load, versions and date."""
    load = f'{os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else 'unknown'
    return {
        'processor': torch.cuda.get_device_name() if device == 'cuda' else _processor(),
        'cores': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1,
        'load': load,
        'versions': ', '.join(f'{name} {_version(name)}' for name in LIBRARIES),
        'date': datetime.now(timezone.utc).date().isoformat(),
    }


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    return next((line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')), platform.machine())


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return 'absent'
