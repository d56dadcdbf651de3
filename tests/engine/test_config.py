import pytest
from mmengine.config import Config

from projects.false import InputError
from projects.false.engine.config import allow_other_batch, enable_amp, enable_auto_scale_lr, load_config, new_keys
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
    }
    assert new_keys(load_config(RECIPE), options) == list(options)[2:]


def test_option_that_does_not_fit_the_config():
    with pytest.raises(InputError, match='does not fit'):
        load_config(RECIPE, {'train_dataloader.dataset.pipeline.9.size': 96})


@pytest.mark.parametrize(
    ('text', 'message'),
    [('model = (', 'cannot be read as a config'), ("_base_ = './gone.py'", 'cannot be read as a config')],
)
def test_broken_config(tmp_path, text, message):
    (tmp_path / 'broken.py').write_text(text)
    with pytest.raises(InputError, match=message):
        load_config(str(tmp_path / 'broken.py'))


def test_amp_without_a_gpu_is_bfloat16(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    config = load_config(RECIPE)
    enable_amp(config)
    assert config.optim_wrapper.type == 'AutocastOptimWrapper'


def test_auto_scale_needs_a_base_batch():
    config = load_config(RECIPE)
    enable_auto_scale_lr(config)
    assert config.auto_scale_lr == dict(base_batch_size=256, enable=True)
    with pytest.raises(InputError, match='base_batch_size'):
        enable_auto_scale_lr(Config({}))


def test_other_batch_is_allowed_where_something_checks_it():
    config = load_config(RECIPE)
    assert 'allow_other_batch' not in config.default_hooks.resume_check
    allow_other_batch(config)
    assert config.default_hooks.resume_check.allow_other_batch is True
    with pytest.raises(InputError, match='resume_check'):
        allow_other_batch(Config({}))
