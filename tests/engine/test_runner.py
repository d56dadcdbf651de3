"""Data loaders that find what they need, and schedules and learning rates that follow length and batch."""

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import RUNNERS

from projects.false.common.errors import InputError
from projects.false.datasets import UnlabelledPatches
from projects.false.engine.config import load_config
from projects.false.engine.runner import FALSERunner, fit_schedules, on_the_host
from projects.false.imagery.images import write_patch
from tests.helpers.runs import Points, Tiny
from tests.helpers.tools import REPOSITORY


def test_runner_is_registered():
    assert RUNNERS.get('FALSERunner') is FALSERunner


def test_numbers_of_a_step_come_to_the_host_as_they_are():
    made = torch.tensor(0.1), torch.tensor([0.1], dtype=torch.float64), torch.tensor(3), torch.ones(2)
    given = dict(zip('abcd', made, strict=True), loss=0.5)
    found = on_the_host(given)
    assert found['d'] is given['d']
    assert [found[name] for name in ('a', 'b', 'c', 'loss')] == [made[0].item(), 0.1, 3.0, 0.5]
    assert not any(isinstance(found[name], torch.Tensor) for name in 'abc')


def test_schedules_that_begin_after_the_end_are_dropped():
    by_iteration = [dict(begin=0), dict(), dict(begin=10), dict(begin=9)]
    schedules = [dict(type='PolyLR', by_epoch=False, **entry) for entry in by_iteration]
    fitted = fit_schedules(schedules, by_epoch=False, length=10, epoch_length=4)
    assert [entry.get('begin') for entry in fitted] == [0, None, 9]


def test_schedules_in_another_unit_than_the_run_stay():
    schedules = [dict(type='PolyLR', by_epoch=False, begin=500), dict(type='PolyLR', by_epoch=True, begin=500)]
    assert fit_schedules(schedules, by_epoch=True, length=200, epoch_length=4) == schedules[:1]


def warm_up(recipe):
    return load_config(str(REPOSITORY / 'configs' / f'{recipe}.py')).param_scheduler


@pytest.mark.parametrize(
    ('recipe', 'length'),
    [('simclr_r18_mbrsc', 10), ('simclr_r18_mbrsc', 40), ('simclr_r50_potsdam', 50), ('upernet_r18_mbrsc', 100)],
)
def test_recipes_stay_as_they_are_at_usual_lengths(recipe, length):
    given = warm_up(recipe)
    assert fit_schedules(given, 'upernet' not in recipe, length, 7) == given


@pytest.mark.parametrize(
    ('length', 'batches', 'end'), [(3, 49, 29), (5, 49, 49), (8, 3, 4), (1, 9, None), (1, 4, None)]
)
def test_warm_up_takes_at_most_a_fifth(length, batches, end):
    fitted = fit_schedules(warm_up('simclr_r50_potsdam'), True, length, batches)
    if end is None:  # less than two iterations
        assert [(entry.type, entry.begin) for entry in fitted] == [('CosineAnnealingLR', 0)]
        return
    first, second = fitted
    assert (int(first['end'] * batches), int(second['begin'] * batches)) == (end, end)


def test_warm_up_of_iterations_is_whole():
    first, second = fit_schedules(warm_up('upernet_r18_mbrsc'), False, 33, 7)
    assert (first['end'], second['begin']) == (6, 6)


def test_a_warm_up_cannot_begin_at_0():
    steps = [dict(type='CosineAnnealingLR', begin=8), dict(type='LinearLR', start_factor=0, begin=0, end=8)]
    with pytest.raises(InputError, match=r'param_scheduler\.1\.start_factor is 0, by which LinearLR divides; give'):
        fit_schedules(steps, True, 100, 4)


def test_a_schedule_of_another_kind_is_no_warm_up():
    steps = [dict(type='CosineAnnealingLR', begin=0, end=8), dict(type='PolyLR', begin=8)]
    assert fit_schedules(steps, True, 10, 4) == steps


@pytest.mark.parametrize('entry', [dict(type='CosineAnnealingLR'), dict(type='PolyLR', convert_to_iter_based=True)])
def test_epochs_in_a_run_by_iterations(entry):
    with pytest.raises(InputError, match=r'param_scheduler\.1 \(.*LR\) counts epochs and .* \(an epoch has 4\)'):
        fit_schedules([dict(type='PolyLR', by_epoch=False), entry], False, 10, 4)
    fit_schedules([dict(type='ReduceOnPlateauLR')], False, 10, 4)  # steps with every validation


def test_the_loader_of_a_training_finds_appearance_made(tmp_path):
    (tmp_path / 'images').mkdir()
    for number, image in enumerate(np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), np.uint8)):
        write_patch(tmp_path / 'images' / f'{number}', image)
    pipeline = [dict(type='LoadPatch'), dict(type='ContrastiveViews', size=16), dict(type='ViewAppearance')]
    dataset = UnlabelledPatches(str(tmp_path), pipeline=pipeline)
    settings = dict(dataset=dataset, batch_size=2, num_workers=1, sampler=dict(type='DefaultSampler', shuffle=False))
    batches = iter(FALSERunner.build_dataloader(settings))  # as a loop by iterations does, before any hook
    assert (tmp_path / 'appearance.json').is_file()
    assert next(batches)['evidence'][0].shape[0] == 2


@pytest.fixture
def false_runner(tmp_path):
    """Build a FALSERunner of some epochs of eight iterations: ``false_runner(**changes)``."""

    def build(**changes):
        settings = dict(
            model=Tiny(),
            work_dir=str(tmp_path / 'run'),
            train_dataloader=dict(dataset=Points(), batch_size=2, sampler=dict(type='DefaultSampler', shuffle=True)),
            train_cfg=dict(by_epoch=True, max_epochs=3),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=dict(logger=None, checkpoint=None),
            experiment_name=tmp_path.name,
            default_scope='mmengine',
        )
        return FALSERunner(**{**settings, **changes})

    return build


def test_a_run_does_not_start_from_random_weights_by_mistake(false_runner, tmp_path):
    """``load_from`` takes whole models; MMEngine would load nothing of a backbone's own weights, and train."""
    weights = Tiny().state_dict()
    backbone = {name.removeprefix('backbone.'): value for name, value in weights.items() if name.startswith('backbone')}
    torch.save({'state_dict': backbone}, tmp_path / 'backbone.pth')
    with pytest.raises(InputError, match=r'backbone\.pth: none of its weights fits the backbone of the model, .*Pre'):
        false_runner(load_from=str(tmp_path / 'backbone.pth')).train()
    torch.save({'state_dict': {**weights, 'neck.weight': torch.zeros(3, 4)}}, tmp_path / 'other_neck.pth')
    runner = false_runner(load_from=str(tmp_path / 'other_neck.pth'))
    runner.load_or_resume()
    assert torch.equal(runner.model.backbone.weight, weights['backbone.weight'])


def test_the_last_step_of_a_short_run_is_a_small_one(false_runner):
    rates = []

    class Rates(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            rates.append(runner.optim_wrapper.get_lr()['lr'][0])

    false_runner(param_scheduler=warm_up('simclr_r50_potsdam'), custom_hooks=[Rates()]).train()
    assert rates.index(max(rates)) == 3  # of 24 iterations
    assert rates[-1] < 0.01 * max(rates)


def test_schedules_that_are_built_keep_their_optimizer(false_runner):
    """MMEngine passes them through again when it resumes."""
    runner = false_runner(param_scheduler=warm_up('simclr_r18_mbrsc'))
    runner.train()
    again = runner.build_param_scheduler(runner.param_schedulers)
    assert [schedule.optimizer for schedule in again] == [runner.optim_wrapper] * 2


@pytest.mark.parametrize(('accumulated', 'expected'), [(1, 0.05), (4, 0.2)])
def test_accumulated_gradients_scale_the_learning_rate(false_runner, accumulated, expected):
    optim = dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=accumulated)
    runner = false_runner(optim_wrapper=optim, auto_scale_lr=dict(enable=True, base_batch_size=4))
    runner.train()
    assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(expected)]


@pytest.mark.parametrize('base', [0, 'abc', None])
def test_a_batch_that_nothing_is_scaled_from(false_runner, base):
    with pytest.raises(InputError, match='base_batch_size must be an integer of at least 1'):
        false_runner(auto_scale_lr=dict(enable=True, base_batch_size=base)).train()
