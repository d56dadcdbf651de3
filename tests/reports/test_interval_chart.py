import re
from xml.etree import ElementTree

import pytest

from projects.false.reports.charts import Interval, interval_chart

ROWS = [Interval('FALSE & more', 2.0, 1.0, 3.5), Interval('random', -1.0, -2.0, 0.5), Interval('once', 0.5, None, None)]


def drawn():
    return ElementTree.fromstring(interval_chart(ROWS, 'points', 'told "so"'))


def test_dots_and_ends_lie_at_their_values():
    root = drawn()
    ticks = {
        float(text.text.replace('−', '-')): float(text.get('x')) for text in root.findall("text[@class='tick middle']")
    }
    one, two = sorted(ticks)[:2]
    unit, zero = (ticks[two] - ticks[one]) / (two - one), ticks[0]
    dots = [float(dot.get('cx')) for dot in root.iter('circle')]
    assert [(x - zero) / unit for x in dots] == pytest.approx([2.0, -1.0, 0.5], abs=0.02)
    ends = [re.match(r'M(\S+) .*H([\d.]+)m', path.get('d')).groups() for path in root.findall("path[@class='line s0']")]
    assert [[(float(x) - zero) / unit for x in pair] for pair in ends] == [
        pytest.approx([1.0, 3.5], abs=0.02),
        pytest.approx([-2.0, 0.5], abs=0.02),
    ]
    (axis,) = root.findall("path[@class='axis']")
    assert float(axis.get('d').split()[0][1:]) == pytest.approx(zero)
    assert root.get('aria-label') == 'told "so"'


def test_nothing_leaves_the_drawing():
    root = drawn()
    width, height = map(float, root.get('viewBox').split()[2:])
    assert all(0 <= float(text.get('x')) <= width and float(text.get('y')) < height for text in root.iter('text'))


def test_equal_values_have_an_axis():
    assert '<circle' in interval_chart([Interval('same', 0.0, 0.0, 0.0)], 'points', '')
