"""Charts of bars, curves and intervals as inline SVG, and their legends."""

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from projects.false.imagery.palettes import Palette, to_hex

MOST_POINTS = 400  # per curve; more are not visible at its width, but make the page large
# Sizes in pixels of the view box, and the longest name in characters; a longer one is whole in its tooltip only.
BARS_WIDTH, BARS_RIGHT, BARS_TOP, BARS_LONGEST = 440, 34, 22, 20
BAR, GAP = 11, 10  # height of a bar, and distance between groups
CURVES_WIDTH, CURVES_HEIGHT = 440, 250
CURVES_LEFT, CURVES_RIGHT, CURVES_TOP, CURVES_BOTTOM = 46, 12, 12, 40
INTERVALS_WIDTH, INTERVALS_RIGHT, INTERVALS_TOP, INTERVALS_ROW, INTERVALS_BOTTOM = 640, 16, 8, 26, 42
INTERVALS_LONGEST = 24


def bar_chart(groups: Sequence[str], values: np.ndarray, description: str) -> str:
    """Draw percentages as horizontal bars, group below group.

    Args:
        groups: Names of the G groups.
        values: In percent, NaN for no value. Column r is drawn in style r.
        description: Text for readers who cannot see the chart.

    Shape:
        - values: (G, R)

    Returns:
        An ``<svg>`` element.
    """
    left = _names_width(groups, BARS_LONGEST)
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
        parts.append(_row_name(name, BARS_LONGEST, left, top + BAR * values.shape[1] / 2))
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
        x: Rising.
        y: A value that is not finite leaves a gap.

    Shape:
        - x, y: (n,)
    """

    style: int
    x: np.ndarray
    y: np.ndarray


def line_chart(curves: Sequence[Curve], x_label: str, y_label: str, description: str) -> str:
    """Draw curves over a common axis.

    Args:
        curves: At least one, and at least one finite value among them.
        x_label: Text below the chart.
        y_label: Text at its left.
        description: Text for readers who cannot see the chart.

    Returns:
        An ``<svg>`` element.
    """
    curves = [_thinned(curve) for curve in curves]
    bottom, right = CURVES_HEIGHT - CURVES_BOTTOM, CURVES_WIDTH - CURVES_RIGHT
    x_low, x_high = _span(np.concatenate([curve.x for curve in curves]), pad=0)
    y_low, y_high = _span(np.concatenate([curve.y for curve in curves]), pad=0.05)

    def across(x: float) -> float:
        return CURVES_LEFT + (x - x_low) / (x_high - x_low) * (right - CURVES_LEFT)

    def down(y: float) -> float:
        return bottom - (y - y_low) / (y_high - y_low) * (bottom - CURVES_TOP)

    parts = []
    ticks = axis_ticks(y_low, y_high)
    for y, text in zip(ticks, tick_texts(ticks), strict=True):
        parts.append(f'<path class="grid" d="M{CURVES_LEFT} {down(y):.1f}H{right}"/>')
        parts.append(f'<text class="tick end" x="{CURVES_LEFT - 6}" y="{down(y) + 4:.1f}">{text}</text>')
    ticks = axis_ticks(x_low, x_high)
    for x, text in zip(ticks, tick_texts(ticks), strict=True):
        parts.append(f'<path class="axis" d="M{across(x):.1f} {bottom}v4"/>')
        parts.append(f'<text class="tick middle" x="{across(x):.1f}" y="{bottom + 17}">{text}</text>')
    parts.append(f'<path class="axis" d="M{CURVES_LEFT} {bottom}H{right}"/>')
    centre, middle = (CURVES_LEFT + right) / 2, (CURVES_TOP + bottom) / 2
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
    """Keep evenly spaced points of a long curve, the first and the last among them."""
    kept = np.unique(np.linspace(0, len(curve.x) - 1, min(len(curve.x), MOST_POINTS)).round().astype(int))
    return Curve(curve.style, curve.x[kept], curve.y[kept])


def _span(values: np.ndarray, pad: float) -> tuple[float, float]:
    """Return the range of the finite values, widened by a share of it at both ends."""
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
    """One row of a chart of intervals.

    Args:
        name: Text at its left.
        mean: Position of the dot.
        low, high: Ends of the line; None draws the dot alone.
    """

    name: str
    mean: float
    low: float | None
    high: float | None


def interval_chart(intervals: Sequence[Interval], label: str, description: str) -> str:
    """Draw intervals, one per row, over an axis that includes 0.

    Args:
        intervals: At least one.
        label: Text below the axis.
        description: Text for readers who cannot see the chart.

    Returns:
        An ``<svg>`` element.
    """
    values = [0.0, *(value for row in intervals for value in (row.mean, row.low, row.high) if value is not None)]
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 1.0
    low, high = low - margin, high + margin
    left = _names_width([row.name for row in intervals], INTERVALS_LONGEST)
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
        parts.append(_row_name(row.name, INTERVALS_LONGEST, left, y))
        if row.low is not None and row.high is not None:
            ends = f'M{across(row.low):.1f} {y - 4}v8m0 -4H{across(row.high):.1f}m0 -4v8'
            parts.append(f'<path class="line s0" d="{ends}"/>')
        parts.append(f'<g class="dots s0"><circle cx="{across(row.mean):.1f}" cy="{y}" r="4"/></g>')
    middle = (left + INTERVALS_WIDTH - INTERVALS_RIGHT) / 2
    parts.append(f'<text class="name middle" x="{middle:.1f}" y="{bottom + 34}">{html.escape(label)}</text>')
    return _svg(INTERVALS_WIDTH, bottom + INTERVALS_BOTTOM, description, parts)


def swatch(palette: Palette, index: int) -> str:
    """Return a small square in the colour of a class."""
    return f'<span class="swatch" style="background:{to_hex(palette.colors[index])}"></span>'


def class_legend(palette: Palette) -> str:
    """Return a legend of all classes and of ignored pixels."""
    items = [f'<li>{swatch(palette, index)} {html.escape(name)}</li>' for index, name in enumerate(palette.classes)]
    items.append('<li><span class="swatch ignored"></span> ignored, does not count</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


def run_legend(runs: Sequence[tuple[int, str]], kind: str) -> str:
    """Return a legend of runs, each with its line or bar.

    Args:
        runs: Style number and name per run.
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


def axis_ticks(low: float, high: float, max_ticks: int = 6) -> list[float]:
    """Choose ticks for an axis: multiples of 1, 2 or 5 times a power of ten within ``[low, high]``.

    Args:
        low: Lower end of the axis.
        high: Upper end, above ``low``.
        max_ticks: Largest number of ticks, at least 2.

    Example:
        >>> axis_ticks(0, 10)
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    raw = (high - low) / (max_ticks - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def tick_texts(ticks: list[float]) -> list[str]:
    """Format ticks with as many decimals as tell them apart."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f'{tick:.{decimals}f}'.replace('-', '\N{MINUS SIGN}') for tick in ticks]


def _names_width(names: Sequence[str], longest: int) -> float:
    """Return the width in pixels that the names of rows take, cut at ``longest`` characters."""
    return 14 + 6.6 * min(longest, max(map(len, names)))


def _row_name(name: str, longest: int, left: float, middle: float) -> str:
    """Return the name of a row that begins at ``left``, cut at ``longest`` characters, whole in its tooltip."""
    short = name if len(name) <= longest else name[: longest - 1] + '…'
    return (
        f'<text class="name end" x="{left - 8:.1f}" y="{middle + 4:.1f}">'
        f'<title>{html.escape(name)}</title>{html.escape(short)}</text>'
    )


def _svg(width: float, height: float, description: str, parts: Sequence[str]) -> str:
    label = html.escape(description)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
