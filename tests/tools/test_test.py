"""tools/test.py as a user calls it: tables and pictures that agree with one another, and bad input in one line."""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.utils import import_modules_from_strings

from projects.false.engine.checkpoints.files import write_checkpoint
from projects.false.engine.weights.conversion import convert_weights
from projects.false.imagery.palettes import PALETTES
from projects.false.reports.pictures import mask_picture
from tests.helpers.tools import REPOSITORY
from tests.tools.test_train_and_test import call

CONFIG = REPOSITORY / 'configs' / 'linear_r18_synthetic.py'
CLASSES = PALETTES['synthetic'].classes


def untrained(path, classes=7):
    """A checkpoint of the recipe's network that predicts several classes."""
    config = Config.fromfile(CONFIG)
    import_modules_from_strings(**config.custom_imports)
    config.model.backbone.init_cfg = None
    config.model.decode_head.num_classes = classes
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
        model.init_weights()
    write_checkpoint({'state_dict': dict(model.state_dict()), 'meta': {}}, path)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp('trained') / 'iter_1.pth'
    untrained(path)
    return path


@pytest.fixture
def run(tmp_path, monkeypatch, patches):
    """``run(checkpoint, *arguments, data=..., options=...)`` calls the tool in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def test(checkpoint, *arguments, data=None, options=()):
        loader = {'data_root': data or patches('synthetic', 128)}
        chosen = [f'test_dataloader.dataset.{key}={value}' for key, value in loader.items()]
        quick = ['test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False']
        return call(monkeypatch, 'test', CONFIG, checkpoint, *arguments, '--cfg-options', *chosen, *quick, *options)

    return test


@pytest.fixture
def copied(patches, tmp_path_factory):
    """A copy of the patches that a test may spoil."""
    return shutil.copytree(patches('synthetic', 128), tmp_path_factory.mktemp('copy') / 'data')


def test_folder(run, checkpoint, patches, tmp_path, capsys):
    assert run(checkpoint, '--out', 'out', '--predictions', 'masks', '--examples', 2) == 0
    assert 'out: confusion.csv, confusion.png, examples.png, scores.json' in capsys.readouterr().out
    out = tmp_path / 'out'
    found = json.loads((out / 'scores.json').read_text())
    data = patches('synthetic', 128)
    names = (data / 'splits' / 'test.txt').read_text().split()
    labels = np.stack([cv2.imread(str(data / 'masks' / f'{name}.png'), -1) for name in names])
    predictions = np.stack([cv2.imread(str(tmp_path / 'masks' / f'{name}.png'), -1) for name in names])
    counted = labels != 255
    expected = np.zeros((7, 7), int)
    np.add.at(expected, (labels[counted], predictions[counted]), 1)
    assert found['confusion_matrix'] == expected.tolist()
    assert len(np.unique(predictions)) > 1
    with (out / 'confusion.csv').open(newline='') as file:
        head, *rows = csv.reader(file)
    assert (tuple(head[1:]), tuple(row[0] for row in rows)) == (CLASSES, CLASSES)
    assert [[int(value) for value in row[1:]] for row in rows] == expected.tolist()
    for index, name in enumerate(CLASSES):
        told = found['per_class'][name]
        assert (told['labelled pixels'], told['predicted pixels']) == (expected[index].sum(), expected[:, index].sum())
        assert told['recall'] == pytest.approx(100 * expected[index, index] / expected[index].sum(), abs=1e-3)
        assert told['IoU'] == found['scores'][f'IoU.{name}']

    sheet = cv2.imread(str(out / 'examples.png'))
    shown = mask_picture(predictions[-1], PALETTES['synthetic'])
    places = [(row, column) for column in (10, 276, 542) for row in range(len(sheet) - 255)]
    found = [place for place in places if (sheet[place[0] :, place[1] :][:256, :256] == shown).all()]
    assert [column for _, column in found] == [542]  # the last of three columns


def test_predictions_of_sub_folders(run, checkpoint, copied, tmp_path, capsys):
    one, other = (copied / 'splits' / 'test.txt').read_text().split()[:2]
    for kind in ('images', 'masks'):
        for name, folder in ((one, 'a'), (other, 'b')):
            (copied / kind / folder).mkdir()
            shutil.copy(copied / kind / f'{name}.png', copied / kind / folder / 't0.png')
    (copied / 'splits' / 'test.txt').write_text(f'{one}\n{other}\na/t0\nb/t0\n')
    assert run(checkpoint, '--predictions', 'found', data=copied) == 0
    flat, nested = (
        [cv2.imread(str(tmp_path / 'found' / f'{name}.png'), -1) for name in names]
        for names in ((one, other), ('a/t0', 'b/t0'))
    )
    assert np.mean(np.stack(flat) == np.stack(nested)) > 0.99
    assert np.mean(nested[0] == nested[1]) < 0.9

    cv2.imwrite(str(copied / 'images' / 'a' / 't0.jpg'), cv2.imread(str(copied / 'images' / 'a' / 't0.png')))
    (copied / 'splits' / 'test.txt').write_text(f'{one}\n{other}\na/t0.png\na/t0.jpg\n')
    assert run(checkpoint, '--predictions', 'none', '--out', 'out', data=copied) == 2
    images = copied / 'images' / 'a'
    one_line(capsys, f'none/a/t0.png: would be the prediction of {images}/t0.png and of {images}/t0.jpg; rename one')
    assert not list((tmp_path / 'none').iterdir())


def test_weights_that_went_over_the_bridge_score_the_same(run, checkpoint, tmp_path):
    convert_weights(checkpoint, tmp_path / 'plain.safetensors', 'mmseg')
    assert run(checkpoint, '--out', 'ours.json') == 0
    assert run('plain.safetensors', '--out', 'theirs.json') == 0
    ours, theirs = (json.loads((tmp_path / name).read_text()) for name in ('ours.json', 'theirs.json'))
    assert theirs.pop('checkpoint') == 'plain.safetensors'
    assert ours.pop('checkpoint') == str(checkpoint)
    assert ours == theirs


def one_line(capsys, text):
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith('error: ')
    assert text in last


def test_checkpoint_with_another_number_of_classes(run, capsys, tmp_path):
    untrained(tmp_path / 'five.pth', classes=5)
    assert run('five.pth', '--out', 'out') == 2
    one_line(capsys, 'five.pth: not a checkpoint of this model: 0 weights missing, 0 unexpected, 2 of another shape')
    assert not list((tmp_path / 'out').iterdir())


def test_data_with_another_number_of_classes(run, capsys, tmp_path):
    untrained(tmp_path / 'five.pth', classes=5)
    assert run('five.pth', options=['model.decode_head.num_classes=5']) == 2
    one_line(capsys, 'model.decode_head.num_classes is 5, the data has 7 classes')


def test_backbone_instead_of_a_fine_tuned_network(run, checkpoint, capsys, tmp_path):
    convert_weights(checkpoint, tmp_path / 'backbone.pth', 'ours')
    assert run('backbone.pth') == 2
    one_line(capsys, 'backbone.pth: not a checkpoint of this model')


def test_empty_list(run, checkpoint, copied, capsys):
    (copied / 'splits' / 'test.txt').write_text('\n')
    assert run(checkpoint, data=copied) == 2
    one_line(capsys, 'splits/test.txt: the list is empty')


def test_no_mask_files(run, checkpoint, copied, capsys):
    shutil.rmtree(copied / 'masks')
    assert run(checkpoint, data=copied) == 2
    one_line(capsys, 'no mask for')


def test_masks_without_a_label(run, checkpoint, copied, capsys, tmp_path):
    for path in (copied / 'masks').iterdir():
        cv2.imwrite(str(path), np.full((128, 128), 255, np.uint8))
    assert run(checkpoint, '--out', 'out', data=copied) == 2
    one_line(capsys, 'no labelled pixel to evaluate on; check the masks and the list of the evaluated split')
    assert not list((tmp_path / 'out').iterdir())


def test_label_that_is_no_class(run, checkpoint, copied, capsys):
    name = (copied / 'splits' / 'test.txt').read_text().split()[0]
    cv2.imwrite(str(copied / 'masks' / f'{name}.png'), np.full((128, 128), 9, np.uint8))
    assert run(checkpoint, data=copied) == 2
    one_line(capsys, f'{name}.png: values [9] are neither classes (0 to 6) nor the ignore index 255')


def test_outputs_are_checked_before_the_test(run, checkpoint, capsys, tmp_path):
    (tmp_path / 'file').touch()
    assert run(checkpoint, '--out', 'file/out') == 2
    one_line(capsys, '--out file/out: file is a file; choose another --out')
    assert run(checkpoint, '--out', 'out', '--examples', 99) == 2
    one_line(capsys, '--examples is 99; give 0 to 50')
