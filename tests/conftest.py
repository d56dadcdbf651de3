"""Settings of every test process. Shared fixtures are in ``tests/helpers``."""

import gc
import os
import time
from functools import cache
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
if 'PYTEST_XDIST_WORKER' in os.environ:  # two files at a time, one core per file
    os.environ.setdefault('OMP_NUM_THREADS', '1')

from mmengine.runner import loops, runner
from mmengine.utils import ManagerMixin, version_utils
from mmengine.visualization import Visualizer
from yapf.yapflib import yapf_api

FIXTURES = ['data', 'finished_quickstart', 'rasters', 'runs', 'spoilt_data']
if find_spec('rasterio') is None:  # as in the environment of mmselfsup, which trains on patches alone
    FIXTURES = ['data', 'runs']
pytest_plugins = [f'tests.helpers.{name}' for name in FIXTURES]


# Files that take minutes start first, so that the last worker does not run one of them alone.
LONGEST = [
    'end_to_end/test_configs.py',
    'tools/test_dist.py',
    'end_to_end/test_synthetic_context.py',
    'end_to_end/test_killed_benchmarks.py',
    'tools/test_quickstart.py',
    'benchmarks/test_scaling.py',
    'tools/test_train_and_test.py',
    'end_to_end/test_watched_training.py',
]


def pytest_collection_modifyitems(items):
    """Run the longest files first; the order within a file stays."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.split('::')[0].removeprefix('tests/'), len(rank)))


def pytest_collection_finish():
    """Keep what is imported by now out of garbage collection: MMEngine collects all of it for every data set."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope='session')
def _done_once_for_all_runs():
    """What MMEngine does anew for every run and checkpoint: half of the work of a small run, and 2 s after an epoch."""
    format_code, hash_of, make_figure = (
        yapf_api.FormatCode,
        version_utils._minimal_ext_cmd,
        Visualizer._initialize_fig,
    )
    formatted = cache(lambda text, style: format_code(text, style_config=dict(style)))
    hashed = cache(lambda command: hash_of(list(command)))
    figures = cache(lambda settings: make_figure(None, dict(settings)))
    environment = cache(runner.collect_env)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', lambda text, style_config: formatted(text, tuple(style_config.items())))
        patch.setattr(version_utils, '_minimal_ext_cmd', lambda command: hashed(tuple(command)))
        patch.setattr(Visualizer, '_initialize_fig', lambda self, settings: figures(tuple(settings.items())))
        patch.setattr(runner, 'collect_env', lambda: dict(environment()))
        patch.setattr(loops, 'time', SimpleNamespace(**vars(time) | {'sleep': lambda seconds: None}))
        yield


@pytest.fixture(autouse=True)
def _fresh_process():
    """Remove loggers, visualizers and scopes of a test's runs, which would write to its folder or captured stream."""
    yield
    kinds = [ManagerMixin]
    for kind in kinds:  # their names hold the time in seconds, so that two runs may share one
        kinds += kind.__subclasses__()
        kind._instance_dict.clear()
