import json
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.false import InputError
from projects.false.experiments.benchmark import runner
from projects.false.experiments.benchmark.recipes import digest
from projects.false.experiments.benchmark.runner import append_result, drop_training_state, read_results
from projects.false.experiments.steps import record_path
from projects.false.patch_folder.appearance import FILE
from tests.helpers.tiny_benchmark import FINE_TUNE, by_name, reading

RUN = {'protocol': 'upernet', 'fraction': 0.5, 'method': 'random', 'seed': 1, 'draw': 1, 'part': 'test'}
RESULTS = st.lists(
    st.fixed_dictionaries({'run': st.text().map(lambda name: {**RUN, 'method': name}), 'value': st.floats(0, 100)}),
    max_size=4,
)


@given(RESULTS, st.data())
@settings(deadline=None, max_examples=30)
def test_whatever_was_cut_off_the_whole_lines_stay_and_more_can_follow(results, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'results.jsonl')
        for result in results:
            append_result(path, result)
        whole = path.read_bytes() if results else b''
        cut = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:cut])
        left = results[: whole[:cut].count(b'\n')]
        assert read_results(path) == left
        append_result(path, {'run': RUN})
        assert read_results(path) == [*left, {'run': RUN}]


def test_nothing_there(tmp_path):
    assert read_results(tmp_path / 'results.jsonl') == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('line', ['{"run": {"method"', '[]', '{}', '{"run": 3}', '{"run": {"method": "a"}}'])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / 'results.jsonl'
    path.write_text(json.dumps({'run': RUN}) + f'\n{line}\n')
    with pytest.raises(InputError, match=r'results\.jsonl, line 2: not a result .*; remove the line'):
        read_results(path)


def test_a_value_that_is_no_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match='Out of range'):
        append_result(tmp_path / 'results.jsonl', {'run': {'method': 'a'}, 'value': float('nan')})
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / 'results.jsonl').mkdir()
    with pytest.raises(InputError, match='cannot be written'):
        append_result(tmp_path / 'results.jsonl', {'run': {'method': 'a'}})


def test_weights_stay_and_the_rest_goes(tmp_path):
    state = {'a.weight': torch.arange(6.0).reshape(2, 3)}
    whole = {'meta': {'iter': 3}, 'state_dict': state, 'optimizer': {'x': torch.zeros(1000)}, 'message_hub': {}}
    torch.save(whole, tmp_path / 'iter_3.pth')
    torch.save({'state_dict': state, 'meta': {'method': 'FALSE'}}, tmp_path / 'backbone.pth')
    before = (tmp_path / 'backbone.pth').read_bytes()
    for _ in range(2):
        drop_training_state(tmp_path)
        kept = torch.load(tmp_path / 'iter_3.pth', weights_only=True)
        assert kept.keys() == {'meta', 'state_dict'}
        assert kept['meta'] == {'iter': 3}
        assert torch.equal(kept['state_dict']['a.weight'], state['a.weight'])
    assert (tmp_path / 'backbone.pth').read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ['backbone.pth', 'iter_3.pth']


def test_a_changed_recipe_is_used_for_new_seeds(opened, tmp_path):
    opened(begun=True)
    recipe = tmp_path / 'out' / 'recipes' / 'pretrain_simclr.py'
    before = recipe.read_text()
    opened('dict(seeds=[2], budget=dict(epochs=3, iterations=11))', begun=True)
    assert recipe.read_text() == before.replace('max_epochs=2', 'max_epochs=3') != before


def test_the_same_settings_are_taken_up_again_and_others_refused(opened, tmp_path):
    before = opened(begun=True).plan.fingerprints
    grown = opened('dict(seeds=[1, 2], draws=[1, 2])', begun=True).plan.fingerprints
    assert before.items() < grown.items()
    assert json.loads((tmp_path / 'out' / 'settings.json').read_text()) == grown
    with pytest.raises(InputError, match='pretrain/simclr/seed1 was run with other settings, data or recipe; choose'):
        opened('dict(budget=dict(epochs=3, iterations=11))')
    with pytest.raises(InputError, match='finetune/upernet/50pct/random/seed1_draw1 was run with other settings'):
        opened('dict(budget=dict(epochs=2, iterations=12))')


def test_files_that_a_pretraining_read_may_not_change(opened, tmp_path):
    clusters, maps = tmp_path / 'clusters.json', tmp_path / 'maps'
    maps.mkdir()
    (maps / 'north').mkdir()
    cases = (
        (maps, maps / 'north' / 'a.png', reading(type='ViewMaps', folder=str(maps), kinds=2)),
        (clusters, clusters, reading(file=str(clusters))),
        (maps, maps / 'a.png', reading(type='ViewMaps', folder=str(maps), kinds=2)),
    )
    for named, file, changes in cases:
        shutil.rmtree(tmp_path / 'out', ignore_errors=True)
        file.write_text('1')
        opened(changes)
        file.write_text('2')  # before it began
        opened(changes, begun=True)
        opened(changes)
        file.write_text('3')
        with pytest.raises(InputError, match=rf'^{named}: changed since pretrain/f/seed1 of .*; restore it, or choose'):
            opened(changes)
        file.write_text('2')
        opened(changes, begun=True)


def test_files_that_a_fine_tuning_read_may_not_change(opened, tmp_path):
    weights = tmp_path / 'class_weights.json'  # the loss functions of mmseg take such a file
    options = {'model.decode_head.loss_decode.class_weight': str(weights)}
    changes = f'dict(protocols=dict(upernet=dict(config={FINE_TUNE!r}, options={options})))'
    weights.write_text('1')
    opened(changes, begun=True)
    weights.write_text('2')
    with pytest.raises(InputError, match=rf'^{weights}: changed since finetune/.* of .*; restore it, or choose'):
        opened(changes)


def test_clusters_that_a_first_run_makes_do_not_invalidate_it(opened, data, tmp_path, monkeypatch):
    def fit(*_):
        (data / FILE).write_text('fitted')

    monkeypatch.setattr(runner, 'run_steps', fit)
    monkeypatch.setattr(runner, 'preload', lambda: None)
    opened(reading(), begun=True).run()
    before = json.loads((tmp_path / 'out' / 'settings.json').read_text())
    opened(reading(), begun=True)
    assert json.loads((tmp_path / 'out' / 'settings.json').read_text()) == before
    (data / FILE).write_text('fitted in another way')
    with pytest.raises(InputError, match=rf'^{data / FILE}: changed since pretrain/f/seed1 of '):
        opened(reading())
    (data / FILE).unlink()
    opened(reading(), begun=True).run()  # made again, and the same
    monkeypatch.setattr(runner, 'run_steps', lambda *_: (data / FILE).write_text('other defaults'))
    (data / FILE).unlink()
    with pytest.raises(InputError, match='changed since pretrain/f/seed1 of '):
        opened(reading(), begun=True).run()


def test_a_folder_of_a_version_that_did_not_note_files_is_taken_up(opened, data, tmp_path):
    (data / FILE).write_text('1')
    opened(reading(), begun=True)
    stored = tmp_path / 'out' / 'settings.json'
    settings = json.loads(stored.read_text())
    assert settings.pop('files').keys() == {'pretrain/f/seed1'}
    stored.write_text(json.dumps(settings))
    opened(reading(), begun=True)
    assert 'files' in json.loads(stored.read_text())


def test_what_has_not_begun_may_still_change(opened, tmp_path):
    opened(begun=True)
    shutil.rmtree(tmp_path / 'out' / 'logs')
    changed = opened('dict(budget=dict(epochs=3, iterations=12))', begun=True).plan.fingerprints
    assert json.loads((tmp_path / 'out' / 'settings.json').read_text()) == changed


def test_data_made_by_other_commands_is_refused(opened, data, tmp_path):
    shutil.copytree(data, tmp_path / 'out' / 'data')
    made = "dict(data=dict(root='{{work}}/data', prepare=['a.py {{data}} --seed {}']))"
    assert opened(made.format(1), begun=True).data.root == tmp_path / 'out' / 'data'
    stored = tmp_path / 'out' / 'settings.json'
    stored.write_text(
        json.dumps(json.loads(stored.read_text()) | {'prepare': digest((('a.py', '{data}', '--seed', '1'),))})
    )
    opened(made.format(1))
    with pytest.raises(InputError, match=r'out/data: was made by other commands than data\.prepare now has'):
        opened(made.format(2))


def test_patches_are_chosen_again_once_their_list_is_gone(opened, data):
    chosen = "chosen=dict(like='simclr', select='typical')"
    benchmark = opened(f"dict(methods=dict(spec['methods'], {chosen}))", begun=True)
    (name, chosen), folder = *benchmark.plan.choices.items(), data / 'splits'
    assert name in by_name(benchmark)
    record = record_path(benchmark.folder, name)
    for there in (True, False):
        record.touch()
        (folder / f'{chosen}.txt').touch() if there else (folder / f'{chosen}.txt').unlink()
        benchmark._forget_lost_choices({name})
        assert record.exists() == there
