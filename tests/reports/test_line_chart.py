import re
from xml.etree import ElementTree

import numpy as np

from projects.false.reports.charts import MOST_POINTS, Curve, line_chart


def paths(svg):
    return [
        re.findall('[ML]', path.get('d'))
        for path in ElementTree.fromstring(svg).findall('path[@class]')
        if 'line' in path.get('class')
    ]


def test_one_path_a_curve():
    curves = [Curve(0, np.arange(5), np.arange(5.0)), Curve(2, np.arange(3), np.ones(3))]
    svg = line_chart(curves, 'iteration', 'loss <1 & more', 'both "fall"')
    assert paths(svg) == [['M', *'LLLL'], ['M', *'LL']]
    root = ElementTree.fromstring(svg)
    assert root.get('aria-label') == 'both "fall"'
    assert 'loss <1 & more' in [text.text for text in root.findall('text')]


def test_higher_values_are_higher_up():
    svg = line_chart([Curve(0, np.array([1, 2]), np.array([5.0, 1.0]))], 'x', 'y', 'd')
    (first, second) = re.findall(r'[ML]([\d.]+) ([\d.]+)', re.search(r'class="line s0" d="([^"]+)"', svg)[1])
    assert float(first[0]) < float(second[0])
    assert float(first[1]) < float(second[1])


def test_gaps_where_the_loss_is_not_finite():
    values = np.array([1, np.nan, 2, 3, np.inf])
    assert paths(line_chart([Curve(0, np.arange(5), values)], 'x', 'y', 'd')) == [['M', 'M', 'L']]


def test_a_single_point_and_a_flat_curve():
    for values in (np.array([2.0]), np.zeros(3)):
        svg = line_chart([Curve(0, np.arange(len(values)), values)], 'x', 'y', 'd')
        assert 'nan' not in svg
        assert svg.count('<circle') == len(values)


def test_long_curves_are_thinned_and_keep_their_ends():
    long = Curve(0, np.arange(10_000), np.linspace(5, 1, 10_000))
    assert len(paths(line_chart([long], 'x', 'y', 'd'))[0]) == MOST_POINTS
