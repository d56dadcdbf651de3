from xml.etree import ElementTree

import numpy as np
import pytest

from projects.false.reports.charts import bar_chart


def test_bars_are_as_long_as_their_values():
    root = ElementTree.fromstring(bar_chart(['a', 'b & <c>'], np.array([[100.0, 50.0], [25.0, np.nan]]), 'all "bars"'))
    lengths = [float(bar.get('width')) for bar in root.findall('rect')]
    assert np.array(lengths) / lengths[0] == pytest.approx([1, 0.5, 0.25, 0], abs=1e-3)
    texts = [text.text for text in root.findall("text[@class='value']")]
    assert texts == ['100.0', '50.0', '25.0', '–']
    assert root.get('aria-label') == 'all "bars"'
    assert [title.text for title in root.iter('title')] == ['a', 'b & <c>']


def test_nothing_leaves_the_drawing():
    root = ElementTree.fromstring(bar_chart(['a very long name of a class, too long'], np.array([[100.0]]), 'd'))
    width = float(root.get('viewBox').split()[2])
    bar = root.find('rect')
    assert float(bar.get('x')) + float(bar.get('width')) < width - 30
