import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch import distributed

from projects.false import InputError
from projects.false.datasets import ViewMaps
from projects.false.datasets.seeding import SeededSampler
from projects.false.evaluation import LandCoverMetric


def sample(prediction, label, name='tile_0.png'):
    return {
        'pred_sem_seg': {'data': torch.tensor(prediction)[None]},
        'gt_sem_seg': {'data': torch.tensor(label)[None]},
        'img_path': f'images/{name}',
        'seg_map_path': f'masks/{name}',
    }


def metric(**arguments):
    made = LandCoverMetric(**arguments)
    made.dataset_meta = {'classes': ['field', 'water', 'car']}
    return made


def test_scores_over_all_samples():
    made = metric()
    made.process({}, [sample([[0, 0], [1, 1]], [[0, 0], [0, 255]]), sample([[1]], [[1]])])
    found = made.evaluate(2)
    assert found['IoU.field'] == pytest.approx(100 * 2 / 3, abs=1e-3)
    assert found['IoU.water'] == 50
    assert np.isnan(found['IoU.car'])
    assert found['mIoU'] == pytest.approx((200 / 3 + 50) / 2, abs=1e-3)
    assert found['OA'] == 75
    assert made.matrix.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_predictions_are_written(tmp_path):
    made = metric(output_dir=str(tmp_path / 'out'))
    made.process({}, [sample([[0, 2]], [[0, 1]])])
    assert cv2.imread(str(tmp_path / 'out' / 'tile_0.png'), -1).tolist() == [[0, 2]]


def test_predictions_of_one_name_are_not_mixed(tmp_path):
    made = metric(output_dir=str(tmp_path))
    made.process({}, [sample([[0]], [[0]], 'a/1.png'), sample([[0]], [[0]], 'a/1.png')])
    text = r'a/1\.png: would be the prediction of images/a/1\.png and of images/a/1\.tif; rename'
    with pytest.raises(InputError, match=text):
        made.process({}, [sample([[1]], [[0]], 'a/1.tif')])


@pytest.mark.parametrize(
    ('image', 'mask'),
    [
        ('data/images/a/1.tif', 'a/1.png'),
        ('data/images/1.png', '1.png'),
        ('data/packed/images.npy/a/1.png', 'a/1.png'),
        ('data/rgb/1.png', '1.png'),
        ('data/images/../rgb/1.png', '1.png'),
    ],
)
def test_predictions_have_the_paths_of_their_images(image, mask, tmp_path):
    made = metric(output_dir=str(tmp_path / 'out'))
    made.process({}, [{**sample([[2]], [[0]]), 'img_path': image}])
    written = [path for path in tmp_path.rglob('*') if path.is_file()]
    assert written == [tmp_path / 'out' / mask]
    assert ViewMaps(str(tmp_path / 'out'), kinds=3)._map_of(Path(image)) == written[0]


@pytest.mark.parametrize(
    ('prediction', 'label', 'text'),
    [
        ([[3]], [[0]], r'images/tile_0\.png: the prediction holds 3 \(1 px\)'),
        ([[3]], [[255]], r'images/tile_0\.png: the prediction holds 3 \(1 px\)'),
        ([[0]], [[9]], r'masks/tile_0\.png: the label holds 9 \(1 px\)'),
    ],
)
def test_out_of_range_names_file_and_value(prediction, label, text):
    with pytest.raises(InputError, match=text):
        metric().process({}, [sample(prediction, label)])


def test_the_ignore_index_is_an_argument():
    made = metric(ignore_index=0)
    made.process({}, [sample([[1, 2]], [[1, 0]])])
    assert made.evaluate(1)['OA'] == 100
    with pytest.raises(InputError, match='holds 255'):
        made.process({}, [sample([[1, 2]], [[1, 255]])])


LABELS = [[[0, 0], [1, 255]], [[0, 1], [1, 1]], [[2, 2], [2, 0]]]
PREDICTIONS = [[[0, 1], [1, 0]], [[0, 1], [2, 1]], [[2, 2], [0, 0]]]


def evaluate_share(rank: int, folder: Path, shuffled: bool) -> None:
    """One of two processes with its share of three images, as a sampler of the recipes hands it out."""
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    sampler = SeededSampler(range(3), seed=0) if shuffled else DefaultSampler(range(3), shuffle=False)
    made = metric(collect_dir=str(folder / 'collected'))
    handed_out = list(sampler)
    for index in handed_out:
        made.process({}, [sample(PREDICTIONS[index], LABELS[index], f'tile_{index}.png')])
    scores = made.evaluate(3)
    matrix = None if made.matrix is None else made.matrix.tolist()
    (folder / f'{rank}.json').write_text(json.dumps([len(handed_out), scores, matrix]))
    distributed.destroy_process_group()


@pytest.mark.parametrize('shuffled', [False, True])
def test_two_processes_count_every_image_once(tmp_path, shuffled):
    """Three images for two processes: one comes twice, so that both get two."""
    torch.multiprocessing.spawn(evaluate_share, (tmp_path, shuffled), nprocs=2)
    alone = metric()
    alone.process({}, [sample(*pair) for pair in zip(PREDICTIONS, LABELS, strict=True)])
    expected = alone.evaluate(3)
    first, second = (json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(2))
    assert first == [2, expected, alone.matrix.tolist()]
    assert second == [2, expected, None]


def predict_one_of_two(rank: int, folder: Path) -> None:
    """One of two processes, whose images have one name."""
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    made = metric(output_dir=str(folder / 'out'))
    made.process({}, [sample([[rank]], [[0]], f'1.{("png", "tif")[rank]}')])
    with pytest.raises(InputError, match=r'1\.png: would be the prediction of'):
        made.evaluate(2)
    (folder / f'{rank}.refused').touch()
    distributed.destroy_process_group()


def test_two_processes_do_not_write_one_file(tmp_path):
    torch.multiprocessing.spawn(predict_one_of_two, (tmp_path,), nprocs=2)
    assert len(list(tmp_path.glob('*.refused'))) == 2
