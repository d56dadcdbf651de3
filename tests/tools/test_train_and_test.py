"""tools/train.py and tools/test.py as a user calls them: the path to an mIoU, and every bad input in one line."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from projects.false.engine.weights.backbone import export_backbone
from tests.helpers.processes import run_tool
from tests.helpers.tools import REPOSITORY

PRETRAIN = REPOSITORY / 'configs' / 'false_simclr_r18_synthetic.py'
FINE_TUNE = REPOSITORY / 'configs' / 'upernet_r18_synthetic.py'
SMALL = ['train_dataloader.batch_size=4', 'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']


def tool(name):
    spec = importlib.util.spec_from_file_location(f'tool_{name}', REPOSITORY / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def call(monkeypatch, name, *arguments):
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    return tool(name)()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """``small(name, config, *options)`` calls a tool with few workers, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(name, config, *options, data=None):
        roots = [f'{loader}_dataloader.dataset.data_root={data}' for loader in ('train', 'val')] if data else []
        if 'upernet' not in config.stem:
            roots = [*roots[:1], 'train_dataloader.dataset.ann_file=']
        return call(monkeypatch, name, config, '--work-dir', 'run', '--cfg-options', *SMALL, *roots, *options)

    return run


def one_line(capsys, *words):
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith('error: ')
    left = [path.name for path in Path().rglob('*') if path.suffix in ('.pth', '.tmp') or '.partial' in path.name]
    assert [name for name in left if name not in ('backbone.pth', 'other.pth')] == []
    for word in words:
        assert str(word) in last, last
    return last


@pytest.mark.slow
def test_from_images_to_miou_from_another_folder(patches, tmp_path):
    """The commands, each a process of its own, started far from the repository; the first is a new interpreter."""
    data = patches('synthetic', 128)
    command = [
        sys.executable, REPOSITORY / 'tools' / 'train.py', PRETRAIN, '--amp', '--cfg-options', *SMALL,
        f'train_dataloader.dataset.data_root={data}', 'train_dataloader.dataset.ann_file=', 'train_cfg.max_epochs=1',
    ]  # fmt: skip
    done = subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert '8 training images; global batch 4 = 1 process(es) x 4; base learning rate 0.002' in done.stdout
    backbone = tmp_path / 'work_dirs' / PRETRAIN.stem / 'backbone.pth'
    assert torch.load(backbone, weights_only=True)['meta']['method'] == 'FALSE'

    roots = [f'{loader}_dataloader.dataset.data_root={data}' for loader in ('train', 'val')]
    options = ['train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'val_dataloader.dataset.ann_file=splits/test.txt']
    done = run_tool('train', FINE_TUNE, '--cfg-options', *SMALL, *roots, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert '0 missing, 0 unexpected' in done.stdout

    checkpoint = f'work_dirs/{FINE_TUNE.stem}/iter_2.pth'
    out = ['--out', 'out/scores.json', '--predictions', 'out/predictions']
    root = f'test_dataloader.dataset.data_root={data}'
    done = run_tool('test', FINE_TUNE, checkpoint, *out, '--cfg-options', root, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'overall accuracy' in done.stdout
    found = json.loads((tmp_path / 'out' / 'scores.json').read_text())
    matrix = np.array(found['confusion_matrix'])
    names = (data / 'splits' / 'test.txt').read_text().split()
    assert matrix.sum() == len(names) * 128 * 128 - 4  # the ignored corner of the made mask
    iou = matrix.diagonal() / (matrix.sum(0) + matrix.sum(1) - matrix.diagonal()).clip(1)
    assert [found['scores'][f'IoU.{name}'] for name in found['classes']] == pytest.approx(
        (100 * iou).tolist(), abs=1e-3
    )
    predictions = [cv2.imread(str(tmp_path / 'out' / 'predictions' / f'{name}.png'), -1) for name in names]
    labels = [cv2.imread(str(data / 'masks' / f'{name}.png'), -1) for name in names]
    right = sum((p == label).sum() for p, label in zip(predictions, labels, strict=True))
    assert found['scores']['OA'] == pytest.approx(100 * right / matrix.sum(), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ([PRETRAIN], 'data/synthetic/images: no such folder'),
        ([PRETRAIN, '--cfg-options', 'model.head.loss.temperature=-1'], 'temperature of FALSELoss'),
    ],
)
def test_bad_input_as_the_user_sees_it(arguments, text, tmp_path):
    done = run_tool('train', *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert 'Traceback' not in done.stdout + done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith('error: ')
    assert text in done.stderr.strip().splitlines()[-1]


def test_missing_config(small, capsys, tmp_path):
    assert small('train', tmp_path / 'none.py') == 2
    one_line(capsys, 'none.py', 'no such config')
    assert not list(tmp_path.iterdir())


def test_missing_data_root(small, capsys, tmp_path):
    assert small('train', PRETRAIN, data=tmp_path / 'gone') == 2
    one_line(capsys, tmp_path / 'gone', 'data/README.md')


def test_empty_folder(small, capsys, tmp_path):
    (tmp_path / 'empty' / 'images').mkdir(parents=True)
    assert small('train', PRETRAIN, data=tmp_path / 'empty') == 2
    one_line(capsys, tmp_path / 'empty' / 'images', 'holds no image')


@pytest.mark.parametrize('workers', [0, 1])
def test_unreadable_image(small, capsys, tmp_path, workers):
    folder = tmp_path / 'data' / 'images'
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f'{number}.png').write_bytes(b'not a picture')
    assert small('train', PRETRAIN, f'train_dataloader.num_workers={workers}', data=tmp_path / 'data') == 2
    one_line(capsys, '.png: cannot be read as')
    assert not (tmp_path / 'run' / 'backbone.pth').exists()


def test_too_few_images_for_a_batch(small, capsys, patches):
    assert small('train', PRETRAIN, 'train_dataloader.batch_size=64', data=patches('synthetic', 128)) == 2
    one_line(capsys, '8 images do not fill one batch of 64', 'train_dataloader.batch_size')


@pytest.mark.parametrize(
    ('option', 'text'),
    [
        ('confidence_weight=1.5', 'confidence_weight (alpha) of FALSELoss must be in [0, 1], got 1.5'),
        ('positive_threshold=-2', 'positive_threshold'),
        ('temperature=0', 'temperature of FALSELoss must be a positive number, got 0'),
        ('determination.type=closest', "unknown determination 'closest'; choose one of all_of, anchor_nearest, any_of"),
    ],
)
def test_loss_arguments_out_of_range(small, capsys, patches, option, text):
    assert small('train', PRETRAIN, f'model.head.loss.{option}', data=patches('synthetic', 128)) == 2
    one_line(capsys, text)


def test_missing_backbone(small, capsys, patches):
    assert small('train', FINE_TUNE, data=patches('synthetic', 128)) == 2
    one_line(capsys, 'work_dirs/false_simclr_r18_synthetic/backbone.pth')


def test_backbone_of_another_depth(small, capsys, patches, tmp_path):
    import mmseg.models  # noqa: F401
    from mmengine.registry import MODELS, init_default_scope

    init_default_scope('mmseg')
    state = MODELS.build(dict(type='ResNet', depth=34)).state_dict()
    path = tmp_path / 'backbone.pth'
    export_backbone({'state_dict': {f'backbone.{name}': value for name, value in state.items()}, 'meta': {}}, path)
    option = f'model.backbone.init_cfg.checkpoint={path}'
    assert small('train', FINE_TUNE, option, data=patches('synthetic', 128)) == 2
    one_line(capsys, path, 'ResNet-34', 'ResNet-18')


def test_mask_of_another_size(small, capsys, patches, tmp_path):
    data = copy_of(patches('synthetic', 128), tmp_path)
    for path in (data / 'masks').glob('train*.png'):
        cv2.imwrite(str(path), np.zeros((64, 128), np.uint8))
    assert small('train', FINE_TUNE, 'model.backbone.init_cfg=None', data=data) == 2
    one_line(capsys, 'mask of 64 x 128 pixels (height x width), but its image', 'convert the pair again')


def test_mask_with_a_value_that_is_no_class(small, capsys, patches, tmp_path):
    data = copy_of(patches('synthetic', 128), tmp_path)
    for path in (data / 'masks').glob('train*.png'):
        cv2.imwrite(str(path), np.full((128, 128), 7, np.uint8))
    assert small('train', FINE_TUNE, 'model.backbone.init_cfg=None', data=data) == 2
    one_line(capsys, 'values [7] are neither classes (0 to 6)')


def test_number_of_classes(small, capsys, patches):
    options = ['model.backbone.init_cfg=None', 'model.decode_head.num_classes=5']
    assert small('train', FINE_TUNE, *options, data=patches('synthetic', 128)) == 2
    one_line(capsys, 'model.decode_head.num_classes is 5, the data has 7 classes')


def test_resume_from_a_missing_file(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, 'train', PRETRAIN, '--resume', 'gone.pth') == 2
    one_line(capsys, 'gone.pth', 'no such checkpoint')


def test_testing_a_checkpoint_of_another_model(monkeypatch, capsys, tmp_path, patches):
    monkeypatch.chdir(tmp_path)
    torch.save({'state_dict': {'backbone.conv1.weight': torch.zeros(1)}, 'meta': {}}, tmp_path / 'other.pth')
    root = f'test_dataloader.dataset.data_root={patches("synthetic", 128)}'
    assert call(monkeypatch, 'test', FINE_TUNE, tmp_path / 'other.pth', '--cfg-options', root) == 2
    one_line(capsys, 'other.pth: not a checkpoint of this model')


def copy_of(data, folder):
    import shutil

    return shutil.copytree(data, folder / 'copy')
