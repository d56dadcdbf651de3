"""The benefit of more labels: scores over the number of labelled patches, as a chart and in words."""

import base64
import html
import io
from collections.abc import Sequence

from .summary import HEADLINE, MethodComparison, MethodSummary, difference_text

_COLORS = ('#1f4e79', '#c0504d', '#4f8a3c', '#7f5fa8', '#d08a1d', '#3a9aa8', '#8c6d5a', '#555555')
_MARKS = 'osD^vP<>'


def labels_section(comparisons: Sequence[MethodComparison], baseline: str) -> str:
    """Draw mIoU and its difference to the baseline over the number of labelled patches, and say what follows.

    Returns:
        HTML with the picture inside; empty where every protocol has one number of labels.
    """
    if not protocols_with_more(comparisons):
        return ''
    picture = base64.b64encode(labels_picture(comparisons, baseline)).decode()
    words = ''.join(f'<li>{html.escape(line)}</li>' for line in labels_advice(comparisons, baseline))
    text = html.escape(f'{HEADLINE} over the number of labelled patches. Bars are the intervals of the table.')
    return (
        f'<figure><img src="data:image/png;base64,{picture}" alt="{text}" style="max-width:100%">'
        f'<figcaption>{text}</figcaption></figure><ul>{words}</ul>'
    )


def labels_advice(comparisons: Sequence[MethodComparison], baseline: str) -> list[str]:
    """State per protocol and number of labelled patches which method scored best, and whether that is beyond chance."""
    protocols = list(dict.fromkeys(comparison.protocol for comparison in comparisons))
    lines = []
    for comparison in sorted(comparisons, key=lambda part: (protocols.index(part.protocol), part.labelled)):
        rows = [row for row in comparison.rows if row.runs == row.planned]
        if len(rows) < 2:
            continue
        best = max(rows, key=lambda row: row.means[HEADLINE])
        protocol = f'{comparison.protocol} and ' if len(protocols) > 1 else ''
        lines.append(
            f'With {protocol}{comparison.labelled} labelled patches, {best.method} scores highest of {len(rows)} '
            f'methods: {best.means[HEADLINE]:.2f}{_against(best, len(rows), baseline)}'
        )
    return lines


def _against(best: MethodSummary, compared: int, baseline: str) -> str:
    """Say what the difference of the best method to the baseline is worth."""
    if best.method == baseline:
        return '. It is the baseline: none of the others gains over it.'
    if best.difference is None:
        return f'; the runs of {baseline} are not all finished.'
    line = f', {difference_text(best)} against {baseline}'
    if not best.difference.clear():
        return f'{line}, which chance may explain.'
    if compared == 2:
        return f'{line}.'
    return f'{line}. The best of several was picked after the fact and is likely to gain less than that.'


def labels_picture(comparisons: Sequence[MethodComparison], baseline: str) -> bytes:
    """Draw one row of two panels per protocol with several numbers of labels; return a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    protocols = protocols_with_more(comparisons)
    figure = Figure(figsize=(10, 3.8 * len(protocols)), dpi=110, layout='constrained')
    axes = FigureCanvasAgg(figure).figure.subplots(len(protocols), 2, squeeze=False)
    methods = list(dict.fromkeys(row.method for comparison in comparisons for row in comparison.rows))
    for (scores, differences), protocol in zip(axes, protocols, strict=True):
        found = sorted((part for part in comparisons if part.protocol == protocol), key=lambda part: part.labelled)
        for place, method in enumerate(methods):
            color, mark = _COLORS[place % len(_COLORS)], _MARKS[place % len(_MARKS)]
            points = [(part.labelled, row) for part in found for row in part.rows if row.method == method]
            numbers, means = [number for number, _ in points], [row.means[HEADLINE] for _, row in points]
            scores.plot(numbers, means, color=color, marker=mark, ms=5, lw=1.5, label=method)
            for number, row in points:
                if row.difference is not None:
                    low, high = row.difference.low, row.difference.high
                    x = number * 1.03 ** (place - len(methods) / 2)  # beside each other, not on top
                    differences.plot([x], [row.difference.mean], color=color, marker=mark, ms=5)
                    if low is not None:
                        differences.plot([x, x], [low, high], color=color, lw=1.5)
        differences.axhline(0, color='0.5', lw=1, ls='--')
        ticks = [part.labelled for part in found]
        for panel, title in ((scores, f'{protocol}: {HEADLINE}'), (differences, f'minus that of {baseline}')):
            panel.set_title(title, fontsize=10)
            panel.set_xscale('log')
            panel.set_xticks(ticks, [str(tick) for tick in ticks])
            panel.minorticks_off()
            panel.set_xlabel('labelled patches')
            panel.spines[['top', 'right']].set_visible(False)
            panel.grid(color='0.92')
        scores.legend(frameon=False, fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format='png', metadata={'Software': None})
    return file.getvalue()


def protocols_with_more(comparisons: Sequence[MethodComparison]) -> list[str]:
    """Return the protocols that have several numbers of labels."""
    names = [comparison.protocol for comparison in comparisons]
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]
