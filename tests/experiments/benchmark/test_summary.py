"""What is said of methods, against the same said with loops."""

import csv
import io
import json
import statistics

import pytest

from projects.false.experiments.benchmark.summary import (
    compare_methods,
    coverage_note,
    csv_table,
    json_table,
    markdown_table,
)
from tests.helpers.finished_benchmark import MATRIX, all_results, result

METHODS, SEEDS, DRAWS = ('random', 'FALSE', 'SimCLR'), (1, 2), (1, 2, 3)


def compared(results, seeds=SEEDS, draws=DRAWS):
    return compare_methods(results, METHODS, 'SimCLR', seeds, draws)


def test_means_and_spreads():
    results = all_results()
    (found,) = compared(results)
    assert [row.method for row in found.rows] == list(METHODS)
    score = {
        (line['run']['method'], line['run']['seed'], line['run']['draw']): line['scores']['mIoU'] for line in results
    }
    for row in found.rows:
        of_draw = [statistics.mean(score[row.method, seed, draw] for seed in SEEDS) for draw in DRAWS]
        of_seed = [statistics.mean(score[row.method, seed, draw] for draw in DRAWS) for seed in SEEDS]
        assert row.means['mIoU'] == pytest.approx(statistics.mean(of_draw))
        assert row.draw_spread == pytest.approx(statistics.stdev(of_draw))
        assert row.seed_spread == pytest.approx(statistics.stdev(of_seed))
        assert (row.runs, row.planned) == (6, 6)
        assert (row.matrix == 6 * MATRIX).all()
        assert row.iou('never') != row.iou('never')  # no run has it
    false = found.rows[1]
    assert false.difference.mean == pytest.approx(2.0)
    assert false.difference.clear()
    assert found.rows[2].difference is None


def test_while_runs_are_missing_there_is_no_difference():
    results = [line for line in all_results() if line['run'] != result('FALSE', 2, 3, 0)['run']]
    (found,) = compared(results)
    rows = {row.method: row for row in found.rows}
    assert (rows['FALSE'].runs, rows['FALSE'].planned) == (5, 6)
    assert rows['FALSE'].difference is rows['FALSE'].draw_spread is None
    assert rows['random'].difference is not None
    mean = statistics.mean(line['scores']['mIoU'] for line in results if line['run']['method'] == 'FALSE')
    assert f'| FALSE | {mean:.2f} | – | – |  |' in markdown_table([found], 'SimCLR')
    (without,) = compared([line for line in all_results() if line['run']['method'] != 'SimCLR'])
    assert all(row.difference is None for row in without.rows)
    assert coverage_note([without], 'SimCLR') == 'No difference from SimCLR yet: no other method has all its runs.'


def test_protocols_and_fractions_are_apart():
    results = [*all_results(), *all_results(fraction=0.05), *all_results(protocol='linear')]
    found = compared(results)
    assert [(entry.protocol, entry.fraction) for entry in found] == [
        ('upernet', 0.01),
        ('upernet', 0.05),
        ('linear', 0.01),
    ]
    assert found[1].heading == 'upernet, 5 % of the labels (14 patches)'
    assert all(len(entry.rows) == 3 and entry.rows[0].runs == 6 for entry in found)


def test_the_three_formats_say_the_same():
    found = compared([*all_results(), *all_results(protocol='linear')])
    entries = json.loads(json_table(found, 'SimCLR'))
    lines = list(csv.DictReader(io.StringIO(csv_table(found))))
    text = markdown_table(found, 'SimCLR')
    assert entries['baseline'] == 'SimCLR'
    assert len(entries['rows']) == len(lines) == 6
    for entry, line in zip(entries['rows'], lines, strict=True):
        assert entry['confusion_matrix'] == (6 * MATRIX).tolist()
        for name, value in line.items():
            assert value == ('' if entry[name] is None else str(entry[name])), name
        cells = f'| {entry["method"]} | {entry["mIoU"]:.2f} | {entry["sd_draws"]:.2f} | {entry["sd_seeds"]:.2f} |'
        assert cells in text
        if entry['difference'] is not None:
            low, high = (f'{entry[end]:+.2f}'.replace('-', '−') for end in ('low', 'high'))
            assert f'{entry["difference"]:+.2f} [{low}, {high}]'.replace('-', '−') in text


@pytest.mark.parametrize(
    ('seeds', 'draws', 'text'),
    [
        ((1, 2), (1, 2), 'It covers pretraining seeds and label draws, not other imagery'),
        ((1, 2), (1, 2), 'With 2 draws it may miss the difference more often than it says; five are enough.'),
        ((1, 2), (1, 2, 3, 4, 5), 'not other imagery, networks or lengths of training.'),
        ((1,), (1, 2), 'the choice of labelled patches alone, not that of the pretraining seed'),
        ((1, 2), (1,), 'It covers the pretraining seed alone, not the choice of labelled patches'),
        ((1,), (1,), 'one label draw there is no interval, and chance is not ruled out'),
    ],
)
def test_it_says_what_the_intervals_cannot_cover(seeds, draws, text):
    found = compared(all_results(seeds=seeds, draws=draws), seeds, draws)
    note = coverage_note(found, 'SimCLR')
    assert text in note
    assert ('it may miss' in note) == (len(seeds) > 1 < len(draws) < 5)
    assert ('[' in markdown_table(found, 'SimCLR')) == (len(seeds) + len(draws) > 2)
