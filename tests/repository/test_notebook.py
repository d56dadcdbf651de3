"""The tutorial notebook runs from its first cell to its last, on imagery that it draws itself."""

import subprocess
import sys

import nbformat
import pytest

from tests.helpers.tools import REPOSITORY

SHORTER = {'max_epochs=4': 'max_epochs=1', 'max_iters=40': 'max_iters=10', 'iter_40.pth': 'iter_10.pth'}


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    """With fewer steps; `make docs` takes all of them."""
    notebook = nbformat.read(REPOSITORY / 'docs' / 'tutorial.ipynb', as_version=4)
    for said, instead in SHORTER.items():
        assert any(said in cell.source for cell in notebook.cells), said
        for cell in notebook.cells:
            cell.source = cell.source.replace(said, instead)
    given, out = tmp_path / 'short.ipynb', tmp_path / 'tutorial.ipynb'
    nbformat.write(notebook, given)
    command = [sys.executable, REPOSITORY / 'docs' / 'run_tutorial.py', '--notebook', given, '--out', out]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    pictures = [
        output
        for cell in nbformat.read(out, as_version=4).cells
        for output in cell.get('outputs', ())
        if 'image/png' in output.get('data', {})
    ]
    assert len(pictures) >= 4
