from pathlib import Path

import pytest
from torch import nn

from projects.false import InputError
from projects.false.engine.start_checks_hook import (
    check_batches,
    check_classes,
    check_queue,
    learning_rate_advice,
    shuffling_advice,
)


def test_not_one_full_batch():
    check_batches(images=64, batch_size=64, batches=1)
    with pytest.raises(InputError, match='10 images do not fill one batch of 64'):
        check_batches(images=10, batch_size=64, batches=0)


def test_classes_of_model_and_data():
    check_classes({'decode_head': 2}, ['field', 'water'])
    check_classes({}, [])
    with pytest.raises(InputError, match=r'model\.auxiliary_head\.num_classes is 3, the data has 2 classes \(a, b\)'):
        check_classes({'decode_head': 2, 'auxiliary_head': 3}, ['a', 'b'])


@pytest.mark.parametrize(
    ('queue_len', 'images', 'batch', 'message'),
    [
        (4096, 13824, 256, r'4096 is more than a quarter of the 13824 images.*set model\.queue_len=3328'),
        (3000, 13824, 256, r'3000 is no multiple of the global batch of 256 images; set model\.queue_len=3328'),
        (256, 900, 256, 'more than a quarter of the 900 images.*add images or lower'),
    ],
)
def test_queue_that_does_not_fit(queue_len, images, batch, message):
    with pytest.raises(InputError, match=message):
        check_queue(queue_len, images, batch)


def test_queue_that_fits():
    check_queue(3072, 13824, 256)
    check_queue(4, 16, 4)


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
