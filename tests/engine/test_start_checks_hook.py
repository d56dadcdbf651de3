import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from projects.false import InputError
from projects.false.engine.start_checks_hook import (
    StartChecksHook,
    check_sizes,
    learning_rate_advice,
    shuffling_advice,
)
from tests.helpers.runs import Tiny
from tests.helpers.small_runs import build, on_small_data
from tests.helpers.tools import REPOSITORY


@pytest.mark.slow
@pytest.mark.parametrize('form', ['simclr', 'mocov2'])
def test_a_run_with_evidence_that_would_be_compared_in_the_wrong_way(form, patches, tmp_path):
    config = on_small_data(REPOSITORY / 'configs' / f'false_{form}_r18_mbrsc.py', patches, tmp_path)
    config.train_dataloader.dataset.evidence.code = 'quantiles'
    with pytest.raises(InputError, match='stores codes'):
        build(config).train()


def test_learning_rate_for_another_batch():
    assert learning_rate_advice(256, 256, scaled=False) is None
    assert learning_rate_advice(64, 256, scaled=True) is None
    assert learning_rate_advice(64, None, scaled=False) is None
    assert 'global batch of 256 images and this run has 64' in learning_rate_advice(64, 256, scaled=False)


def test_statistics_over_all_processes_undo_the_shuffling():
    over_all = nn.Sequential(nn.Conv2d(3, 4, 1), nn.SyncBatchNorm(4))
    assert shuffling_advice(nn.Sequential(nn.BatchNorm2d(4)), 2) is None
    assert shuffling_advice(over_all, 1) is None
    assert "set model.backbone.norm_cfg.type='BN'" in shuffling_advice(over_all, 2)


def test_accumulated_batches_count_for_the_learning_rate(tiny_runner):
    runner = tiny_runner(
        'accumulated',
        custom_hooks=[{'type': 'StartChecksHook'}],
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.5}, 'accumulative_counts': 2},
        cfg={'auto_scale_lr': {'base_batch_size': 16}},
        log_level='INFO',
    )
    runner.train()
    log = ' '.join(path.read_text() for path in Path(runner.work_dir).rglob('*.log'))
    size = runner.train_dataloader.batch_size
    assert f'global batch {2 * size} = 1 process(es) x {size} x 2 accumulated; base learning rate 0.5' in log
    assert f'a global batch of 16 images and this run has {2 * size}' in log


def test_images_of_different_sizes_are_tested_one_by_one():
    small, wide = torch.zeros(3, 64, 64), torch.zeros(3, 64, 96)
    for batch in (None, {}, {'inputs': [wide]}, {'inputs': [wide, wide]}, {'inputs': torch.stack([small, small])}):
        check_sizes(batch, 'test_dataloader')
    hook, batch = StartChecksHook(), {'inputs': [wide, small, wide]}
    hook.before_train_iter(None, 0, batch)
    expected = r'images of 64 x 64 and 96 x 64 pixels; set {}_dataloader\.batch_size=1'
    with pytest.raises(InputError, match=expected.format('val')):
        hook.before_val_iter(None, 0, batch)
    with pytest.raises(InputError, match=expected.format('test')):
        hook.before_test_iter(None, 0, batch)


def test_a_loss_of_nothing_is_no_training(tiny_runner):
    class Nothing(Tiny):
        def forward(self, inputs, mode='tensor'):
            return {'loss': 0 * super().forward(inputs, mode)['loss']}

    runner = tiny_runner('nothing', model=Nothing(), custom_hooks=[{'type': 'StartChecksHook'}])
    with pytest.raises(InputError, match='the loss was 0 in all of 16 iterations'):
        runner.train()


@pytest.mark.parametrize('mode', ['val', 'test'])
def test_predictions_that_would_be_one_file_are_noticed_before_the_first(mode, patches, tmp_path):
    config = on_small_data(REPOSITORY / 'configs' / 'upernet_r18_mbrsc.py', patches, tmp_path)
    folder = shutil.copytree(patches('mbrsc', 128), tmp_path / 'data')
    shutil.copy(folder / 'images' / 'test_0_0.png', folder / 'images' / 'test_0_0.tif')
    (folder / 'splits' / 'twice.txt').write_text('test_0_0.png\ntest_0_0.tif\n')
    config[f'{mode}_dataloader'].dataset.update(data_root=str(folder), ann_file='splits/twice.txt')
    config[f'{mode}_evaluator'] = {**config[f'{mode}_evaluator'], 'output_dir': str(tmp_path / 'out')}
    with pytest.raises(InputError, match=r'test_0_0\.png: would be the prediction of .*; rename one of them'):
        getattr(build(config), mode)()
    assert not (tmp_path / 'out').exists()
