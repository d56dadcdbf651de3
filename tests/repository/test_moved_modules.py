"""Modules under their old names: for one release they warn and work as before."""

import subprocess
import sys

import pytest

from tests.helpers.tools import REPOSITORY

MOVED = {
    'projects.false.errors': ('projects.false.common.errors', ['InputError']),
    'projects.false.datasets.known_data_sets': (
        'projects.false.datasets.land_cover',
        ['DGLCPatches', 'PotsdamPatches', 'XiangtanPatches'],
    ),
    'projects.false.models.band_preprocessor': ('projects.false.models.segmentation', ['BandPreProcessor']),
    'projects.false.models.linear_head': ('projects.false.models.segmentation', ['LinearSegmentationHead']),
}

# A config of a user that names modules where they were, imported as MMEngine does it.
USE = """
import warnings
from importlib import import_module
from mmengine.config import Config
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    Config.fromfile('mine.py')
for warning in said:
    if issubclass(warning.category, DeprecationWarning) and 'projects.false' in str(warning.message):
        print(warning.message)
for old, (new, names) in {moved!r}.items():
    for name in names:
        assert getattr(import_module(old), name) is getattr(import_module(new), name)
from mmseg.registry import DATASETS, MODELS
assert DATASETS.get('PotsdamPatches')
assert MODELS.get('BandPreProcessor')
assert MODELS.get('LinearSegmentationHead')
"""


@pytest.mark.slow
def test_a_config_with_old_names_works_and_is_told_the_new_ones(tmp_path):
    (tmp_path / 'mine.py').write_text(f'custom_imports = dict(imports={list(MOVED)!r}, allow_failed_imports=False)\n')
    done = subprocess.run(
        [sys.executable, '-c', f'import sys; sys.path.insert(0, {str(REPOSITORY)!r})' + USE.format(moved=MOVED)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    warned = [line for line in done.stdout.splitlines() if ' is deprecated ' in line]
    expected = [
        f'{old} is deprecated and will be removed in the release after 0.1; import {new}'
        for old, (new, _) in MOVED.items()
    ]
    assert warned == expected
