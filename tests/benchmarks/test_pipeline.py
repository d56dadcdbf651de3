"""python -m benchmarks.pipeline, small: sides, tables, goals."""

import cv2
import numpy as np
import pytest
import torch

from benchmarks.pipeline import SIDES, main
from benchmarks.pipelines.content import STORAGES, make_content
from benchmarks.pipelines.report import floor_share, goal, ratio
from benchmarks.pipelines.sides import APPEARANCE, DEVICE, FLOOR, build
from projects.false.patch_folder.packed import PackedPatches

SIZES = {'patches': 4, 'patch-size': 48, 'size': 24, 'batch': 2, 'batches': 1, 'rounds': 1, 'workers': 1}
SMALL = [*SIZES.items(), ('train-size', 24), ('train-batch', 2), ('train-steps', 1)]


@pytest.fixture(scope='module')
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp('content')
    make_content(folder, 4, 48)
    return folder


def test_all_storages_hold_the_same_pixels(content):
    packed = PackedPatches(content / 'packed')
    for number in range(4):
        png = cv2.imread(str(content / 'PNG' / f'{number:05}.png'))
        assert (packed.image(number) == png).all()
        jpeg = cv2.imread(str(content / 'JPEG' / f'{number:05}.jpg'))
        assert np.abs(jpeg.astype(int) - png).mean() < 15  # the colours of noise suffer most


@pytest.mark.parametrize('storage', STORAGES)
@pytest.mark.parametrize('side', SIDES)
def test_every_side_gives_two_different_views(content, side, storage):
    sample = build(side, content, storage, 24)[1]
    views = sample['inputs'][:2]
    assert [(view.shape, view.dtype) for view in views] == [((3, 24, 24), torch.uint8)] * 2
    assert not torch.equal(*views)
    assert len(sample['inputs']) == (3 if side == DEVICE else 2)


def test_goals_say_by_how_much_they_are_missed():
    assert goal('speed', 9, 8) == 'met    speed: 9.00, goal at least 8'
    assert goal('speed', 6, 8) == 'MISSED speed: 6.00, goal at least 8, 25 % short'
    assert ratio([4, 9, 2], [2, 3, 2]) == 2


def test_the_floor_makes_the_views_of_the_device_path(content):
    first, second = (build(FLOOR, content, 'packed', 24)[1]['inputs'] for _ in range(2))
    assert [(view.shape, view.dtype) for view in first] == [((3, 24, 24), torch.uint8)] * 2
    assert all(torch.equal(*views) for views in zip(first, second, strict=True))  # the windows are fixed
    assert floor_share('speed', [3, 4], [4, 4]) == 'floor  speed: 88 % of the time is the least that it takes'


@pytest.mark.slow
def test_tables_and_goals(capsys):
    main([f'--{name}={value}' for name, value in SMALL])
    text = capsys.readouterr().out
    for side in SIDES:
        assert text.count(side) >= (2 if side in ('torchvision v2', APPEARANCE) else 3)
    assert [line.split(':')[0].split(' ', 1)[1].strip() for line in text.splitlines() if line[:5] == 'floor'] == [
        'device path',
        'false_simclr_r18, model, CPU time',
        'false_simclr_r18, both, CPU time',
    ]
    assert 'collating and handing over' in text
    assert 'what the device path leaves to the device, here c' in text
    assert [
        line.split(':')[0].split(' ', 1)[1].strip() for line in text.splitlines() if line[:6] in ('met   ', 'MISSED')
    ] == [
        *(
            f'{path} path from packed, views a core, against stock from {storage}'
            for path in ('loader', 'device')
            for storage in ('JPEG', 'PNG', 'packed')
        ),
        'views a core from PNG, with appearance against without',
        *(
            f'training, {unit}, false_simclr_r18 against mmpretrain SimCLR (cpu)'
            for unit in ('images/s', 'images a CPU second')
        ),
        'a step, images a CPU second, false_simclr_r18 against simclr_r18 (cpu)',
    ]
