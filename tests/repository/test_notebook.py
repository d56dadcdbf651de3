"""The tutorial notebook runs from its first cell to its last, on imagery that it draws itself."""

import subprocess
import sys

import nbformat
import pytest

from tests.helpers.tools import REPOSITORY


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    out = tmp_path / 'tutorial.ipynb'
    command = [sys.executable, REPOSITORY / 'docs' / 'run_tutorial.py', '--out', out]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    pictures = [
        output
        for cell in nbformat.read(out, as_version=4).cells
        for output in cell.get('outputs', ())
        if 'image/png' in output.get('data', {})
    ]
    assert len(pictures) >= 4
