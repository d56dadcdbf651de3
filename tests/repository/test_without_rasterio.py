"""Pretraining on patches needs no rasterio: the environment of mmselfsup has none."""

import subprocess
import sys

from tests.helpers.tools import REPOSITORY


def test_models_data_sets_and_hooks_import_without_rasterio():
    code = (
        "import sys; sys.modules['rasterio'] = None; "
        'import projects.false.models, projects.false.datasets, projects.false.engine'
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=REPOSITORY)
