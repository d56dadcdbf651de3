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
    """State for every number of labelled patches which method scored best, and whether that is beyond chance."""
    by_number: dict[int, list[tuple[str, MethodSummary]]] = {}
    for comparison in comparisons:
        rows = by_number.setdefault(comparison.labelled, [])
        rows += [(comparison.protocol, row) for row in comparison.rows if row.runs == row.planned]
    several = len({comparison.protocol for comparison in comparisons}) > 1
    lines = []
    for number, rows in sorted(by_number.items()):
        if len(rows) < 2:
            continue
        protocol, best = max(rows, key=lambda entry: entry[1].means[HEADLINE])
        name = f'{best.method} with {protocol}' if several else best.method
        line = f'With {number} labelled patches, {name} scores highest: {best.means[HEADLINE]:.2f}'
        if best.method == baseline:
            lines.append(f'{line}. Nothing gains over {baseline}.')
        elif best.difference is None:
            lines.append(f'{line}; the runs of {baseline} are not all finished.')
        elif best.difference.clear():
            lines.append(f'{line}, {difference_text(best)} against {baseline}.')
        else:
            lines.append(f'{line}, {difference_text(best)} against {baseline}, which chance may explain.')
    return lines


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
