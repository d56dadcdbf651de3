import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.false.reports.charts import (
    MOST_POINTS,
    Curve,
    Interval,
    axis_ticks,
    bar_chart,
    class_legend,
    interval_chart,
    line_chart,
    run_legend,
    tick_texts,
)
from tests.helpers.finished_quickstart import PALETTE


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


def test_bars_are_as_long_as_their_values():
    root = ElementTree.fromstring(bar_chart(['a', 'b & <c>'], np.array([[100.0, 50.0], [25.0, np.nan]]), 'all "bars"'))
    lengths = [float(bar.get('width')) for bar in root.findall('rect')]
    assert np.array(lengths) / lengths[0] == pytest.approx([1, 0.5, 0.25, 0], abs=1e-3)
    texts = [text.text for text in root.findall("text[@class='value']")]
    assert texts == ['100.0', '50.0', '25.0', '–']
    assert root.get('aria-label') == 'all "bars"'
    assert [title.text for title in root.iter('title')] == ['a', 'b & <c>']


def test_no_bar_leaves_the_drawing():
    root = ElementTree.fromstring(bar_chart(['a very long name of a class, too long'], np.array([[100.0]]), 'd'))
    width = float(root.get('viewBox').split()[2])
    bar = root.find('rect')
    assert float(bar.get('x')) + float(bar.get('width')) < width - 30


@pytest.mark.parametrize(
    ('low', 'high', 'texts'),
    [
        (0, 100, ['0', '20', '40', '60', '80', '100']),
        (3.4, 5.2, ['3.5', '4.0', '4.5', '5.0']),
        (-0.1, 0.3, ['−0.1', '0.0', '0.1', '0.2', '0.3']),
        (0.001, 0.004, ['0.001', '0.002', '0.003', '0.004']),
        (5, 12000, ['5000', '10000']),
    ],
)
def test_round_numbers(low, high, texts):
    assert tick_texts(axis_ticks(low, high)) == texts


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_few_different_ticks_within(low, width):
    ticks = axis_ticks(low, low + width)
    assert 1 <= len(ticks) <= 6
    assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in ticks)
    assert len(set(tick_texts(ticks))) == len(ticks)


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
