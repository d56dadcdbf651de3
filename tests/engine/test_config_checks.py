"""Values out of range, options without an effect and missing packages are named before anything is built."""

import pytest
from mmengine.config import Config
from mmengine.visualization import WandbVisBackend

from projects.false import InputError
from projects.false.engine.config import load_config
from projects.false.engine.config_checks import check_backends, check_values
from tests.helpers.tools import REPOSITORY

RECIPE = str(REPOSITORY / 'configs' / 'simclr_r50_potsdam.py')


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('batch_size', 'batch_size is no option'),
        ('modle.backbone.depth', 'did you mean model'),
        (
            'vis_backends',
            'vis_backends was used when the config was read; did you mean visualizer|vis_backends was used',
        ),
        ('auto_scale_lr.base', 'auto_scale_lr has enable, base_batch_size'),
        ('env_cfg.cudnn', 'env_cfg has cudnn_benchmark'),
    ],
)
def test_options_that_nothing_reads(key, message):
    with pytest.raises(InputError, match=message):
        load_config(RECIPE, {key: 1})


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('train_dataloader.num_workers', -1, 'train_dataloader.num_workers must be an integer of at least 0, got -1'),
        ('optim_wrapper.optimizer.lr', 0, 'lr must be a number above 0'),
        ('optim_wrapper.optimizer.lr', float('nan'), 'lr must be a number above 0'),
        ('train_cfg.max_epochs', 2.5, 'max_epochs must be an integer'),
        ('train_cfg.max_epochs', True, 'max_epochs must be an integer'),
    ],
)
def test_values_out_of_range(key, value, message):
    config = load_config(RECIPE, {key: value})
    with pytest.raises(InputError, match=message):
        check_values(config)
    check_values(load_config(RECIPE))


@pytest.mark.parametrize('kind', ['WandbVisBackend', 'mmengine.WandbVisBackend', WandbVisBackend])
def test_a_backend_whose_package_is_missing(kind):
    config = Config(dict(visualizer=dict(vis_backends=[dict(type='LocalVisBackend'), dict(type=kind)])))
    with pytest.raises(
        InputError, match='WandbVisBackend and the package wandb is not installed; run: pip install wandb'
    ):
        check_backends(config)
