"""tools/publish.py by its command line, and the tools that take what it wrote."""

import json
import sys

import pytest
import rasterio

from tests.helpers.fine_tuned import save_fine_tuned
from tests.helpers.rasters import (
    checkerboard,
    make_raster,  # noqa: F401
)
from tests.helpers.tools import main_of
from tests.tools.test_train_and_test import call

QUICK = ['test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False']


@pytest.mark.slow
def test_a_published_model_is_mapped_with_and_tested(patches, make_raster, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    config, checkpoint = map(str, save_fine_tuned(tmp_path))
    assert main_of('publish')([config, checkpoint, 'models/mine']) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith('wrote models/mine: README.md, config.py, model.safetensors, preprocessing.json; ')
    assert 'fields of README.md are marked "to fill in"' in said

    source, maps = str(make_raster(checkerboard(64, 96))), []
    for given, out in (([config, checkpoint], 'maps'), (['models/mine'], 'maps_of_published')):
        assert main_of('infer')([*given, source, '--out', out]) == 0
        with rasterio.open(tmp_path / out / 'scene_classes.tif') as raster:
            maps.append(raster.read(1))
    assert (maps[0] == maps[1]).all()

    options = [f'test_dataloader.dataset.data_root={patches("mbrsc", 64)}', *QUICK]
    scores = []
    for given in ([config, checkpoint], ['models/mine']):
        assert call(monkeypatch, 'test', *given, '--out', 'scores.json', '--cfg-options', *options) == 0
        found = json.loads((tmp_path / 'scores.json').read_text())
        scores.append((found['scores'], found['weights']))
    assert scores[0] == scores[1]
    assert (tmp_path / 'work_dirs' / 'mine').is_dir()


def test_mistakes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text('')
    (tmp_path / 'model').mkdir()
    (tmp_path / 'model' / 'config.py').write_text('')
    monkeypatch.setattr(sys, 'argv', ['test.py', 'mine.py'])
    assert main_of('test')() == 2
    assert capsys.readouterr().err == 'error: mine.py: is no published model; give its checkpoint, too\n'
    assert main_of('infer')(['model', 'scene.tif', '--out', 'maps']) == 2
    assert capsys.readouterr().err.startswith('error: model: no complete model, model.safetensors is missing')
