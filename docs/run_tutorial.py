"""Execute docs/tutorial.ipynb on synthetic data in an empty folder: python docs/run_tutorial.py [--out FILE]

An error in a cell is an error of this program. Without --out, the notebook is written back with its new outputs and
pictures; `make docs` executes it so and keeps the file as it is. About a minute on one CPU core.
"""

import argparse
import base64
import io
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

HERE = Path(__file__).resolve().parent
NOTEBOOK = HERE / 'tutorial.ipynb'


def execute(notebook: nbformat.NotebookNode, folder: str) -> None:
    """Run all cells in a folder and leave only what does not change from run to run beside the outputs."""
    os.environ['PYTHONPATH'] = os.pathsep.join([str(HERE.parent), os.environ.get('PYTHONPATH', '')])
    NotebookClient(notebook, timeout=1200, resources={'metadata': {'path': folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop('execution', None)
        for output in cell.get('outputs', ()):
            if 'image/png' in output.get('data', {}):
                output.data['image/png'] = _small(output.data['image/png'])
    notebook.metadata.pop('language_info', None)


def _small(picture: str) -> str:
    """Reduce a PNG, in base64, to 128 colours: a third of the size, and no difference to see."""
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(picture))).convert('RGB').quantize(128).save(file, 'PNG', optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def main() -> int:
    """Execute, and write or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--notebook', type=Path, default=NOTEBOOK, metavar='FILE', help='notebook to execute (tutorial)'
    )
    parser.add_argument('--out', type=Path, metavar='FILE', help='notebook to write (the one that is executed)')
    options = parser.parse_args()
    notebook, out = nbformat.read(options.notebook, as_version=4), options.out or options.notebook
    with tempfile.TemporaryDirectory() as folder:
        try:
            execute(notebook, folder)
        except CellExecutionError as error:
            print(f'error: {options.notebook.name}: {error}', file=sys.stderr)
            return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
