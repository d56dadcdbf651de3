"""The arguments of tools/infer.py."""

import subprocess
import sys

from tests.helpers.tools import REPOSITORY

CODE = """
import sys
import projects.false.mapping.command
loaded = {'torch', 'mmengine', 'mmseg', 'onnxruntime'} & set(sys.modules)
sys.exit(f'imported: {sorted(loaded)}' if loaded else 0)
"""


def test_no_model_library_is_imported_before_a_model_is_loaded():
    subprocess.run([sys.executable, '-c', CODE], cwd=REPOSITORY, check=True, timeout=600)
