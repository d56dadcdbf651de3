"""The repository, and the ``main`` of its tools.

A tool is called in the process of the test: importing PyTorch anew for every call would take most of the time.
"""

import importlib.util
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def main_of(name):
    """``main`` of ``tools/<name>.py``."""
    spec = importlib.util.spec_from_file_location(name.replace('/', '_'), REPOSITORY / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main
