import subprocess
import sys

from tests.helpers.tools import REPOSITORY

IMPORT_ALL = """
import importlib, pkgutil, sys
import projects.false.converters as converters

for module in pkgutil.walk_packages(converters.__path__, f'{converters.__name__}.'):
    importlib.import_module(module.name)
    print(module.name)
heavy = {'torch', 'torchvision', 'mmengine', 'mmcv', 'mmseg', 'mmpretrain'} & set(sys.modules)
sys.exit(f'imported: {", ".join(sorted(heavy))}' if heavy else 0)
"""


def test_converters_need_neither_pytorch_nor_openmmlab():
    """--help of a converter must be instant, and conversion must work without a training environment."""
    command = [sys.executable, '-c', IMPORT_ALL]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, '')
    assert {'projects.false.converters.potsdam', 'projects.false.converters.scenes.scene'} <= set(run.stdout.split())
