"""Training that is watched equals training that is not, bit for bit, through recipes, the real runner and gloo."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.utils import import_modules_from_strings
from torch import distributed

from projects.false import InputError
from projects.false.common.command_line import user_message
from tests.end_to_end.test_resume import Interruption, flat
from tests.helpers.processes import free_port, run_processes
from tests.helpers.tools import REPOSITORY

RECIPES = ('false_simclr_r18_synthetic', 'false_mocov2_r18_synthetic')
PROBE = dict(type='ProbeHook', interval=1, known='splits/train.txt', tested='splits/test.txt', neighbours=3)
MONITOR = dict(type='CollapseHook', interval=2, begin=0)


def prepared(recipe, data, folder, *hooks, per_process=4, launcher='none'):
    """Three epochs of four batches, on sixteen patches of 64 pixels, of a narrow network."""
    config = Config.fromfile(REPOSITORY / 'configs' / f'{recipe}.py')
    import_modules_from_strings(**config.custom_imports)
    config.train_dataloader.update(batch_size=per_process, num_workers=0, persistent_workers=False)
    config.train_dataloader.dataset.update(data_root=str(data), ann_file='')
    config.model.backbone.update(stem_channels=8, base_channels=8)
    config.model.neck.update(in_channels=64, hid_channels=16)
    if 'queue_len' in config.model:
        config.model.queue_len = 4  # a quarter of the images
    config.train_cfg.max_epochs = 3
    config.param_scheduler = config.param_scheduler[:1]
    config.default_hooks.checkpoint.interval = 1
    config.default_hooks.logger.interval = 1
    config.custom_hooks = list(hooks)
    config.launcher = launcher
    config.work_dir = str(folder)
    config.experiment_name = f'{folder.parent.name}_{folder.name}'
    return config


def scalars(folder, prefix):
    """The values logged under a prefix, by step."""
    lines = [json.loads(line) for path in sorted(folder.glob('*/vis_data/scalars.json')) for line in path.open()]
    found = {}
    for line in lines:
        kept = {name: value for name, value in line.items() if name.startswith(prefix)}
        if kept:
            found.setdefault(line['step'], {}).update(kept)
    return found


def assert_equal_checkpoints(one, other):
    first, second = (torch.load(path, weights_only=True) for path in (one, other))
    for part in ('state_dict', 'optimizer', 'param_schedulers', 'rng'):
        left, right = flat(first[part]), flat(second[part])
        assert left.keys() == right.keys()
        for place, value in left.items():
            same = torch.equal(value, right[place]) if isinstance(value, torch.Tensor) else value == right[place]
            assert same, f'{part}{place}'


@pytest.mark.slow
@pytest.mark.parametrize('recipe', RECIPES)
def test_watched_equals_unwatched_and_resumed_equals_both(recipe, patches, tmp_path):
    data = patches('synthetic', 64, 16)
    watching = {**PROBE, 'linear': True}, MONITOR
    RUNNERS.build(prepared(recipe, data, tmp_path / 'plain')).train()
    runner = RUNNERS.build(prepared(recipe, data, tmp_path / 'watched', *watching))
    runner.train()
    assert_equal_checkpoints(tmp_path / 'plain' / 'epoch_3.pth', tmp_path / 'watched' / 'epoch_3.pth')

    stop = runner.iter // 3 + 1
    config = prepared(recipe, data, tmp_path / 'parts', *watching, dict(type='InterruptHook', at=stop))
    with pytest.raises(Interruption):
        RUNNERS.build(config).train()
    config = prepared(recipe, data, tmp_path / 'parts', *watching)
    config.resume, config.experiment_name = True, f'{tmp_path.name}_again'
    RUNNERS.build(config).train()
    assert_equal_checkpoints(tmp_path / 'plain' / 'epoch_3.pth', tmp_path / 'parts' / 'epoch_3.pth')

    probes, embeddings = (scalars(tmp_path / 'watched', prefix) for prefix in ('probe/', 'embeddings/'))
    per_epoch = runner.iter // 3
    assert list(probes) == [0, per_epoch, 2 * per_epoch, 3 * per_epoch]
    assert set(probes[0]) == {f'probe/{name}' for name in ('knn', 'knn_by_class', 'linear', 'linear_by_class')}
    assert list(embeddings) == list(range(2, runner.iter + 1, 2))
    assert set(embeddings[2]) == {
        f'embeddings/{name}' for name in ('std', 'std_least', 'rank', 'alignment', 'uniformity')
    }
    assert scalars(tmp_path / 'parts', 'probe/') == probes
    assert scalars(tmp_path / 'parts', 'embeddings/') == embeddings
    saw = {'anchors_past_gate', 'pairs_per_anchor', 'cosine_positive', 'cosine_determined', 'cosine_negative'}
    log = scalars(tmp_path / 'watched', ('anchors', 'pairs', 'cosine'))
    assert list(log) == list(range(1, runner.iter + 1))
    assert all(set(entry) == saw for entry in log.values())


@pytest.mark.slow
def test_by_config_into_tensorboard(patches, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    bases = [str(REPOSITORY / 'configs' / name) for name in ('false_simclr_r18_synthetic.py', '_base_/watching.py')]
    (tmp_path / 'mine.py').write_text(
        f'_base_ = {bases}\n'
        "visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])\n"
    )
    config = prepared(tmp_path / 'mine', patches('synthetic', 64, 16), tmp_path / 'run')
    config.custom_hooks = Config.fromfile(tmp_path / 'mine.py').custom_hooks
    assert [hook.type for hook in config.custom_hooks] == ['CollapseHook', 'ProbeHook']
    config.merge_from_dict({'custom_hooks.0.interval': 3, 'custom_hooks.1.tested': 'splits/test.txt'})
    RUNNERS.build(config).train()
    events = EventAccumulator(str(next((tmp_path / 'run').glob('*/vis_data'))))
    events.Reload()
    assert {'loss', 'anchors_past_gate', 'probe/knn', 'probe/linear', 'embeddings/std', 'embeddings/rank'} <= set(
        events.Tags()['scalars']
    )
    for name in ('probe/knn', 'embeddings/rank'):
        logged = {step: entry[name] for step, entry in scalars(tmp_path / 'run', name).items() if name in entry}
        shown = {event.step: event.value for event in events.Scalars(name)}
        assert shown == pytest.approx(logged, rel=1e-5)
        assert len(shown) >= 2


def test_missing_tensorboard_is_one_line(monkeypatch):
    from projects.false.engine.config_checks import check_backends

    config = Config(dict(visualizer=dict(vis_backends=[dict(type='TensorboardVisBackend')])))
    check_backends(config)
    monkeypatch.setitem(sys.modules, 'tensorboard', None)
    with pytest.raises(InputError, match='pip install tensorboard -c constraints'):
        check_backends(config)
    check_backends(Config(dict(visualizer=dict(vis_backends=[dict(type='LocalVisBackend')]))))


@pytest.mark.slow
def test_measures_are_those_of_the_projections_that_the_loss_gets(patches, tmp_path):
    from projects.false.monitoring.embeddings import measure

    alone = {**PROBE, 'tested': None}
    config = prepared(RECIPES[0], patches('synthetic', 64, 16), tmp_path / 'run', MONITOR, alone)
    runner = RUNNERS.build(config)
    seen = []
    runner.model.head.loss_module.register_forward_pre_hook(
        lambda module, views: seen.append([v.clone() for v in views])
    )
    runner.train()
    assert set(scalars(tmp_path / 'run', 'probe/')[0]) == {'probe/knn', 'probe/knn_by_class'}
    logged = scalars(tmp_path / 'run', 'embeddings/')
    assert logged[4]['embeddings/rank'] == pytest.approx(measure(*seen[3]).rank, rel=1e-4)
    assert logged[2]['embeddings/alignment'] == pytest.approx(measure(*seen[1]).alignment, abs=1e-4)


@pytest.mark.slow
def test_collapse_warns_or_stops_with_one_line_and_counts_on_after_resuming(patches, tmp_path, caplog):
    data = patches('synthetic', 64, 16)
    hopeless = dict(type='CollapseHook', interval=1, begin=0, least_rank=1e6, patience=5)
    RUNNERS.build(prepared(RECIPES[0], data, tmp_path / 'warned', hopeless)).train()
    config = prepared(RECIPES[0], data, tmp_path / 'stopped', {**hopeless, 'stop': True})
    with pytest.raises(InputError, match=r'collapsed at iteration 5 .* 5 measurement\(s\) in a row: lower') as stop:
        RUNNERS.build(config).train()
    assert '\n' not in user_message(stop.value)
    config.resume, config.experiment_name = True, f'{tmp_path.name}_again'
    with pytest.raises(InputError, match='collapsed at iteration 5 '):
        RUNNERS.build(config).train()


def test_arguments_and_data_are_checked(patches, tmp_path):
    from projects.false.engine import CollapseHook, ProbeHook

    for wrong in (dict(interval=0), dict(least_std=2), dict(least_rank=0), dict(patience=0), dict(begin=-1)):
        with pytest.raises(InputError, match=f'{next(iter(wrong))}.* of CollapseHook'):
            CollapseHook(**wrong)
    for wrong in (dict(interval=0), dict(most=0), dict(neighbours=1.5)):
        with pytest.raises(InputError, match=f'{next(iter(wrong))} of ProbeHook'):
            ProbeHook(**wrong)
    with pytest.raises(InputError, match='needs patches to predict'):
        ProbeHook(linear=True, tested=None)
    config = prepared(
        RECIPES[0], patches('synthetic', 64, 16), tmp_path / 'none', {**PROBE, 'known': 'splits/none.txt'}
    )
    with pytest.raises(InputError, match=r'splits/none\.txt: no such list'):
        RUNNERS.build(config).train()
    both = {**PROBE, 'tested': 'splits/train.txt'}
    config = prepared(RECIPES[0], patches('synthetic', 64, 16), tmp_path / 'both', both)
    with pytest.raises(InputError, match=r'splits/train\.txt: 8 patches, such as .*, are also in splits/train\.txt'):
        RUNNERS.build(config).train()


def one_of_two(rank, data, folder, port):
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='localhost', MASTER_PORT=str(port)
    )
    for recipe in RECIPES:
        for name, hooks in {'plain': (), 'watched': (PROBE, MONITOR)}.items():
            config = prepared(
                recipe, Path(data), Path(folder) / f'{recipe}_{name}', *hooks, per_process=2, launcher='pytorch'
            )
            runner = RUNNERS.build(config)
            runner.train()
            if name == 'watched':
                from projects.false.monitoring.probe_hook import undisturbed

                hook = next(hook for hook in runner.hooks if type(hook).__name__ == 'ProbeHook')
                model = runner.model.module
                with undisturbed(model):
                    features = hook._features(model, hook._tested)
                torch.save(features, Path(folder) / f'{recipe}_features_{rank}.pth')
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_watch_as_one_and_leave_no_trace(patches, tmp_path):
    from projects.false.datasets.labelled_patches import ProbePatches

    data = patches('synthetic', 64, 16)
    run_processes(one_of_two, str(data), str(tmp_path), free_port(), count=2)
    for recipe in RECIPES:
        folder = tmp_path / f'{recipe}_watched'
        assert_equal_checkpoints(tmp_path / f'{recipe}_plain' / 'epoch_3.pth', folder / 'epoch_3.pth')
        assert len(scalars(folder, 'probe/')) == 4
        assert scalars(folder, 'embeddings/')
        parts = [torch.load(tmp_path / f'{recipe}_features_{rank}.pth') for rank in (0, 1)]
        assert torch.equal(*parts)
        runner = RUNNERS.build(prepared(recipe, data, tmp_path / f'{recipe}_one'))
        state = torch.load(folder / 'epoch_3.pth', weights_only=True)['state_dict']
        runner.model.load_state_dict(state)
        patches_of_list, model = ProbePatches(data, 'splits/test.txt', 500), runner.model.eval()
        with torch.no_grad():
            images = torch.stack([patches_of_list.image(number) for number in range(len(patches_of_list))])
            maps = model(model.data_preprocessor({'inputs': images})['inputs'], mode='tensor')[-1]
        torch.testing.assert_close(parts[0], maps.mean((2, 3)), atol=1e-4, rtol=1e-4)
