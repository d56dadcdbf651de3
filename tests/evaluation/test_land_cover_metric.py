import cv2
import numpy as np
import pytest
import torch

from projects.false import InputError
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


@pytest.mark.parametrize(('prediction', 'label', 'word'), [([[3]], [[0]], 'prediction'), ([[0]], [[9]], 'label')])
def test_out_of_range_names_the_mask(prediction, label, word):
    with pytest.raises(InputError, match=rf'masks/tile_0\.png: {word} holds values'):
        metric().process({}, [sample(prediction, label)])
