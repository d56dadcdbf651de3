"""Grouped horizontal bars as inline SVG."""

import html
from collections.abc import Sequence

import numpy as np

WIDTH, RIGHT, TOP = 440, 34, 22
BAR, GAP = 11, 10
LONGEST_NAME = 20  # characters; a longer one is cut, and whole in its tooltip


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
    left = 14 + 6.6 * min(LONGEST_NAME, max(len(name) for name in groups))
    step = BAR * values.shape[1] + GAP
    bottom = TOP + step * len(groups)
    unit = (WIDTH - left - RIGHT) / 100
    parts = []
    for percent in range(0, 101, 20):
        x = left + percent * unit
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom:.1f}"/>')
        parts.append(f'<text class="tick middle" x="{x:.1f}" y="{TOP - 7}">{percent}</text>')
    for row, name in enumerate(groups):
        top = TOP + row * step + GAP / 2
        short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + '…'
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
    parts.append(f'<path class="axis" d="M{left:.1f} {TOP}V{bottom:.1f}"/>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + 6:.0f}" role="img" aria-label="{html.escape(description)}">'
        f'{"".join(parts)}</svg>'
    )
