"""The files that a benchmark leaves, from made results."""

from PIL import Image

from projects.false.experiments.benchmark.outputs import with_other_patches, write_outputs
from projects.false.experiments.benchmark.runner import Benchmark
from projects.false.experiments.benchmark.spec import read_spec
from projects.false.experiments.benchmark.summary import compare_methods
from tests.helpers.tiny_benchmark import write_spec


def made(benchmark):
    """A result of every planned run; SimCLR is ahead, and more labels help."""
    classes = benchmark.data.palette.classes
    for run in benchmark.plan.runs:
        key = run.key
        miou = 40 + 10 * key.fraction + 3 * (key.method == 'simclr') + key.draw
        scores = {'mIoU': miou, 'OA': 80.0, 'mF1': 60.0, 'kappa': 50.0, **{f'IoU.{name}': miou for name in classes}}
        matrix = [[7 * (row == column) for column in range(len(classes))] for row in range(len(classes))]
        yield {
            'run': key._asdict(),
            'scores': scores,
            'classes': list(classes),
            'confusion_matrix': matrix,
            'labelled_patches': round(8 * key.fraction),
            'software': 'made',
            'finished': '2026-01-02',
        }


def test_a_picture_where_there_are_several_numbers_of_labels(patches, tmp_path):
    data = patches('synthetic', 64, 16)
    for fractions, expected in (('[0.5]', False), ('[0.5, 1.0]', True)):
        spec = read_spec(str(write_spec(tmp_path / 'tiny.py', data, f'dict(draws=[1, 2], fractions={fractions})')))
        with Benchmark(spec, tmp_path / 'out') as benchmark:
            results = list(made(benchmark))
            found = compare_methods(results, benchmark.methods, spec.baseline, spec.seeds, spec.draws)
            text = write_outputs(benchmark, found, results)
        folder = tmp_path / 'out' / 'test'
        assert (folder / 'table.md').read_text() == text
        assert ('- With 4 labelled patches, simclr scores highest of 2 methods: 49.50' in text) == expected
        assert (folder / 'labels.png').is_file() == expected
        assert ('src="data:image/png' in (folder / 'report.html').read_text()) == expected
    assert Image.open(folder / 'labels.png').size == (1100, 418)


def test_chosen_patches_are_compared_with_draws_unpaired(patches, tmp_path):
    methods = "dict(spec['methods'], chosen=dict(like='simclr', select='typical'))"
    changes = f'dict(draws=[1, 2], methods={methods})'
    spec = read_spec(str(write_spec(tmp_path / 'tiny.py', patches('synthetic', 64, 16), changes)))
    with Benchmark(spec, tmp_path / 'out') as benchmark:
        unpaired = with_other_patches(spec, benchmark.methods)
        results = list(made(benchmark))
        found = compare_methods(results, benchmark.methods, spec.baseline, spec.seeds, spec.draws, unpaired)
        text = write_outputs(benchmark, found, results)
    assert unpaired == {'chosen'}
    rows = {row.method: row for row in found[0].rows}
    assert rows['simclr'].difference.low == rows['simclr'].difference.high == 3  # draws move both alike
    assert rows['chosen'].difference.low < rows['chosen'].difference.mean
    assert 'are paired on the label draw, in points of mIoU, but those of chosen, which have other' in text


def test_one_number_of_labels_per_protocol_is_no_curve(patches, tmp_path):
    protocols = "dict(spec['protocols'], again=spec['protocols']['upernet'])"
    changes = f'dict(draws=[1, 2], fractions=[0.5, 1.0], protocols={protocols})'
    spec = read_spec(str(write_spec(tmp_path / 'tiny.py', patches('synthetic', 64, 16), changes)))
    with Benchmark(spec, tmp_path / 'out') as benchmark:
        results = [
            line for line in made(benchmark) if (line['run']['protocol'] == 'again') == (line['run']['fraction'] == 1)
        ]
        (tmp_path / 'out' / 'test').mkdir()
        (tmp_path / 'out' / 'test' / 'labels.png').write_bytes(b'of an earlier call')
        found = compare_methods(results, benchmark.methods, spec.baseline, spec.seeds, spec.draws)
        write_outputs(benchmark, found, results)
    assert (tmp_path / 'out' / 'test' / 'report.html').is_file()
    assert not (tmp_path / 'out' / 'test' / 'labels.png').exists()
