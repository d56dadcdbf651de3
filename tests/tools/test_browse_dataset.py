"""tools/misc/browse_dataset.py on recipes of pretraining and of segmentation."""

import cv2
import numpy as np
import pytest

from projects.false.imagery.palettes import PALETTES
from projects.false.reports.pictures import enlarged
from tests.helpers.tools import REPOSITORY, main_of

PRETRAIN = REPOSITORY / 'configs' / 'false_simclr_r18_synthetic.py'
FINE_TUNE = REPOSITORY / 'configs' / 'upernet_r18_synthetic.py'


@pytest.fixture
def browse(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main_of('misc/browse_dataset')([*map(str, arguments)])


def columns(sheet):
    """The three pictures of the first row, by the width of a cell."""
    top = np.flatnonzero((sheet[:, 10:20] != 255).any((1, 2)))
    row = next(y for y in top if (sheet[y : y + 256, 10:266] != 255).any(-1).all())
    row += 1  # below the frame
    return [sheet[row : row + 256, x : x + 256] for x in (10, 276, 542)]


def test_patch_and_views(browse, patches, tmp_path):
    data = patches('synthetic', 128)
    options = [f'train_dataloader.dataset.data_root={data}', 'train_dataloader.dataset.ann_file=']
    assert browse(PRETRAIN, '--number', 7, '--cfg-options', *options) == 0
    pages = sorted((tmp_path / 'work_dirs' / 'browse').iterdir())
    assert [path.name for path in pages] == [f'false_simclr_r18_synthetic_train_{page}.png' for page in (1, 2)]
    patch, one, two = columns(cv2.imread(str(pages[0])))
    first = min((data / 'images').iterdir())
    assert (patch == enlarged(cv2.imread(str(first)))).all()
    for view in (one, two):
        assert (view == view[::8, ::8].repeat(8, 0).repeat(8, 1)).all()  # 32 pixels, each drawn 8 x 8
    assert (one != two).any()
    before = pages[0].read_bytes()
    assert browse(PRETRAIN, '--number', 7, '--cfg-options', *options) == 0
    assert pages[0].read_bytes() == before
    assert browse(PRETRAIN, '--number', 7, '--seed', 1, '--cfg-options', *options) == 0
    assert pages[0].read_bytes() != before


def test_image_label_and_both(browse, patches, tmp_path):
    data = patches('synthetic', 128)
    option = f'test_dataloader.dataset.data_root={data}'
    arguments = ['--split', 'test', '--number', 1, '--output-dir', 'out/deep']
    assert browse(FINE_TUNE, *arguments, '--cfg-options', option) == 0
    image, label, both = columns(cv2.imread(str(tmp_path / 'out' / 'deep' / 'upernet_r18_synthetic_test_1.png')))
    name = (data / 'splits' / 'test.txt').read_text().split()[0]
    assert (image == enlarged(cv2.imread(str(data / 'images' / f'{name}.png')))).all()
    index = cv2.imread(str(data / 'masks' / f'{name}.png'), -1).repeat(2, 0).repeat(2, 1)
    colors = np.array(PALETTES['synthetic'].colors, np.uint8)[:, ::-1]
    known = index != 255
    assert (label[known] == colors[index[known]]).all()
    assert np.abs(both[known].astype(float) - (image[known] / 2 + colors[index[known]] / 2)).max() <= 1
    assert (both[~known] == image[~known]).all()


def test_one_band_with_colours_changed_on_the_device(browse, tmp_path):
    (tmp_path / 'data' / 'images').mkdir(parents=True)
    cv2.imwrite(str(tmp_path / 'data' / 'images' / 'a.png'), np.full((64, 64), 90, np.uint8))
    steps = 'train_dataloader.dataset.pipeline'
    options = [f'{steps}.0.bands=1', f'{steps}.1.jitter_prob=0', f'{steps}.1.grey_prob=0', f'{steps}.1.color_on=device']
    options += ['train_dataloader.dataset.data_root=data', 'train_dataloader.dataset.ann_file=']
    assert browse(PRETRAIN, '--number', 1, '--cfg-options', *options) == 0


def test_joined_data_sets(browse, patches, tmp_path):
    part = f"dict(_base_.train_dataloader.dataset, data_root='{patches('synthetic', 128)}', ann_file='')"
    joined = f"dict(_delete_=True, type='mmengine.ConcatDataset', datasets=[{part}, {part}])"
    (tmp_path / 'joined.py').write_text(f"_base_ = '{PRETRAIN}'\ntrain_dataloader = dict(dataset={joined})\n")
    assert browse('joined.py', '--number', 2) == 0
    first, last = (
        columns(sheet)[0]
        for sheet in (lambda page: (page, page[266:]))(cv2.imread('work_dirs/browse/joined_train_1.png'))
    )
    assert (first != last).any()


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (['gone.py'], 'gone.py: no such config'),
        ([PRETRAIN], 'data/synthetic/images: no such folder'),
        ([PRETRAIN, '--split', 'val'], 'has no val_dataloader; choose --split train'),
        ([PRETRAIN, '--seed', '-1'], '--seed is -1; give 0 or more'),
        ([PRETRAIN, '--cfg-options', 'train_dataloader.dataset.foo=1'], "UnlabelledPatches takes no 'foo'"),
        ([FINE_TUNE, '--number', '0', 'DATA'], 'number of samples is 0; give at least 1'),
        ([FINE_TUNE, '--output-dir', 'file/out', 'DATA'], 'synthetic_train_1.png: cannot be written'),
    ],
)
def test_bad_input_in_one_line(browse, patches, capsys, tmp_path, arguments, text):
    (tmp_path / 'file').touch()
    if arguments[-1] == 'DATA':
        arguments = [
            *arguments[:-1],
            '--cfg-options',
            f'train_dataloader.dataset.data_root={patches("synthetic", 128)}',
        ]
    assert browse(*arguments) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith('error: ')
    assert text in last
