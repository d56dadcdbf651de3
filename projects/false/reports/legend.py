"""What the colours and lines of a page stand for."""

import html
from collections.abc import Sequence

from projects.false.datasets.palette import Palette, to_hex


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
