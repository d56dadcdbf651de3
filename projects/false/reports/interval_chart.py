"""Differences with their confidence intervals as inline SVG, one row each, around a line at 0."""

import html
from collections.abc import Sequence
from typing import NamedTuple

from .axis_ticks import axis_ticks, tick_texts

WIDTH, RIGHT, TOP, ROW, BOTTOM = 640, 16, 8, 26, 42
LONGEST_NAME = 24  # characters; a longer one is cut, and whole in its tooltip


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
    left = 14 + 6.6 * min(LONGEST_NAME, max(len(row.name) for row in intervals))
    bottom = TOP + ROW * len(intervals)

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (WIDTH - left - RIGHT)

    ticks = axis_ticks(low, high, 9)
    parts = []
    for value, text in zip(ticks, tick_texts(ticks), strict=True):
        parts.append(f'<path class="grid" d="M{across(value):.1f} {TOP}V{bottom}"/>')
        parts.append(f'<text class="tick middle" x="{across(value):.1f}" y="{bottom + 15}">{text}</text>')
    parts.append(f'<path class="axis" d="M{across(0):.1f} {TOP}V{bottom}"/>')
    for number, row in enumerate(intervals):
        y = TOP + ROW * (number + 0.5)
        short = row.name if len(row.name) <= LONGEST_NAME else row.name[: LONGEST_NAME - 1] + '…'
        parts.append(
            f'<text class="name end" x="{left - 8:.1f}" y="{y + 4:.1f}">'
            f'<title>{html.escape(row.name)}</title>{html.escape(short)}</text>'
        )
        if row.low is not None:
            ends = f'M{across(row.low):.1f} {y - 4}v8m0 -4H{across(row.high):.1f}m0 -4v8'
            parts.append(f'<path class="line s0" d="{ends}"/>')
        parts.append(f'<g class="dots s0"><circle cx="{across(row.mean):.1f}" cy="{y}" r="4"/></g>')
    middle = (left + WIDTH - RIGHT) / 2
    parts.append(f'<text class="name middle" x="{middle:.1f}" y="{bottom + 34}">{html.escape(label)}</text>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + BOTTOM}" role="img" aria-label="{html.escape(description)}">'
        f'{"".join(parts)}</svg>'
    )
