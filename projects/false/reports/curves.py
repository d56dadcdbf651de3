"""Draw curves of logged values: losses as SVG for a page, any value as a picture file."""

import html
from collections.abc import Sequence
from pathlib import Path

from projects.false.common.errors import InputError

from .charts import Curve, line_chart, run_legend
from .score_tables import Run
from .training_logs import LoggedCurve, read_loss_curve


def loss_curves(runs: Sequence[Run]) -> str:
    """Draw the losses of each pretraining in its own chart, and those of all fine-tunings in a single one.

    Returns:
        HTML; empty if no run has a log.

    Raises:
        InputError: A log that a run names is missing or damaged.
    """
    pretraining = [
        _chart(f'Pretraining: {run.name}', [(style, run.name, read_loss_curve(run.pretraining_log))])
        for style, run in enumerate(runs)
        if run.pretraining_log is not None
    ]
    finetuning = [
        (style, run.name, read_loss_curve(run.training_log))
        for style, run in enumerate(runs)
        if run.training_log is not None
    ]
    parts = []
    if len(pretraining) > 1:
        parts.append(
            '<p>These pretraining losses are different functions: compare their slopes, not their heights.</p>'
        )
    if pretraining:
        parts.append(f'<div class="pair">{"".join(pretraining)}</div>')
    if finetuning:
        legend = run_legend([(style, name) for style, name, _ in finetuning], 'line')
        parts.append(f'<div class="alone">{_chart("Fine-tuning", finetuning, legend)}</div>')
    return ''.join(parts)


def _chart(title: str, curves: Sequence[tuple[int, str, LoggedCurve]], legend: str = '') -> str:
    summary = '; '.join(
        f'{name} from {found.values[0]:.3g} at step {found.steps[0]} '
        f'to {found.values[-1]:.3g} at step {found.steps[-1]}'
        for _, name, found in curves
    )
    lines = [Curve(style, found.steps, found.values) for style, _, found in curves]
    chart = line_chart(lines, 'iteration', 'loss', f'{title}, loss by iteration: {summary}')
    return f'<figure><h3>{html.escape(title)}</h3>{legend}{chart}</figure>'


def plot_curves(curves: Sequence[Sequence[LoggedCurve]], names: Sequence[str], keys: Sequence[str], out: Path) -> None:
    """Draw values of several runs over the iterations, one panel per value, and write the picture.

    Args:
        curves: Curves per run, one per key.
        names: Names of the runs.
        keys: Names of the values.
        out: File to write; its suffix chooses the format, such as ``.png`` or ``.pdf``.

    Raises:
        InputError: The file cannot be written, or its suffix names no known format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.2, 1.4 + 2.6 * len(keys)), dpi=150, layout='constrained')
    panels = FigureCanvasAgg(figure).figure.subplots(len(keys), sharex=True, squeeze=False)[:, 0]
    for number, (key, axes) in enumerate(zip(keys, panels, strict=True)):
        lines: list[Line2D] = []
        for of_run in curves:
            alone = len(of_run[number].steps) == 1  # such as a single validation, which has no line to draw
            look = dict(marker='o', linestyle='none') if alone else dict(linewidth=1.4)
            lines += axes.plot(of_run[number].steps, of_run[number].values, markersize=5, **look)
        axes.set_ylabel(key)
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    panels[-1].set_xlabel('iteration')
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    columns = 1 if max(map(len, names)) > 40 else 3
    figure.legend(lines, names, loc='outside upper center', ncols=columns, frameon=False)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, format=out.suffix[1:] or 'png')  # without a format, matplotlib adds a suffix
    except (OSError, ValueError) as error:
        raise InputError(f'{out}: picture cannot be written ({error}); choose another --out') from error
