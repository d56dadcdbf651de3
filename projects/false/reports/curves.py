"""Curves of logged values: losses as SVG for a page, any value as one picture."""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from projects.false.common.errors import InputError

from .charts import Curve, line_chart, run_legend
from .score_tables import Run
from .training_logs import LossCurve, TrainingLog, read_loss_curve


def loss_curves(runs: Sequence[Run]) -> str:
    """One chart for every pretraining, since their losses differ, and one for all fine-tunings.

    Returns:
        HTML; empty where no run has a log.

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
            '<p>The losses of pretraining are different functions: compare how they fall, not how high they are.</p>'
        )
    if pretraining:
        parts.append(f'<div class="pair">{"".join(pretraining)}</div>')
    if finetuning:
        legend = run_legend([(style, name) for style, name, _ in finetuning], 'line')
        parts.append(f'<div class="alone">{_chart("Fine-tuning", finetuning, legend)}</div>')
    return ''.join(parts)


def _chart(title: str, curves: Sequence[tuple[int, str, LossCurve]], legend: str = '') -> str:
    told = '; '.join(
        f'{name} from {found.losses[0]:.3g} at step {found.steps[0]} '
        f'to {found.losses[-1]:.3g} at step {found.steps[-1]}'
        for _, name, found in curves
    )
    lines = [Curve(style, found.steps, found.losses) for style, _, found in curves]
    chart = line_chart(lines, 'iteration', 'loss', f'{title}, loss by iteration: {told}')
    return f'<figure><h3>{html.escape(title)}</h3>{legend}{chart}</figure>'


def logged_curve(log: TrainingLog, key: str, name: str) -> LossCurve:
    """One logged value by step, from training, or from validation where training does not log it.

    Args:
        log: What the run logged.
        key: Such as ``loss``, ``lr`` or ``mIoU``.
        name: The run in messages.

    Raises:
        InputError: The run logged nothing, or nothing of that name.
    """
    for entries in (log.training, log.evaluation):
        found = {step: entry[key] for step, entry in entries.items() if key in entry}
        if found:
            return LossCurve(np.array(list(found)), np.array(list(found.values())))
    known = dict.fromkeys(key for part in log[:2] for entry in part.values() for key in entry)
    known = [key for key in known if key not in ('step', 'iter')]
    if not known:
        raise InputError(f'{name}: the log is empty; train for longer than one logging interval')
    raise InputError(f'{name}: the log has no {key!r}; it has {", ".join(known)}')


def plot_curves(curves: Sequence[Sequence[LossCurve]], names: Sequence[str], keys: Sequence[str], out: Path) -> None:
    """Draw the values of every run over the iterations, one panel a value, and write the picture.

    Args:
        curves: For every run its curves, one a key.
        names: Names of the runs.
        keys: Names of the values.
        out: File to write; its suffix chooses the format, such as ``.png`` or ``.pdf``.

    Raises:
        InputError: The file cannot be written, or its suffix is of no known format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.2, 1.4 + 2.6 * len(keys)), dpi=150, layout='constrained')
    panels = FigureCanvasAgg(figure).figure.subplots(len(keys), sharex=True, squeeze=False)[:, 0]
    for number, (key, axes) in enumerate(zip(keys, panels, strict=True)):
        for name, of_run in zip(names, curves, strict=True):
            alone = len(of_run[number].steps) == 1  # a validation at the end, no line
            look = dict(marker='o', linestyle='none') if alone else dict(linewidth=1.4)
            axes.plot(of_run[number].steps, of_run[number].losses, label=name, markersize=5, **look)
        axes.set_ylabel(key)
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    panels[-1].set_xlabel('iteration')
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc='outside upper center', ncols=1 if max(map(len, names)) > 40 else 3, frameon=False
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, format=out.suffix[1:] or 'png')  # without a format it would add a suffix
    except (OSError, ValueError) as error:
        raise InputError(f'{out}: picture cannot be written ({error}); choose another --out') from error
