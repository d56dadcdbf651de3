"""Values out of range, options without an effect and missing packages are named before anything is built."""

import re

import pytest
from mmengine.config import Config
from mmengine.visualization import WandbVisBackend

from projects.false import InputError
from projects.false.engine import config_checks
from projects.false.engine.config import load_config
from projects.false.engine.config_checks import build_error, check_backends, check_values
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
        ('train_dataloader.dataset.data_root', 2024, r'data_root must be a path; write a number as \./2024, got 2024'),
        ('load_from', 3, r'load_from must be a path'),
        ('model.head.loss.gather', 7, 'gather must be True or False, got 7'),
        ('model.data_preprocessor.size_divisor', 0, 'size_divisor must be an integer of at least 1, or None, got 0'),
        ('model.data_preprocessor', {'size': (8, 8), 'size_divisor': 8}, 'has both size and size_divisor; set one'),
        ('default_hooks.checkpoint.max_keep_ckpts', 0, 'must be an integer of at least 1, or -1 for all, got 0'),
        ('log_level', 'LOUD', 'log_level must be one of DEBUG, INFO'),
        (
            'train_cfg',
            None,
            'train_cfg is missing or None, and train_dataloader is given; give train_dataloader, train',
        ),
        ('param_scheduler.0.end', -5, r'param_scheduler\.0\.end must be a number above 0, got -5'),
        ('optim_wrapper.clip_grad', {'max_norm': -1}, 'optim_wrapper.clip_grad.max_norm must be a number above 0'),
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


@pytest.mark.parametrize('given', ['', 'model = None', 'model = 3'])
def test_a_config_without_what_a_tool_needs(given, tmp_path):
    (tmp_path / 'own.py').write_text(f'{given}\ntrain_cfg = dict()\n')
    with pytest.raises(InputError, match=r'own\.py: model is (None|3), a dict is needed here; name a recipe'):
        load_config(str(tmp_path / 'own.py'), needs=('train_cfg', 'model'))


def test_a_function_that_no_run_can_write_down(tmp_path):
    (tmp_path / 'own.py').write_text('model = dict(parts=[dict(act=lambda x: x)])\n')
    with pytest.raises(InputError, match=r'own\.py: model\.parts\.0\.act is a function without a name'):
        load_config(str(tmp_path / 'own.py'))


@pytest.mark.parametrize(
    ('file', 'expected'),
    [
        (config_checks.__file__, r"no attribute 'build' \(projects/false/engine/config_checks\.py, line 2\); tools/"),
        ('/site-packages/other.py', "no attribute 'build'; tools/"),
    ],
)
def test_an_error_of_this_projects_own_code_says_where(file, expected):
    scope: dict = {}
    exec(compile('def build():\n    return None.build', file, 'exec'), scope)
    with pytest.raises(AttributeError) as caught:
        scope['build']()
    assert re.search(expected, str(build_error('model', caught.value)))
