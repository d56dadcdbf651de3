"""What a benchmark checks before it starts, and the commands it would run."""

import json
import re
import shutil
from pathlib import Path

import pytest

from projects.false import InputError
from projects.false.experiments.benchmark.outputs import choose_shown_runs
from tests.helpers.tiny_benchmark import FINE_TUNE, PRETRAIN, by_name, reading


def unlabel(root, split):
    """Let dataset.json say that the patches of a split have no labelled pixel."""
    description = json.loads((root / 'dataset.json').read_text())
    for patch in description['patches']:
        if patch['split'] == split:
            patch['pixels'] = [0] * (len(patch['pixels']) - 1) + [sum(patch['pixels'])]
    (root / 'dataset.json').write_text(json.dumps(description))


def classes(number):
    options = {'model.decode_head.num_classes': number}
    return f'dict(protocols=dict(upernet=dict(config={FINE_TUNE!r}, options={options})))'


def pretrained(size, **options):
    """The text of a method with another batch size, and options of its model."""
    changed = {'train_dataloader.batch_size': size, **{f'model.{key}': value for key, value in options.items()}}
    return f'dict(config={PRETRAIN!r}, options={{**pretraining, **{changed}}})'


def methods(simclr=pretrained(2), other=None):  # noqa: B008
    more = f', other={other}' if other else ''
    return f'dict(methods=dict(random=None, simclr={simclr}{more}))'


def test_every_run_has_its_steps_in_order(opened):
    benchmark = opened('dict(seeds=[1, 2], draws=[3, 4], fractions=[0.5, 1.0])')
    names = [step.name for step in benchmark.plan.steps]
    assert len(names) == len(set(names)) == 2 + 2 * (2 * 2 * 2 * 2)
    seen = set()
    for step in benchmark.plan.steps:
        assert seen.issuperset(step.needs)
        seen.add(step.name)
    assert by_name(benchmark)['finetune/upernet/50pct/simclr/seed2_draw3'].needs == ('pretrain/simclr/seed2',)
    assert by_name(benchmark)['finetune/upernet/50pct/random/seed2_draw3'].needs == ()
    assert benchmark.methods == ('random', 'simclr')
    assert [run.predictions for run in benchmark.plan.runs].count(True) == 2 * 2  # a method and fraction each


def test_commands(opened, data, tmp_path):
    steps = by_name(opened('dict(seeds=[7], draws=[3])', begun=True))
    place = 'upernet/50pct/simclr/seed7_draw3'
    work = tmp_path / 'out'
    options = steps[f'finetune/{place}'].command
    assert options[1].endswith('tools/train.py')
    assert f'model.backbone.init_cfg.checkpoint={work}/pretrain/simclr/seed7/backbone.pth' in options
    assert 'train_dataloader.dataset.ann_file=splits/train_50pct_seed3.txt' in options
    assert 'randomness.seed=7003' in options
    random = steps[f'finetune/{place.replace("simclr", "random")}'].command
    assert 'model.backbone.init_cfg=None' in random
    assert 'randomness.seed=7003' in random  # the same order and heads as every method of this seed and draw
    test = steps[f'scores/test/{place}'].command
    assert str(work / 'finetune' / place / 'iter_11.pth') in test
    assert 'test_dataloader.dataset.ann_file=splits/test.txt' in test
    recipe = (work / 'recipes' / 'finetune_upernet.py').read_text()
    assert re.search(r'^val_dataloader = None$', recipe, re.MULTILINE)
    assert len((data / 'splits' / 'train_50pct_seed3.txt').read_text().split()) == 4


def test_a_pretraining_that_sees_the_labelled_patches(opened, tmp_path):
    changes = reading(type='ViewMaps', folder='maps/{fraction}/draw{draw}', kinds=2)
    benchmark = opened(changes[:-1] + ', draws=[3, 4], fractions=[0.5, 1.0], seeds=[1, 2])', begun=True)
    steps, work = by_name(benchmark), tmp_path / 'out'
    names = [f'f@fraction{fraction}@draw{draw}' for draw in (3, 4) for fraction in ('0.5', '1')]
    made = [name for name in steps if name.startswith('pretrain/')]
    assert made == [f'pretrain/{name}/seed{seed}' for seed in (1, 2) for name in names]
    assert len({benchmark.plan.fingerprints[name] for name in made}) == len(made)
    tuned = steps['finetune/upernet/50pct/f/seed2_draw4']
    assert tuned.needs == ('pretrain/f@fraction0.5@draw4/seed2',)
    backbone = work / 'pretrain/f@fraction0.5@draw4/seed2/backbone.pth'
    assert f'model.backbone.init_cfg.checkpoint={backbone}' in tuned.command
    recipe = work / 'recipes' / 'pretrain_f@fraction0.5@draw4.py'
    assert str(recipe) in steps['pretrain/f@fraction0.5@draw4/seed2'].command
    assert "folder='maps/0.5/draw4'" in recipe.read_text()


def test_patches_chosen_by_features_and_another_backbone(opened, data, tmp_path):
    more = "typical=dict(like='simclr', select='typical'), wide=dict(fine_tuning={'model.decode_head.channels': 32})"
    pretraining = pretrained(2)
    benchmark = opened(
        f'dict(methods=dict(random=None, simclr={pretraining}, {more}), draws=[3], '
        "protocols=dict(spec['protocols'], again=spec['protocols']['upernet']))",
        begun=True,
    )
    steps, work = by_name(benchmark), tmp_path / 'out'
    assert sum(name.startswith('pretrain/') for name in steps) == 1
    assert [name for name in steps if name.startswith('select/')] == ['select/50pct/typical/seed1_draw3']
    chooser = steps['select/50pct/typical/seed1_draw3']
    backbone = str(work / 'pretrain/simclr/seed1/backbone.pth')
    assert chooser.needs == ('pretrain/simclr/seed1',)
    assert chooser.command[1].endswith('tools/select_patches.py')
    assert chooser.command[2:8] == (str(data), backbone, '--method', 'typical', '--count', '4')
    chosen = chooser.command[chooser.command.index('--list') + 1]
    for protocol in ('upernet', 'again'):
        tuned = steps[f'finetune/{protocol}/50pct/typical/seed1_draw3']
        assert tuned.needs == ('pretrain/simclr/seed1', chooser.name)
        assert f'train_dataloader.dataset.ann_file=splits/{chosen}.txt' in tuned.command
        assert f'model.backbone.init_cfg.checkpoint={backbone}' in tuned.command
    run = next(run for run in benchmark.plan.runs if run.key.method == 'typical')
    assert run.step_names == [*tuned.needs, run.fine_tuning, run.testing]
    recipe = work / 'recipes' / 'finetune_upernet@wide.py'
    assert re.search(r'decode_head=dict\([^)]*channels=32', recipe.read_text())
    assert str(recipe) in steps['finetune/upernet/50pct/wide/seed1_draw3'].command


def test_a_protocol_named_like_another_and_a_method_keeps_its_recipe(opened):
    """Joined by a character of names, ``upernet`` with method ``lite`` and ``upernet_lite`` were one recipe."""
    rate = 'optim_wrapper.optimizer.lr'
    again = f'dict(config={FINE_TUNE!r}, options={{**segmentation, {rate!r}: 0.75}})'
    benchmark = opened(
        f'dict(methods=dict(random=None, lite=dict(fine_tuning={{{rate!r}: 0.125}})), '
        f"protocols=dict(spec['protocols'], upernet_lite={again}))"
    )
    used = {}
    for run in benchmark.plan.runs:
        recipe = Path(by_name(benchmark)[run.fine_tuning].command[2]).name
        used[run.key.protocol, run.key.method] = benchmark.plan.recipes[recipe].optim_wrapper.optimizer.lr
    usual = used.pop(('upernet', 'random'))
    assert usual not in (0.125, 0.75)
    assert used == {('upernet', 'lite'): 0.125, ('upernet_lite', 'random'): 0.75, ('upernet_lite', 'lite'): 0.125}


def test_choosing_does_not_read_the_test_list(opened, data):
    shutil.copy(data / 'splits' / 'test.txt', data / 'splits' / 'val.txt')
    (data / 'splits' / 'test.txt').write_text('unreadable, no such patch\n')
    steps = opened(part='val').plan.steps
    tests = [step for step in steps if step.command[1].endswith('test.py')]
    assert len(tests) == 2
    assert all('test_dataloader.dataset.ann_file=splits/val.txt' in step.command for step in tests)
    assert not any('splits/test.txt' in part for step in steps for part in step.command)


def test_what_was_chosen_is_tested_without_training_again(opened, data):
    shutil.copy(data / 'splits' / 'test.txt', data / 'splits' / 'val.txt')
    chosen, reported = (opened(part=part).plan.fingerprints for part in ('val', 'test'))
    trained = {name for name in chosen if name.startswith(('pretrain/', 'finetune/'))}
    assert len(trained) == 3
    assert {name: chosen[name] for name in trained} == {name: reported[name] for name in trained}
    assert {name.split('/')[1] for name in reported.keys() - trained} == {'test'}


def test_a_recipe_of_other_classes_is_refused(opened):
    changes = "dict(protocols=dict(upernet=dict(config='configs/upernet_r18_mbrsc.py', options={"
    changes += "'model.decode_head.num_classes': 7, 'model.auxiliary_head.num_classes': 7})))"
    with pytest.raises(InputError, match=r"palette is 'mbrsc', of other classes than the data \(road, "):
        opened(changes)


def test_options_without_effect_are_those_of_the_spec(opened):
    changes = f"dict(protocols=dict(upernet=dict(config={FINE_TUNE!r}, options={{'train_cgf.max_iters': 3}})))"
    with pytest.raises(InputError, match=r'^options of the spec: train_cgf\.max_iters: has no effect.* train_cfg\?'):
        opened(changes)


def test_the_pictures_are_of_runs_whose_predictions_were_kept(opened, tmp_path):
    """Kept for the first seed and draw of the spec as it was, which a later call may order otherwise or leave out."""
    benchmark = opened('dict(seeds=[2, 1], draws=[1])')
    results = [{'run': run.key._asdict()} for run in benchmark.plan.runs]
    assert choose_shown_runs(benchmark, results) == {}
    for run in benchmark.plan.runs:
        if run.key.seed == 1:
            (tmp_path / 'out' / run.testing / 'predictions').mkdir(parents=True)
    shown = choose_shown_runs(benchmark, results)
    assert set(shown) == {('upernet', 0.5, 'random'), ('upernet', 0.5, 'simclr')}
    for entry in shown.values():
        assert entry.predictions.parent.name == 'seed1_draw1'


def test_other_lists_are_other_runs(opened, data):
    opened(begun=True)
    names = (data / 'splits' / 'test.txt').read_text().split()
    (data / 'splits' / 'test.txt').write_text(names[0] + '\n')
    with pytest.raises(InputError, match='scores/test/upernet/50pct/random/seed1_draw1 was run with other settings'):
        opened()


@pytest.mark.parametrize(
    ('damage', 'changes', 'text'),
    [
        (lambda root: shutil.rmtree(root), 'dict()', r'data: no such folder; give a folder made by tools'),
        (lambda root: shutil.rmtree(root / 'masks'), 'dict()', 'masks: no such folder, so there are no labels'),
        (lambda root: (root / 'splits' / 'test.txt').write_text('\n'), 'dict()', r'test\.txt: the list is empty'),
        (lambda root: (root / 'splits' / 'pretrain.txt').unlink(), 'dict()', r'pretrain\.txt: no such list'),
        (lambda root: (root / 'splits' / 'test.txt').write_text('x\n'), 'dict()', "names 'x', which is not in dataset"),
        (lambda root: unlabel(root, 'test'), 'dict()', r'test\.txt: its 8 patches have no labelled pixel'),
        (lambda root: unlabel(root, 'train'), 'dict()', r'train_50pct_seed1\.txt: 4 patches without a labelled pixel'),
        (None, classes(5), r'protocols\.upernet .*num_classes is 5, the data has 7 classes'),
        (None, methods(pretrained(64)), r'methods\.simclr .*8 images do not fill one batch of 64'),
        (None, methods(other=pretrained(3)), 'methods see different numbers of images'),
        (None, methods(other=pretrained(2, queue_len=640)), r'methods\.other .*queue_len 640 is more than a quarter'),
        (None, "dict(methods=dict(random=None, a=dict(config='configs/upernet_r18_mbrsc.py')))", 'does not pretrain'),
        (None, "dict(protocols=dict(a=dict(config='configs/simclr_r18_mbrsc.py')))", 'does not fine-tune'),
    ],
)  # fmt: skip
def test_nothing_starts_on_what_cannot_end_well(opened, data, tmp_path, damage, changes, text):
    if damage:
        damage(data)
    with pytest.raises(InputError, match=text):
        opened(changes)
    assert not (tmp_path / 'out' / 'settings.json').exists()
    opened_again = tmp_path / 'out' / '.lock'
    assert opened_again.read_text() == ''  # the folder was given back


def test_jobs(opened):
    with pytest.raises(InputError, match='--jobs is 0'):
        opened(jobs=0)
    assert len(opened(jobs=3).slots) == 3
