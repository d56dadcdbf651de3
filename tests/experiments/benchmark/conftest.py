"""A benchmark on a copy of small patches, planned but not run."""

import shutil

import pytest

from projects.false.experiments.benchmark.runner import Benchmark
from projects.false.experiments.benchmark.spec import read_spec
from projects.false.patch_folder.appearance import FILE
from tests.helpers.tiny_benchmark import by_name, write_spec


@pytest.fixture
def data(patches, tmp_path):
    shared = patches('synthetic', 64, 16)  # other tests may have fitted clusters there
    return shutil.copytree(shared, tmp_path / 'data', ignore=shutil.ignore_patterns(FILE))


@pytest.fixture
def opened(data, tmp_path):
    """``opened(changes, begun, ...)``: a benchmark with everything checked and planned, and maybe all steps begun."""

    def open_it(changes='dict()', begun=False, **arguments):
        spec = read_spec(str(write_spec(tmp_path / 'tiny.py', data, changes)))
        with Benchmark(spec, tmp_path / 'out', **arguments) as benchmark:
            if begun:
                benchmark.write_settings()
                for name in by_name(benchmark):
                    log = tmp_path / 'out' / 'logs' / f'{name}.log'
                    log.parent.mkdir(parents=True, exist_ok=True)
                    log.touch()
            return benchmark

    return open_it
