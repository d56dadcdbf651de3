"""Curves as inline SVG: takes the colours and the font of the page, light or dark."""

import html
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .axis_ticks import axis_ticks, tick_texts

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 40
MOST_POINTS = 400  # more cannot be told apart at this width, but make the page large


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
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    ticks = axis_ticks(y_low, y_high)
    for y, text in zip(ticks, tick_texts(ticks), strict=True):
        parts.append(f'<path class="grid" d="M{LEFT} {down(y):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 6}" y="{down(y) + 4:.1f}">{text}</text>')
    ticks = axis_ticks(x_low, x_high)
    for x, text in zip(ticks, tick_texts(ticks), strict=True):
        parts.append(f'<path class="axis" d="M{across(x):.1f} {HEIGHT - BOTTOM}v4"/>')
        parts.append(f'<text class="tick middle" x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 17}">{text}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    centre, middle = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text class="name middle" x="{centre}" y="{HEIGHT - 5}">{html.escape(x_label)}</text>')
    parts.append(
        f'<text class="name middle" transform="translate(11 {middle}) rotate(-90)">{html.escape(y_label)}</text>'
    )
    for curve in curves:
        points = [(across(x), down(y)) if np.isfinite(y) else None for x, y in zip(curve.x, curve.y, strict=True)]
        parts.append(f'<path class="line s{curve.style}" d="{_path(points)}"/>')
        if len(points) <= 40:
            dots = ''.join(f'<circle cx="{p[0]:.1f}" cy="{p[1]:.1f}" r="2.2"/>' for p in points if p)
            parts.append(f'<g class="dots s{curve.style}">{dots}</g>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(description)}">{"".join(parts)}</svg>'
    )


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
