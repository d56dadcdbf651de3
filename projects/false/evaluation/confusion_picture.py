"""A confusion matrix as a picture."""

import io
from collections.abc import Sequence

import numpy as np

_MOST_NUMBERS = 24  # classes; beyond it the numbers of the cells would run into each other


def confusion_picture(matrix: np.ndarray, classes: Sequence[str], title: str) -> bytes:
    """Draw where the pixels of every labelled class went: rows sum to 100 %.

    Args:
        matrix: Shape (C, C), pixels, rows are labels.
        classes: C names.
        title: Above the matrix.

    Returns:
        A PNG file. A class without a label has an empty row; the share of all labelled pixels stands at the right.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labelled, count = matrix.sum(1), len(classes)
    shares = np.divide(
        100.0 * matrix, labelled[:, None], out=np.full(matrix.shape, np.nan), where=labelled[:, None] > 0
    )
    side = 1.6 + 0.55 * min(count, 60)
    figure = Figure(figsize=(side + 2.4, side + 0.8), dpi=150, layout='constrained')
    axes = FigureCanvasAgg(figure).figure.subplots()
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=100)
    axes.set_xticks(range(count), classes, rotation=35, ha='right', rotation_mode='anchor')
    axes.set_yticks(range(count), classes)
    axes.set_xlabel('prediction')
    axes.set_ylabel('label')
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which='minor', color='0.85', linewidth=0.8)
    axes.tick_params(which='minor', length=0)
    right = axes.secondary_yaxis('right')
    of_all = 100 * labelled / max(labelled.sum(), 1)
    right.set_yticks(range(count), [f'{share:.1f} %' for share in of_all])
    right.set_ylabel('share of the labelled pixels')
    right.tick_params(length=0)
    right.spines[:].set_visible(False)
    if count <= _MOST_NUMBERS:
        for row, column in np.argwhere(~np.isnan(shares)):
            share, hit = shares[row, column], row == column
            look = dict(color='white' if share > 55 else 'black', fontweight='bold' if hit else 'normal', fontsize=9)
            axes.text(column, row, f'{share:.0f}' if share >= 0.5 or hit else '·', ha='center', va='center', **look)
    file = io.BytesIO()
    figure.savefig(file, format='png', metadata={'Software': None})
    return file.getvalue()
