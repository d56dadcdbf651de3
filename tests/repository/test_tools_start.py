"""Tools answer --help and mistakes before they import anything heavy; those for data never import PyTorch at all."""

import subprocess
import sys

import pytest

from projects.false.assessment.estimates import ALLOCATIONS
from projects.false.converters.flair import BANDS as FLAIR_BANDS
from projects.false.converters.potsdam import BANDS, LABELS
from projects.false.engine.weights.conversion import FORMS
from projects.false.imagery.palettes import PALETTES
from tests.helpers.converter_inputs import tiff
from tests.helpers.tools import REPOSITORY, main_of
from tests.helpers.vector_files import box, write_vectors
from tests.tools.test_converters import dglc, flair, noise, potsdam, rasters, xiangtan

TOOLS = sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / 'tools').rglob('*.py'))
FRAMEWORKS = {'torch', 'mmcv', 'mmengine', 'mmseg', 'mmpretrain'}
HEAVY = FRAMEWORKS | {'rasterio', 'matplotlib', 'cv2', 'numpy', 'rich'}

DOWNLOADS = {'potsdam': potsdam, 'dglc': dglc, 'xiangtan': xiangtan, 'flair': flair, 'rasters': rasters}

# Calls a tool several times in one interpreter and prints, per call, its exit status and the packages imported so far.
CALL = """
import contextlib, io, runpy, sys
for call in {calls!r}:
    sys.argv, status, out = call, 0, io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            runpy.run_path(call[0], run_name='__main__')
        except SystemExit as exit:
            status = exit.code or 0
    if {shown}:
        print(out.getvalue(), file=sys.stderr)
    print(status, *{packages!r} & {{name.split('.')[0] for name in sys.modules}})
"""

# Mistakes that a tool can see without reading a config or opening a file.
MISTAKES = {
    'tools/analysis_tools/audit_false_negatives.py': [
        ['gone.py', 'untrained', '--data', '.'],
        [TOOLS[0], 'gone.pth', '--data', '.'],
        [TOOLS[0], 'untrained', '--data', 'gone'],
        [TOOLS[0], 'untrained', '--data', '.', '--batches', '0'],
        [TOOLS[0], 'untrained', '--data', '.', '--overlap', '2'],
        [TOOLS[0], 'untrained', '--data', '.', '--labels', 'pixel'],
    ],
    'tools/assess.py': [
        ['gone.tif', '--sample', '9', '--out', 'out'],
        [TOOLS[0], 'gone.gpkg'],
        [TOOLS[0]],
        [TOOLS[0], '--sample', '0', '--out', 'out'],
        [TOOLS[0], '--sample', '9'],
        [TOOLS[0], TOOLS[0], '--allocation', 'optimal'],
    ],
    'tools/calibrate.py': [
        ['gone.py', TOOLS[0]],
        [TOOLS[0], 'gone.pth'],
        [TOOLS[0], TOOLS[0], '--pixels', '0'],
    ],
    'tools/dataset_converters/potsdam.py': [['in', 'out', '--bands', 'grey'], ['in', 'out', '--labels', 'none']],
    'tools/export.py': [['gone.py', TOOLS[0], 'model.onnx'], [TOOLS[0], 'gone.pth', 'model.onnx']],
    'tools/export_backbone.py': [['gone.pth', 'backbone.pth']],
    'tools/infer.py': [
        [TOOLS[0], TOOLS[0], '--out', 'maps'],
        ['gone.py', TOOLS[0], TOOLS[0], '--out', 'maps'],
        [TOOLS[0], 'gone.pth', TOOLS[0], '--out', 'maps'],
        [TOOLS[0], TOOLS[0], 'gone.tif', '--out', 'maps'],
        ['--onnx', TOOLS[0], TOOLS[0], '--out', 'maps', '--precision', 'float16'],
        [TOOLS[0], TOOLS[0], TOOLS[0], '--out', 'maps', '--blend', 'sharp'],
        [TOOLS[0], TOOLS[0], TOOLS[0], '--out', 'maps', '--temperature', '2'],
        [TOOLS[0], TOOLS[0], TOOLS[0], '--out', 'maps', '--simplify', '1'],
        [TOOLS[0], TOOLS[0], 'https://example.org/a.tif', '--out', 'maps'],
    ],
    'tools/misc/browse_dataset.py': [['gone.py'], [TOOLS[0], '--seed', '-1']],
    'tools/misc/list_images.py': [['gone']],
    'tools/misc/print_config.py': [['gone.py']],
    'tools/model_converters/convert_weights.py': [['gone.pth', 'out.pth', '--to', 'ours'], ['a', 'b', '--to', 'keras']],
    'tools/run_benchmark.py': [['gone.py'], [TOOLS[0], '--jobs', '0'], [TOOLS[0], '--part', 'train']],
    'tools/select_patches.py': [
        ['gone', 'random', '--count', '1'],
        ['.', 'gone.pth', '--count', '1'],
        ['.', 'random', '--count', '1', '--method', 'best'],
        ['.', 'random', '--count', '1', '--model', 'gone.py', 'gone.pth'],
    ],
    'tools/split.py': [['data', '--check', '--fractions', '0.1'], ['data', '--allow', 'tile']],
    'tools/test.py': [['gone.py', TOOLS[0]], [TOOLS[0], 'gone.pth']],
    'tools/train.py': [['gone.py'], [TOOLS[0], '--launcher', 'ssh'], [TOOLS[0], '--cfg-options', 'a']],
}


def run(calls, packages, shown=False):
    """Run tools one after the other in a fresh interpreter; return status and packages after each call."""
    calls = [[str(part) for part in call] for call in calls]
    code = CALL.format(calls=calls, packages=packages, shown=shown)
    done = subprocess.run([sys.executable, '-c', code], cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return [(int(line.split()[0]), set(line.split()[1:])) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.parametrize('tool', TOOLS)
def test_help_and_mistakes_import_nothing_heavy(tool):
    mistakes = [['--no-such-option'], *MISTAKES.get(tool, [])]
    calls = [[tool, '--help'], *([tool, *arguments] for arguments in mistakes)]
    found, _ = run(calls, HEAVY)
    assert found == [(0, set()), *[(2, set())] * len(mistakes)]


def test_mistakes_are_those_of_tools():
    assert MISTAKES.keys() <= set(TOOLS)


def test_tools_for_data_import_no_framework_when_they_run(tmp_path):
    for name, make in DOWNLOADS.items():
        make(tmp_path / name)
    converters, scenes, data = 'tools/dataset_converters', tmp_path / 'scenes', tmp_path / 'data'
    cut = ['--patch-size', 12, '--workers', 1]
    (tmp_path / 'vectors').mkdir()
    (tmp_path / 'vectors/a.tif').write_bytes(tiff(noise()))
    write_vectors(tmp_path / 'vectors/a.gpkg', [(box(0, 0, 9, 9), 'house')])
    color_masks = [scenes / 'images', scenes / 'masks', data, '--palette', 'synthetic', *cut]
    calls = [
        *([f'{converters}/{name}.py', tmp_path / name / 'in', tmp_path / name / 'out', *cut] for name in DOWNLOADS),
        [f'{converters}/synthetic.py', scenes, '--tiles', 2, '--size', 64],
        [f'{converters}/color_masks.py', *color_masks],
        [
            f'{converters}/vectors.py',
            *(tmp_path / 'vectors' / name for name in ('a.tif', 'a.gpkg', 'out')),
            *('--class-field', 'class', *cut),
        ],
        ['tools/split.py', data, '--fractions', 0.5],
        ['tools/audit_labels.py', data, '--out', tmp_path / 'audit', '--workers', 1],
        ['tools/pack.py', data, '--workers', 1],
    ]
    found, said = run(calls, FRAMEWORKS, shown=True)
    assert found == [(0, set())] * len(calls), said
    assert (data / 'packed').is_dir()


def test_converters_that_run_are_all_of_them():
    names = {path.stem for path in (REPOSITORY / 'tools' / 'dataset_converters').glob('*.py')}
    assert names == {*DOWNLOADS, 'synthetic', 'color_masks', 'vectors'}


def test_choices_are_those_of_the_modules_behind(capsys):
    """Parsers list choices themselves, since the modules that define them are heavy."""

    def help_of(tool):
        with pytest.raises(SystemExit):
            main_of(tool)(['--help'])
        return capsys.readouterr().out

    text = help_of('dataset_converters/potsdam')
    assert f'--bands {{{",".join(BANDS)}}}' in text
    assert f'--labels {{{",".join(LABELS)}}}' in text
    assert f'--bands {{{",".join(FLAIR_BANDS)}}}' in help_of('dataset_converters/flair')
    assert f'--allocation {{{",".join(ALLOCATIONS)}}}' in help_of('assess')
    assert f'--to {{{",".join(FORMS)}}}' in help_of('model_converters/convert_weights')
    assert ' '.join(f'{", ".join(PALETTES)}, or a JSON file'.split()) in ' '.join(
        help_of('dataset_converters/color_masks').split()
    )
