"""Real runs of a mean teacher: weights grow, harm is undone, an interruption and several processes change nothing."""

import json
import math
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import RUNNERS
from mmengine.utils import import_modules_from_strings
from torch import distributed

from projects.false.common.errors import InputError
from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.semi_supervised import MeanTeacherHook
from tests.helpers.processes import free_port, run_processes
from tests.helpers.tools import REPOSITORY, main_of


def run(data, work, hook=None, kind='MeanTeacher', watch=None, **changes):
    """Train a narrow network for six iterations, perhaps with a hook that watches; return the folder of the run."""
    config = Config.fromfile(REPOSITORY / 'configs' / 'meanteacher_upernet_r18_mbrsc.py')
    import_modules_from_strings(**config.custom_imports)
    config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    config.train_dataloader.dataset.update(data_root=str(data), ann_file='splits/train.txt')
    config.train_dataloader.dataset.unlabelled = dict(ann_file='')
    config.model.data_preprocessor.size = (32, 32)
    config.model.confidence = 0.2
    config.model.backbone.update(init_cfg=None, base_channels=8, stem_channels=8)
    config.model.decode_head.update(in_channels=[8, 16, 32, 64], channels=8)
    config.model.auxiliary_head.update(in_channels=32, channels=8)
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=6)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.param_scheduler = []
    config.optim_wrapper.optimizer.lr = 0.01
    config.default_hooks.checkpoint.update(interval=2, max_keep_ckpts=5)
    config.default_hooks.logger.interval = 1
    config.custom_hooks[0].update({**dict(start=2, ramp=2), **(hook or {})})
    config.work_dir, config.experiment_name = str(work), f'{work.parent.name}_{work.name}'
    config.launcher = 'none'
    config.merge_from_dict(changes)
    if kind != 'MeanTeacher':
        config.model.type = kind
        del config.model['confidence']
    runner = RUNNERS.build(config)
    if watch is not None:
        runner.register_hook(watch, priority='LOWEST')
    runner.train()
    return work


@pytest.fixture
def train(patches, tmp_path):
    """``train(name, hook, **changes)`` is :func:`run` in a folder of that name."""
    return lambda name, *args, **changes: run(patches('mbrsc', 32, 16), tmp_path / name, *args, **changes)


def log_of(folder):
    return next(folder.glob('*/*.log')).read_text()


@pytest.mark.slow
def test_the_supervised_start_is_kept_where_unlabelled_patches_do_harm(train):
    folder = train('harm', dict(weight=1e4, momentum=0.99), **{'optim_wrapper.optimizer.lr': 0.3})
    assert 'the unlabelled patches did harm, so the result is the supervised start, iteration 2' in log_of(folder)
    start, end = (read_checkpoint(folder / f'iter_{number}.pth')['state_dict'] for number in (2, 6))
    between = read_checkpoint(folder / 'iter_4.pth')['state_dict']
    assert all(torch.equal(value, end[name]) for name, value in start.items())
    assert not all(torch.equal(value, between[name]) for name, value in start.items())


@pytest.mark.slow
def test_an_interruption_changes_nothing(train):
    whole = read_checkpoint(train('whole') / 'iter_6.pth')
    folder = train('parts', **{'train_cfg.max_iters': 4})
    (folder / 'iter_6.pth').unlink(missing_ok=True)
    train('parts', resume=True)
    parts = read_checkpoint(folder / 'iter_6.pth')
    assert parts['supervised_start']['miou'] == whole['supervised_start']['miou']
    for part in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(value, parts[part][name]) for name, value in whole[part].items()), part


# Without what belongs to a process: batch statistics, dropout, the number of ignored pixels. AdamW enlarges rounding.
ALIKE = {
    'model.backbone.norm_eval': True,
    'model.decode_head.norm_cfg': dict(type='GN', num_groups=2),
    'model.auxiliary_head.norm_cfg': dict(type='GN', num_groups=2),
    'model.decode_head.dropout_ratio': 0,
    'model.auxiliary_head.dropout_ratio': 0,
    'model.decode_head.loss_decode.avg_non_ignore': False,
    'model.auxiliary_head.loss_decode.avg_non_ignore': False,
    'optim_wrapper': dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=0.3, momentum=0.9)),
}


def one_of_two(rank, data, work, port):
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='localhost', MASTER_PORT=str(port)
    )
    run(data, Path(work), **ALIKE, **{'train_dataloader.batch_size': 1, 'launcher': 'pytorch'})
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_as_one_does(patches, tmp_path):
    data = patches('mbrsc', 32, 16)
    run_processes(one_of_two, str(data), str(tmp_path / 'two'), free_port(), count=2)
    run(data, tmp_path / 'one', **ALIKE)
    for number in (4, 6):  # with pseudo-labels, and after the guard has decided
        one, two = (read_checkpoint(tmp_path / name / f'iter_{number}.pth') for name in ('one', 'two'))
        before = one['supervised_start']
        assert before['miou'] == pytest.approx(two['supervised_start']['miou'], abs=1e-3)
        for part in ('state_dict', 'ema_state_dict'):
            for name, value in one[part].items():
                torch.testing.assert_close(two[part][name], value, atol=1e-5, rtol=1e-4)
        moved = max((one['state_dict'][name] - value).abs().max() for name, value in before['weights'].items())
        assert (moved > 1e-3) == (number == 4)  # here, the unlabelled patches do harm


@pytest.mark.slow
def test_without_patches_kept_apart_nothing_is_compared(train):
    folder = train('all', **{'train_dataloader.dataset.kept_apart': 0, 'train_cfg.max_iters': 3})
    assert 'kept apart' not in log_of(folder)
    assert 'supervised_start' not in read_checkpoint(folder / 'iter_3.pth')


class Beginning(Hook):
    """Remember how far the weights of student and teacher are apart before the first step, whose number is given."""

    def __init__(self, first=0):
        self.first = first

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == self.first:
            student, teacher = runner.model.state_dict(), runner.model.teacher.state_dict()
            self.apart = max((teacher[name] - value).abs().max().item() for name, value in student.items())


@pytest.mark.slow
def test_without_a_supervised_start_the_teacher_begins_as_the_student_does(train):
    new, resumed = Beginning(), Beginning(first=2)
    train('now', dict(start=0), watch=new, **{'train_cfg.max_iters': 2})
    assert new.apart == 0
    train('now', dict(start=0), watch=resumed, resume=True, **{'train_cfg.max_iters': 3})
    assert resumed.apart > 0  # goes on with its own weights


def test_a_training_that_ends_before_the_unlabelled_patches_is_refused(train):
    with pytest.raises(InputError, match='max_iters is 2 and start of MeanTeacherHook is 2'):
        train('short', **{'train_cfg.max_iters': 2})


def test_the_model_must_be_a_mean_teacher(train):
    with pytest.raises(InputError, match=r'needs .*MeanTeacher.*, got EncoderDecoder'):
        train('plain', kind='EncoderDecoder')


def test_the_preprocessor_must_make_the_views(train):
    with pytest.raises(InputError, match=r"type='MeanTeacherPreProcessor', which .*, got BandPreProcessor"):
        train('plain', **{'model.data_preprocessor.type': 'BandPreProcessor'})


@pytest.mark.slow
def test_the_data_must_bring_unlabelled_patches_along(train, patches):
    steps = [dict(type='LoadPatch'), dict(type='LoadIndexMask'), dict(type='PackSegInputs')]
    data = dict(type='LandCoverPatches', palette='mbrsc', data_root=str(patches('mbrsc', 32, 16)), pipeline=steps)
    with pytest.raises(InputError, match=r"type='PartlyLabelledPatches', which .*, got LandCoverPatches"):
        train('plain', **{'train_dataloader.dataset': dict(_delete_=True, **data)})


@pytest.mark.parametrize(
    'changes', [dict(start=-1), dict(start=1.5), dict(ramp=0), dict(weight=0), dict(momentum=1), dict(momentum=0)]
)
def test_bad_settings(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        MeanTeacherHook(**{**dict(start=1, ramp=1), **changes})


def test_weight_grows_to_its_full_value():
    hook = MeanTeacherHook(start=10, ramp=20, weight=2.0)
    assert [hook.weight_at(step) for step in (0, 9)] == [0, 0]
    assert hook.weight_at(10) == pytest.approx(2 * math.exp(-5))
    assert hook.weight_at(20) == pytest.approx(2 * math.exp(-5 / 4))
    assert hook.weight_at(30) == hook.weight_at(300) == 2


def test_a_checkpoint_of_a_mean_teacher_is_tested_by_its_config(train, patches, tmp_path, monkeypatch):
    data = {'data_root': str(patches('mbrsc', 32, 16)), 'ann_file': 'splits/train.txt'}
    tested = {f'test_dataloader.dataset.{name}': value for name, value in data.items()}
    folder = train('run', **tested, **{'test_dataloader.num_workers': 0, 'test_dataloader.persistent_workers': False})
    config = next(folder.glob('*/vis_data/config.py'))
    places = ['--out', str(tmp_path / 'scores'), '--work-dir', str(tmp_path / 'log')]
    monkeypatch.setattr('sys.argv', ['test.py', str(config), str(folder / 'iter_6.pth'), *places])
    assert not main_of('test')()
    assert 0 <= json.loads((tmp_path / 'scores/scores.json').read_text())['scores']['mIoU'] <= 100
