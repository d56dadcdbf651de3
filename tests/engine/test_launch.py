import pytest
from mmengine.config import Config

from projects.false import InputError
from projects.false.engine.launch import (
    build_runner,
    enable_amp,
    enable_auto_scale_lr,
    fit_schedules,
    load_config,
    new_keys,
    set_resume,
)
from tests.conftest import REPOSITORY

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


def test_schedules_of_a_shortened_run_end_with_it():
    config = load_config(RECIPE, {'train_cfg.max_epochs': 10})
    fit_schedules(config)
    assert [entry.type for entry in config.param_scheduler] == ['LinearLR']


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


def test_resume():
    config = load_config(RECIPE)
    set_resume(config, None)
    assert config.resume is False
    set_resume(config, 'auto')
    assert (config.resume, config.load_from) == (True, None)
    with pytest.raises(InputError, match=r'gone\.pth: no such checkpoint'):
        set_resume(config, 'gone.pth')


def test_work_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'file/run: cannot be made .* choose another --work-dir'):
        build_runner(load_config(RECIPE, work_dir=str(tmp_path / 'file' / 'run')))
