from xml.etree import ElementTree

import pytest
from finished_quickstart import PALETTE

from projects.false.reports.charts import class_legend, run_legend


def test_every_class_has_its_colour():
    text = class_legend(PALETTE)
    assert text.count('<li>') == 5
    assert '<span class="swatch" style="background:#C82828"></span> roof &lt;tin&gt; &amp; tile</li>' in text
    assert 'ignored, does not count' in text


@pytest.mark.parametrize(('kind', 'mark'), [('line', 'path'), ('bar', 'rect')])
def test_runs_have_the_mark_of_their_chart(kind, mark):
    root = ElementTree.fromstring(run_legend([(0, 'FALSE'), (2, 'a & b')], kind))
    assert [next(item.iter(mark)).get('class') for item in root] == [f'{kind} s0', f'{kind} s2']
    assert [item[0].tail.strip() for item in root] == ['FALSE', 'a & b']
