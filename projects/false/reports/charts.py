"""Charts as inline SVG: bars, curves and intervals, with their ticks and legends."""

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from projects.false.imagery.palettes import Palette, to_hex

# Pixels of the view box, and characters of the longest name that is shown whole.
BARS_WIDTH, BARS_RIGHT, BARS_TOP = 440, 34, 22
BAR, GAP = 11, 10
LONGEST_GROUP = 20  # characters; a longer one is cut, and whole in its tooltip
CURVES_WIDTH, CURVES_HEIGHT = 440, 250
CURVES_LEFT, CURVES_RIGHT, CURVES_TOP, CURVES_BOTTOM = 46, 12, 12, 40
MOST_POINTS = 400  # more cannot be told apart at this width, but make the page large
INTERVALS_WIDTH, INTERVALS_RIGHT, INTERVALS_TOP, INTERVALS_ROW, INTERVALS_BOTTOM = 640, 16, 8, 26, 42
LONGEST_METHOD = 24  # characters; a longer one is cut, and whole in its tooltip


def axis_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within ``[low, high]``.

    Args:
        low: Lower end of the axis.
        high: Upper end, above ``low``.
        most: Largest number of ticks, at least 2.
    """
    raw = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def tick_texts(ticks: list[float]) -> list[str]:
    """Ticks with as many decimals as tell them apart."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f'{tick:.{decimals}f}'.replace('-', '\N{MINUS SIGN}') for tick in ticks]


def bar_chart(groups: Sequence[str], values: np.ndarray, description: str) -> str:
    """Draw percentages, one group of bars below the other.

    Args:
        groups: G names.
        values: Percent, NaN where there is no value. Column r has the style number r.
        description: What a reader who cannot see the chart is told.

    Shape:
        - values: (G, R)

    Returns:
        An ``<svg>`` element.
    """
    left = 14 + 6.6 * min(LONGEST_GROUP, max(len(name) for name in groups))
    step = BAR * values.shape[1] + GAP
    bottom = BARS_TOP + step * len(groups)
    unit = (BARS_WIDTH - left - BARS_RIGHT) / 100
    parts = []
    for percent in range(0, 101, 20):
        x = left + percent * unit
        parts.append(f'<path class="grid" d="M{x:.1f} {BARS_TOP}V{bottom:.1f}"/>')
        parts.append(f'<text class="tick middle" x="{x:.1f}" y="{BARS_TOP - 7}">{percent}</text>')
    for row, name in enumerate(groups):
        top = BARS_TOP + row * step + GAP / 2
        short = name if len(name) <= LONGEST_GROUP else name[: LONGEST_GROUP - 1] + '…'
        parts.append(
            f'<text class="name end" x="{left - 8:.1f}" y="{top + BAR * values.shape[1] / 2 + 4:.1f}">'
            f'<title>{html.escape(name)}</title>{html.escape(short)}</text>'
        )
        for column, value in enumerate(values[row]):
            y = top + column * BAR
            length = 0.0 if np.isnan(value) else float(value) * unit
            text = '–' if np.isnan(value) else f'{value:.1f}'
            parts.append(
                f'<rect class="bar s{column}" x="{left:.1f}" y="{y:.1f}" width="{length:.1f}" height="{BAR - 2}"/>'
            )
            parts.append(f'<text class="value" x="{left + length + 4:.1f}" y="{y + 8.5:.1f}">{text}</text>')
    parts.append(f'<path class="axis" d="M{left:.1f} {BARS_TOP}V{bottom:.1f}"/>')
    return _svg(BARS_WIDTH, round(bottom + 6), description, parts)


class Curve(NamedTuple):
    """One line of a chart.

    Args:
        style: Number of its colour and dash pattern in the style sheet.
        x: Shape (n,), rising.
        y: Shape (n,); a value that is not finite is a gap.
    """

    style: int
    x: np.ndarray
    y: np.ndarray


def line_chart(curves: Sequence[Curve], x_label: str, y_label: str, description: str) -> str:
    """Draw curves over a common axis.

    Args:
        curves: At least one, with a finite value.
        x_label: Text below.
        y_label: Text at the side.
        description: What a reader who cannot see the chart is told.

    Returns:
        An ``<svg>`` element.
    """
    curves = [_thinned(curve) for curve in curves]
    x_low, x_high = _span(np.concatenate([curve.x for curve in curves]), pad=0)
    y_low, y_high = _span(np.concatenate([curve.y for curve in curves]), pad=0.05)

    def across(x: float) -> float:
        return CURVES_LEFT + (x - x_low) / (x_high - x_low) * (CURVES_WIDTH - CURVES_LEFT - CURVES_RIGHT)

    def down(y: float) -> float:
        return (
            CURVES_HEIGHT
            - CURVES_BOTTOM
            - (y - y_low) / (y_high - y_low) * (CURVES_HEIGHT - CURVES_TOP - CURVES_BOTTOM)
        )

    parts = []
    ticks = axis_ticks(y_low, y_high)
    for y, text in zip(ticks, tick_texts(ticks), strict=True):
        parts.append(f'<path class="grid" d="M{CURVES_LEFT} {down(y):.1f}H{CURVES_WIDTH - CURVES_RIGHT}"/>')
        parts.append(f'<text class="tick end" x="{CURVES_LEFT - 6}" y="{down(y) + 4:.1f}">{text}</text>')
    ticks = axis_ticks(x_low, x_high)
    for x, text in zip(ticks, tick_texts(ticks), strict=True):
        parts.append(f'<path class="axis" d="M{across(x):.1f} {CURVES_HEIGHT - CURVES_BOTTOM}v4"/>')
        parts.append(
            f'<text class="tick middle" x="{across(x):.1f}" y="{CURVES_HEIGHT - CURVES_BOTTOM + 17}">{text}</text>'
        )
    parts.append(
        f'<path class="axis" d="M{CURVES_LEFT} {CURVES_HEIGHT - CURVES_BOTTOM}H{CURVES_WIDTH - CURVES_RIGHT}"/>'
    )
    centre, middle = (CURVES_LEFT + CURVES_WIDTH - CURVES_RIGHT) / 2, (CURVES_TOP + CURVES_HEIGHT - CURVES_BOTTOM) / 2
    parts.append(f'<text class="name middle" x="{centre}" y="{CURVES_HEIGHT - 5}">{html.escape(x_label)}</text>')
    parts.append(
        f'<text class="name middle" transform="translate(11 {middle}) rotate(-90)">{html.escape(y_label)}</text>'
    )
    for curve in curves:
        points = [(across(x), down(y)) if np.isfinite(y) else None for x, y in zip(curve.x, curve.y, strict=True)]
        parts.append(f'<path class="line s{curve.style}" d="{_path(points)}"/>')
        if len(points) <= 40:
            dots = ''.join(f'<circle cx="{p[0]:.1f}" cy="{p[1]:.1f}" r="2.2"/>' for p in points if p)
            parts.append(f'<g class="dots s{curve.style}">{dots}</g>')
    return _svg(CURVES_WIDTH, CURVES_HEIGHT, description, parts)


def _thinned(curve: Curve) -> Curve:
    kept = np.unique(np.linspace(0, len(curve.x) - 1, min(len(curve.x), MOST_POINTS)).round().astype(int))
    return Curve(curve.style, curve.x[kept], curve.y[kept])


def _span(values: np.ndarray, pad: float) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    margin = pad * (high - low) if high > low else max(abs(low), 1) * 0.5
    return low - margin, high + margin


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    commands, pen_down = [], False
    for point in points:
        if point is not None:
            commands.append(f'{"L" if pen_down else "M"}{point[0]:.1f} {point[1]:.1f}')
        pen_down = point is not None
    return ''.join(commands)


class Interval(NamedTuple):
    """One row.

    Args:
        name: At its left.
        mean: Where the dot is.
        low, high: Ends of the line; None draws the dot alone.
    """

    name: str
    mean: float
    low: float | None
    high: float | None


def interval_chart(intervals: Sequence[Interval], label: str, description: str) -> str:
    """Draw intervals below each other.

    Args:
        intervals: At least one.
        label: Text below the axis.
        description: What a reader who cannot see the chart is told.

    Returns:
        An ``<svg>`` element.
    """
    values = [0.0, *(value for row in intervals for value in row[1:] if value is not None)]
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 1.0
    low, high = low - margin, high + margin
    left = 14 + 6.6 * min(LONGEST_METHOD, max(len(row.name) for row in intervals))
    bottom = INTERVALS_TOP + INTERVALS_ROW * len(intervals)

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (INTERVALS_WIDTH - left - INTERVALS_RIGHT)

    ticks = axis_ticks(low, high, 9)
    parts = []
    for value, text in zip(ticks, tick_texts(ticks), strict=True):
        parts.append(f'<path class="grid" d="M{across(value):.1f} {INTERVALS_TOP}V{bottom}"/>')
        parts.append(f'<text class="tick middle" x="{across(value):.1f}" y="{bottom + 15}">{text}</text>')
    parts.append(f'<path class="axis" d="M{across(0):.1f} {INTERVALS_TOP}V{bottom}"/>')
    for number, row in enumerate(intervals):
        y = INTERVALS_TOP + INTERVALS_ROW * (number + 0.5)
        short = row.name if len(row.name) <= LONGEST_METHOD else row.name[: LONGEST_METHOD - 1] + '…'
        parts.append(
            f'<text class="name end" x="{left - 8:.1f}" y="{y + 4:.1f}">'
            f'<title>{html.escape(row.name)}</title>{html.escape(short)}</text>'
        )
        if row.low is not None:
            ends = f'M{across(row.low):.1f} {y - 4}v8m0 -4H{across(row.high):.1f}m0 -4v8'
            parts.append(f'<path class="line s0" d="{ends}"/>')
        parts.append(f'<g class="dots s0"><circle cx="{across(row.mean):.1f}" cy="{y}" r="4"/></g>')
    middle = (left + INTERVALS_WIDTH - INTERVALS_RIGHT) / 2
    parts.append(f'<text class="name middle" x="{middle:.1f}" y="{bottom + 34}">{html.escape(label)}</text>')
    return _svg(INTERVALS_WIDTH, bottom + INTERVALS_BOTTOM, description, parts)


def swatch(palette: Palette, index: int) -> str:
    """A small square in the colour of a class."""
    return f'<span class="swatch" style="background:{to_hex(palette.colors[index])}"></span>'


def class_legend(palette: Palette) -> str:
    """All classes with their colours, and the grey of ignored pixels."""
    items = [f'<li>{swatch(palette, index)} {html.escape(name)}</li>' for index, name in enumerate(palette.classes)]
    items.append('<li><span class="swatch ignored"></span> ignored, does not count</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


def run_legend(runs: Sequence[tuple[int, str]], kind: str) -> str:
    """Names of runs with their line or bar.

    Args:
        runs: Style number and name of every run.
        kind: ``'line'`` or ``'bar'``.
    """
    marks = {
        'line': '<path class="line s{0}" d="M1 5H27"/>',
        'bar': '<rect class="bar s{0}" width="28" height="10"/>',
    }
    items = (
        f'<li><svg class="key" viewBox="0 0 28 10" aria-hidden="true">{marks[kind].format(style)}</svg> '
        f'{html.escape(name)}</li>'
        for style, name in runs
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def _svg(width: float, height: float, description: str, parts: Sequence[str]) -> str:
    label = html.escape(description)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
