import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.false import InputError
from projects.false.experiments.benchmark.runner import append_result, drop_training_state, read_results

RESULTS = st.lists(
    st.fixed_dictionaries({'run': st.fixed_dictionaries({'method': st.text()}), 'value': st.floats(0, 100)}), max_size=4
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
        append_result(path, {'run': {'method': 'next'}})
        assert read_results(path) == [*left, {'run': {'method': 'next'}}]


def test_nothing_there(tmp_path):
    assert read_results(tmp_path / 'results.jsonl') == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('line', ['{"run": {"method"', '[]', '{}', '{"run": 3}'])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / 'results.jsonl'
    path.write_text(json.dumps({'run': {'method': 'a'}}) + f'\n{line}\n')
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
