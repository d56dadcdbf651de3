"""A tool's main, to be called in this process: importing PyTorch anew for every call would take most of the time."""

import importlib.util

from tests.conftest import REPOSITORY


def main_of(name):
    """``main`` of ``tools/<name>.py``."""
    spec = importlib.util.spec_from_file_location(name.replace('/', '_'), REPOSITORY / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main
