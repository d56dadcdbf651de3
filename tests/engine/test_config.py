from pathlib import Path

import pytest
from mmengine.config import Config

from projects.false import InputError
from projects.false.common.errors import type_name
from projects.false.engine.config import (
    allow_other_batch,
    enable_amp,
    enable_auto_scale_lr,
    load_config,
    new_keys,
    set_loaders,
    without_validation,
)
from tests.helpers.tools import REPOSITORY

RECIPE = str(REPOSITORY / 'configs' / 'simclr_r50_potsdam.py')


def test_work_folder_is_named_after_the_recipe():
    assert load_config(RECIPE).work_dir == 'work_dirs/simclr_r50_potsdam'
    assert load_config(RECIPE, work_dir='mine').work_dir == 'mine'


def test_options_override():
    config = load_config(RECIPE, {'model.head.loss.temperature': 0.1, 'train_dataloader.dataset.pipeline.1.size': 96})
    assert config.model.head.loss.temperature == 0.1
    assert config.train_dataloader.dataset.pipeline[1].size == 96


def test_new_keys_are_told_from_known_ones():
    options = {
        'model.head.loss.temperature': 0.1,
        'train_dataloader.dataset.pipeline.1.size': 96,
        'model.hed.loss.temperature': 0.1,
        'train_dataloader.dataset.pipeline.9.size': 96,
        'train_dataloader.dataset.pipeline.²': 96,
    }
    assert new_keys(load_config(RECIPE), options) == list(options)[2:]


def test_option_that_does_not_fit_the_config():
    with pytest.raises(InputError, match='does not fit'):
        load_config(RECIPE, {'train_dataloader.dataset.pipeline.9.size': 96})


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model = (', r'own\.py, line 1: .*never closed'),
        ("_base_ = './gone.py'", r'own\.py: .*gone\.py'),
        ("_base_ = './own.py'", r'own\.py: its _base_ leads back to itself'),
        ("_base_ = './base.py'\nx = unknown", r"own\.py, line 2: .*name 'unknown' is not defined"),
        ("_base_ = './base.py'\n\nx = _base_.a.b.c", r'own\.py, line 3: .*AttributeError: '),
        ("_base_ = './base.py'\nx = int('z')", r'own\.py, line 2: .*invalid literal'),
        ("_base_ = './other.py'\nx = 1", r'other\.py, line 3: .*syntax'),
        ("_base_ = './slip.py'\nx = 1", r'slip\.py, line 2: .*division'),
        ("_base_ = './base.py'\nassert 1 > 2", r'own\.py, line 2: .*AssertionError'),
        ("_base_ = './base.py'\nimport os\nos.environ['GONE_FOR_GOOD']", r'own\.py, line 3: .*KeyError'),
        ("_base_ = './base.py'\nraise SystemExit(3)", r'own\.py, line 2: .*SystemExit: 3'),
        ("_base_ = './base.py'\nexec('x y')", r'own\.py, line 2: .*invalid syntax'),
        ('with read_base():\n    from .own import *', r'own\.py: its bases lead back to itself'),
        (b"x = '\xe4'", r'own\.py: cannot be read as text .* save it as UTF-8'),
        ('_base_ = 5', r'own\.py: cannot be read as a config'),
        ("x = '{{ $GONE_FOR_GOOD: }}'", r'own\.py'),
        ('with read_base():\n    from .gone import *', r'own\.py: .*gone'),
        (
            'from mmengine.config import read_base\nwith read_base():\n    from .base import *\nx = y',
            r'own\.py, line 4: .*y',
        ),
        ('custom_imports = dict(imports=["no_such_module"])', r'own\.py: .*custom modules'),
    ],
)
def test_slips_are_named_with_file_and_line(tmp_path, text, message):
    (tmp_path / 'base.py').write_text('a = dict(b=1)\n')
    (tmp_path / 'slip.py').write_text('a = 1\nb = a / 0\n')
    (tmp_path / 'other.py').write_text('a = 1\n\nb = = 2\n')
    (tmp_path / 'own.py').write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message) as caught:
        load_config(str(tmp_path / 'own.py'))
    assert '\n' not in str(caught.value)


NEW_STYLE = """
from mmengine.config import read_base
from mmengine.hooks import LoggerHook
from mmengine.optim import OptimWrapper

with read_base():
    from .recipes.simclr_r18_mbrsc import *

model['head']['loss'].update(temperature=0.3)
default_hooks.update(logger=dict(type=LoggerHook, interval=7))
optim_wrapper.update(type=OptimWrapper)
"""


def test_new_style_configs_inherit_from_recipes(tmp_path):
    (tmp_path / 'recipes').symlink_to(Path(RECIPE).parent)
    (tmp_path / 'own.py').write_text(NEW_STYLE)
    own = load_config(str(tmp_path / 'own.py'), {'train_cfg.max_epochs': 3})
    recipe = load_config(str(REPOSITORY / 'configs' / 'simclr_r18_mbrsc.py'), {'train_cfg.max_epochs': 3})
    assert own.model.head.loss.pop('temperature') == 0.3
    recipe.model.head.loss.pop('temperature')
    for key in ('model', 'train_dataloader', 'train_cfg', 'param_scheduler', 'randomness'):
        assert own[key] == recipe[key]
    assert type_name(own.optim_wrapper.type) == 'OptimWrapper'
    enable_amp(own)
    assert own.optim_wrapper.type in ('AutocastOptimWrapper', 'AmpOptimWrapper')
    assert (type_name(own.default_hooks.logger.type), own.default_hooks.logger.interval) == ('LoggerHook', 7)


def test_amp_without_a_gpu_is_bfloat16(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    config = load_config(RECIPE)
    enable_amp(config)
    assert config.optim_wrapper.type == 'AutocastOptimWrapper'


def test_flags_of_openmmlab():
    config = load_config(str(REPOSITORY / 'configs' / 'upernet_r50_potsdam.py'))
    set_loaders(config, pin_memory=False, persistent_workers=False)
    assert [config[f'{part}_dataloader'].persistent_workers for part in ('train', 'val', 'test')] == [False] * 3
    assert config.train_dataloader.pin_memory is False
    without_validation(config)
    assert config.val_dataloader is config.val_cfg is config.val_evaluator is None


def test_auto_scale_needs_a_base_batch():
    config = load_config(RECIPE)
    enable_auto_scale_lr(config)
    assert config.auto_scale_lr == dict(base_batch_size=256, enable=True)
    for without in ({}, {'auto_scale_lr': None}, {'auto_scale_lr': {'base_batch_size': None}}):
        with pytest.raises(InputError, match='base_batch_size'):
            enable_auto_scale_lr(Config(without))


def test_other_batch_is_allowed_where_something_checks_it():
    config = load_config(RECIPE)
    assert 'allow_other_batch' not in config.default_hooks.resume_check
    allow_other_batch(config)
    assert config.default_hooks.resume_check.allow_other_batch is True
    for without in ({}, {'default_hooks': None}, {'default_hooks': {'resume_check': None}}):
        with pytest.raises(InputError, match='resume_check'):
            allow_other_batch(Config(without))
