import re
from dataclasses import replace

import pytest

from projects.false import InputError
from projects.false.experiments.quickstart_page import write_quickstart_page
from tests.helpers.html_elements import elements

FACTS = {'seed': '0', 'command': 'make quickstart ARGS="--seed 0" <now> & here'}


@pytest.fixture
def page(finished, tmp_path):
    path = tmp_path / 'out' / 'report.html'
    write_quickstart_page(path, finished.runs, finished.data_root, finished.palette, FACTS)
    return path.read_text(encoding='utf-8')


def test_nothing_comes_from_outside(page):
    found = elements(page)
    assert not {'script', 'link', 'iframe', 'object', 'base', 'form'} & {tag for tag, _ in found}
    for _, attributes in found:
        assert 'href' not in attributes
        assert attributes.get('src', 'data:').startswith('data:')
        assert not [name for name in attributes if name.startswith('on')]
    assert not re.search(r'https?://|url\(|@import', page)
    assert len(page) < 3_000_000


def test_everything_is_on_the_page(page, finished):
    found = elements(page)
    tags = [tag for tag, _ in found]
    assert tags.count('table') == 2 + 3 + 1
    assert tags.count('img') == 5 * 5
    assert all(attributes['alt'] for tag, attributes in found if tag == 'img')
    labels = [attributes['aria-label'] for tag, attributes in found if tag == 'svg' and 'role' in attributes]
    assert len(labels) == 1 + 2 + 1
    assert 'FALSE from 5.1 at step 5 to 4.2 at step 10' in labels[1]
    for run in finished.runs:
        assert f'{run.mean("mIoU"):.1f}&nbsp;% from {run.name}' in page
    assert 'tested on 5 patches' in page
    assert 'It is no benchmark' in page
    assert 'different functions' in page


def test_texts_are_escaped(page):
    assert '<tin>' not in page
    assert 'roof &lt;tin&gt; &amp; tile' in page
    assert '&lt;now&gt; &amp; here' in page


def test_the_same_input_gives_the_same_page(page, finished, tmp_path):
    write_quickstart_page(tmp_path / 'again.html', finished.runs, finished.data_root, finished.palette, FACTS)
    assert (tmp_path / 'again.html').read_text(encoding='utf-8') == page


def test_without_logs(finished, tmp_path):
    runs = [replace(run, training_log=None, pretraining_log=None) for run in finished.runs]
    write_quickstart_page(tmp_path / 'report.html', runs, finished.data_root, finished.palette, {})
    text = (tmp_path / 'report.html').read_text(encoding='utf-8')
    assert '<h2>Training</h2>' not in text
    assert '<h2>Scores</h2>' in text


@pytest.mark.parametrize('chosen', [slice(2, 3), slice(0, 1), slice(1, 3)])
def test_fewer_runs(finished, tmp_path, chosen):
    write_quickstart_page(tmp_path / 'report.html', finished.runs[chosen], finished.data_root, finished.palette, FACTS)
    lead = re.search(r'</h1>\s*<p>(.*?)</p>', (tmp_path / 'report.html').read_text(encoding='utf-8'))[1]
    assert ('looked at aerial images' in lead) == (chosen != slice(2, 3))
    assert ('From random weights' in lead) == (chosen == slice(2, 3))


@pytest.mark.parametrize('field', ['training_log', 'pretraining_log', 'predictions'])
def test_a_missing_piece_leaves_no_page(finished, tmp_path, field):
    runs = [replace(finished.runs[0], **{field: tmp_path / 'gone'}), *finished.runs[1:]]
    with pytest.raises(InputError, match=r'gone.*: (holds no training log|no prediction).*(again|give)'):
        write_quickstart_page(tmp_path / 'report.html', runs, finished.data_root, finished.palette, FACTS)
    assert not (tmp_path / 'report.html').exists()
