"""Scores over the number of labels: the picture has every point, and the words follow the intervals."""

import io

import numpy as np
from PIL import Image

from projects.false.experiments.benchmark.labels_section import labels_advice, labels_picture, labels_section
from projects.false.experiments.benchmark.summary import compare_methods
from tests.helpers.finished_benchmark import all_results, result

METHODS, SEEDS, DRAWS = ('random', 'FALSE', 'SimCLR'), (1, 2), (1, 2, 3)


def compared(results, methods=METHODS, baseline='SimCLR'):
    for line in results:
        line['labelled_patches'] = round(1000 * line['run']['fraction'])
    return compare_methods(results, methods, baseline, SEEDS, DRAWS)


def test_words_follow_the_intervals():
    few = all_results(fraction=0.01)
    many = [
        result(method, seed, draw, 60 + (seed * 7 + draw * 5 + len(method) * 3) % 4, fraction=0.1)
        for method in METHODS
        for seed in SEEDS
        for draw in DRAWS
    ]
    lines = labels_advice(compared(few + many), 'SimCLR')
    assert len(lines) == 2
    assert lines[0].startswith('With 10 labelled patches, FALSE scores highest of 3 methods: 53.95')
    assert '+2.00 [+' in lines[0]
    assert lines[0].endswith(
        'against SimCLR. The best of several was picked after the fact and is likely to gain less than that.'
    )
    assert lines[1].startswith('With 100 labelled patches, ')
    assert lines[1].endswith(('which chance may explain.', 'none of the others gains over it.'))
    assert labels_advice(compared(few, ('FALSE', 'SimCLR')), 'SimCLR')[0].endswith('against SimCLR.')


def test_a_sentence_per_protocol_and_none_about_what_is_unfinished():
    results = all_results(fraction=0.1, protocol='linear') + all_results(fraction=0.01)
    for line in results:
        if (line['run']['protocol'], line['run']['method']) == ('linear', 'SimCLR'):
            line['scores']['mIoU'] += 3
    lines = labels_advice(compared(results), 'SimCLR')
    assert len(lines) == 2
    assert lines[0].startswith('With linear and 100 labelled patches, SimCLR scores highest of 3 methods: ')
    assert lines[0].endswith('. It is the baseline: none of the others gains over it.')
    assert lines[1].startswith('With upernet and 10 labelled patches, FALSE scores highest of 3 methods: ')
    assert '+2.00 [+' in lines[1], 'what gains under one protocol is said, whatever scores highest under another'
    unfinished = [line for line in results if (line['run']['method'], line['run']['draw']) != ('FALSE', 3)]
    assert ', SimCLR scores highest of 2 methods: ' in labels_advice(compared(unfinished), 'SimCLR')[1]


def test_without_all_runs_of_the_baseline_nothing_is_said_about_it():
    results = [
        line for line in all_results(fraction=0.01) if (line['run']['method'], line['run']['draw']) != ('SimCLR', 3)
    ]
    line = labels_advice(compared(results), 'SimCLR')[0]
    assert line.startswith('With 10 labelled patches, FALSE scores highest of 2 methods: ')
    assert line.endswith('; the runs of SimCLR are not all finished.')


def test_picture_and_section():
    found = compared(all_results(fraction=0.01) + all_results(fraction=0.1))
    picture = np.array(Image.open(io.BytesIO(labels_picture(found, 'SimCLR'))).convert('RGB'))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    section = labels_section(found, 'SimCLR')
    assert section.count('<li>') == 2
    assert 'src="data:image/png;base64,' in section
    assert labels_section(compared(all_results(fraction=0.01)), 'SimCLR') == ''
