import re

import pytest

from projects.false import InputError
from projects.false.experiments.benchmark.page import write_benchmark_page
from projects.false.experiments.benchmark.summary import compare_methods
from projects.false.reports.page import page, write_page
from tests.helpers.finished_benchmark import all_results, content
from tests.helpers.html_elements import elements


def written(tmp_path, made):
    write_benchmark_page(tmp_path / 'out' / 'report.html', made)
    return (tmp_path / 'out' / 'report.html').read_text(encoding='utf-8')


def test_everything_is_on_the_page(finished, tmp_path):
    text = written(tmp_path, content(finished))
    tags = [tag for tag, _ in elements(text)]
    assert tags.count('table') == 1 + 1 + 3 + 1
    assert tags.count('img') == 5 * (2 + 3)
    headings = re.findall('<h2>(.*?)</h2>', text)
    assert headings == [
        'upernet, 1 % of the labels (14 patches)',
        'What the numbers mean',
        'Classes',
        'Patches',
        'Confusion',
        'Training',
        'Facts',
    ]
    assert '<td>+2.00 [+' in text
    assert 'It covers pretraining seeds and label draws' in text
    labels = [attributes['aria-label'] for tag, attributes in elements(text) if tag == 'svg' and 'role' in attributes]
    assert len(labels) == 1 + 1 + 2 + 1  # intervals, bars, two pretrainings, fine-tuning
    assert labels[0].startswith('mIoU minus that of SimCLR, in points: random −1.00 [')


def test_it_needs_nothing_from_outside_and_escapes_texts(finished, tmp_path):
    text = written(tmp_path, content(finished))
    for tag, attributes in elements(text):
        assert tag not in ('script', 'link', 'iframe', 'object')
        assert 'href' not in attributes
        assert attributes.get('src', 'data:').startswith('data:')
    assert not re.search(r'https?://|url\(|@import', text)
    for raw in ('<1>', '<spec>', '<tin>'):
        assert raw not in text
        assert raw.replace('<', '&lt;').replace('>', '&gt;') in text


def test_more_methods_than_can_be_told_apart_come_in_groups(finished, tmp_path):
    methods = ('random', 'FALSE', 'SimCLR', *(f'other{number}' for number in range(6)))
    text = written(tmp_path, content(finished, methods))
    charts = re.findall(r'<figure><ul class="legend">(.*?)</ul><svg[^>]*aria-label="Bars', text)
    names = [re.findall(r'</svg> (.*?)</li>', chart) for chart in charts]
    assert [len(group) for group in names] == [5, 5]
    assert all(group[0] == 'SimCLR' for group in names)
    assert sorted({name for group in names for name in group}) == sorted(methods)
    assert max(int(number) for number in re.findall(r'class="bar s(\d+)"', text)) == 4
    assert text.count('<h3>Pretraining: SimCLR</h3>') == 1


def test_what_is_not_there_is_left_out(finished, tmp_path):
    one = compare_methods(all_results(('SimCLR',)), ('SimCLR',), 'SimCLR', (1, 2), (1, 2, 3))
    text = written(tmp_path, content(finished, comparisons=one, files={}))
    assert 'No difference from SimCLR yet' in text
    assert not {'Patches', 'Training'} & set(re.findall('<h2>(.*?)</h2>', text))
    assert 'class="intervals"' not in text


def test_the_part_that_settings_are_chosen_on_is_no_result(finished, tmp_path):
    (finished.data_root / 'splits' / 'test.txt').rename(finished.data_root / 'splits' / 'val.txt')
    assert 'what is reported comes from --part test' in written(tmp_path, content(finished, part='val'))


def test_an_audit_is_taken_in_whole(finished, tmp_path):
    audit = page('Audit of one <run>', '<p>lead</p>', [('Lift', '<h3>chance</h3><p>1.02</p>'), ('Pairs', '<p>x</p>')])
    write_page(tmp_path / 'audit' / 'audit.html', audit)
    text = written(tmp_path, content(finished, audit=tmp_path / 'audit'))
    assert re.findall('<h2>(.*?)</h2>', text)[-2:] == ['Audit of false negatives', 'Facts']
    assert '<p>Audit of one &lt;run&gt;</p><p>lead</p>' in text
    assert '<section><h3>Lift</h3>\n<h4>chance</h4><p>1.02</p></section>' in text
    elements(text)


@pytest.mark.parametrize('found', [None, '<html><body><main><h1>x</h1>\n</main></body></html>\n'])
def test_something_else_is_no_audit(finished, tmp_path, found):
    if found:
        (tmp_path / 'audit.html').write_text(found)
    with pytest.raises(InputError, match=r'audit\.html.* (run the audit again|give the --out of an audit)'):
        written(tmp_path, content(finished, audit=tmp_path))
    assert not (tmp_path / 'out' / 'report.html').exists()
