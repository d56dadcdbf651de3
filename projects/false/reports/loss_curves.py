"""Loss curves of pretraining and fine-tuning, as far as runs have logs."""

import html
from collections.abc import Sequence

from .charts import Curve, line_chart
from .legend import run_legend
from .runs import Run
from .training_logs import LossCurve, read_loss_curve


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
