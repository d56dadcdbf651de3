"""Fit one temperature so that a model's confidence matches the share of pixels that it gets right.

Most networks are overconfident. Dividing all logits by one number keeps the predicted classes and corrects the
probabilities: Guo et al. (2017), https://arxiv.org/abs/1706.04599.
"""

import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from projects.false.common.errors import InputError, check_count, check_seed
from projects.false.common.files import atomic_write, writable
from projects.false.imagery.images import band_order
from projects.false.imagery.palettes import IGNORE_INDEX
from projects.false.mapping.segmenter import Segmenter

BINS = 15  # of equal width in [0, 1], as in the paper
COOLEST, HOTTEST = 0.05, 20.0
MOST_PIXELS = 1_000_000  # of all patches together; more do not change the second digit


class Reliability(NamedTuple):
    """Share of correct pixels by confidence.

    Args:
        counts: Pixels per bin of confidence.
        confidence: Their mean confidence; NaN in an empty bin.
        accuracy: Share of them that is right; NaN in an empty bin.

    Shape:
        - counts, confidence, accuracy: (BINS,)
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error: mean distance between confidence and accuracy, weighted by pixels."""
        used = self.counts > 0
        gap = np.abs(self.confidence - self.accuracy)[used]
        return float((gap * self.counts[used]).sum() / self.counts.sum())


class Calibration(NamedTuple):
    """A fitted temperature and what it does.

    Args:
        temperature: The logits are divided by it.
        nll: Negative log likelihood per pixel, before and after.
        before, after: Reliability without and with it.
        held_out: Calibration error when each half of the patches is judged by the temperature of the other half; NaN
            of a single patch.
        patches: Patches with a labelled pixel.
        pixels: Labelled pixels that were taken from them.
    """

    temperature: float
    nll: tuple[float, float]
    before: Reliability
    after: Reliability
    held_out: float
    patches: int
    pixels: int


def calibrate(logits: np.ndarray, labels: np.ndarray, patch: np.ndarray) -> Calibration:
    """Fit the temperature that makes the labels most likely.

    Args:
        logits: Of labelled pixels.
        labels: Their classes.
        patch: Number of the patch of each pixel.

    Shape:
        - logits: (n, classes); labels, patch: (n,)

    Raises:
        InputError: No temperature fits, because all pixels are right or the logits say nothing.
    """
    temperature = fit_temperature(logits, labels)
    odd = np.unique(patch, return_inverse=True)[1] % 2 == 1  # every other of those with labels
    held_out = float('nan')
    if odd.any() and not odd.all():
        halves = [
            np.stack(_top(logits[part], labels[part], fit_temperature(logits[~part], labels[~part])))
            for part in (odd, ~odd)
        ]
        held_out = reliability(*np.concatenate(halves, axis=1)).ece
    nll = negative_log_likelihood(logits, labels, 1), negative_log_likelihood(logits, labels, temperature)
    before, after = (reliability(*_top(logits, labels, heat)) for heat in (1.0, temperature))
    return Calibration(temperature, nll, before, after, held_out, len(np.unique(patch)), len(labels))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature of the least negative log likelihood; shapes and errors as for :func:`calibrate`."""
    found = minimize_scalar(
        lambda power: negative_log_likelihood(logits, labels, np.exp(power)),
        bounds=(np.log(COOLEST), np.log(HOTTEST)),
        method='bounded',
        options={'xatol': 1e-4},
    )
    temperature = float(np.exp(found.x))
    if not COOLEST * 1.01 < temperature < HOTTEST / 1.01:
        raise InputError(
            f'no temperature from {COOLEST} to {HOTTEST:g} fits the {len(labels)} labelled pixels; give a list with '
            'more patches, or a model that is trained'
        )
    return temperature


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Return the mean negative logarithm of the probability of the labels; shapes as for :func:`calibrate`."""
    scaled = logits / temperature
    return float((logsumexp(scaled, axis=1) - scaled[np.arange(len(labels)), labels]).mean())


def _top(logits: np.ndarray, labels: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of the likeliest class, and 1 where it is right."""
    best = logits.argmax(axis=1)
    scaled = logits / temperature
    share = np.exp(scaled[np.arange(len(best)), best] - logsumexp(scaled, axis=1))
    return share, (best == labels).astype(float)


def reliability(confidence: np.ndarray, right: np.ndarray) -> Reliability:
    """Sort pixels into bins of confidence.

    Args:
        confidence: Probability of the chosen class.
        right: 1 where that class is right, else 0.

    Shape:
        - confidence, right: (n,)
    """
    bins = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    sums = (np.bincount(bins, values, BINS) for values in (confidence, right))
    means = (np.divide(total, counts, out=np.full(BINS, np.nan), where=counts > 0) for total in sums)
    return Reliability(counts, *means)


def labelled_logits(
    segmenter: Segmenter,
    config: str,
    list_name: str,
    options: dict | None = None,
    pixels: int = MOST_PIXELS,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the logits of labelled pixels of a list of patches, the same number from each patch where it has as many.

    Args:
        segmenter: The model.
        config: Its config; the patches are those of ``test_dataloader``, with another list.
        list_name: List of patches, relative to the folder of the data.
        options: Config values to override.
        pixels: Largest number of pixels of all patches together.
        seed: Seed of the choice of pixels.

    Returns:
        Logits, labels and number of the patch, as :func:`calibrate` takes them.

    Raises:
        InputError: The list or a patch is missing, or none has a labelled pixel.
    """
    from mmengine.registry import DATASETS

    from projects.false.engine.config import load_config

    check_count('--pixels', pixels)
    check_seed(seed)
    settings = load_config(config, options).test_dataloader.dataset
    steps = [dict(type='LoadPatch', bands=segmenter.bands), dict(type='LoadIndexMask')]
    dataset = DATASETS.build({**settings, 'ann_file': list_name, 'pipeline': steps})
    generator, each = np.random.default_rng(seed), max(1, pixels // len(dataset))
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for number in range(len(dataset)):
        sample = dataset[number]
        labels = sample['gt_seg_map'].ravel()
        there = np.flatnonzero(labels != IGNORE_INDEX)
        if len(there):
            chosen = np.sort(generator.choice(there, min(each, len(there)), replace=False))
            image = np.ascontiguousarray(sample['img'][..., band_order(segmenter.bands)])
            output = segmenter(image[None])[0]
            logits = output if isinstance(output, np.ndarray) else output.float().cpu().numpy()
            taken = logits.reshape(len(logits), -1)[:, chosen].T.astype(np.float32)
            found.append((taken, labels[chosen].astype(np.int64), np.full(len(chosen), number)))
    if not found:
        raise InputError(f'{list_name}: no patch has a labelled pixel; give another --list')
    logits, labels, patch = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return logits, labels, patch


def diagram_beside(out: str | Path) -> Path:
    """Return the path of the diagram that belongs to a file of numbers.

    Raises:
        InputError: It is the file itself.
    """
    picture = Path(out).with_suffix('.png')
    if Path(out).suffix.lower() == '.png':
        raise InputError(f'--out {out}: the diagram takes that name; give the file of numbers the suffix .json')
    return picture


def write_calibration(out: str | Path, found: Calibration, model: str, list_name: str) -> Path:
    """Write the numbers as JSON, which ``tools/infer.py --temperature`` takes, and the diagram beside it as PNG.

    Args:
        out: The file.
        found: The calibration.
        model: Name and digest of the checkpoint, so that no other model is mapped with it.
        list_name: List of the patches.

    Returns:
        Path of the diagram.

    Raises:
        InputError: The diagram would replace the file, or a file cannot be written.
    """
    picture = diagram_beside(out)

    def told(part: Reliability) -> dict[str, list[float | None]]:
        rows = {'pixels': part.counts, 'confidence': part.confidence, 'accuracy': part.accuracy}
        return {name: [None if np.isnan(value) else float(value) for value in row] for name, row in rows.items()}

    content = {
        'temperature': found.temperature,
        'model': model,
        'list': list_name,
        'patches': found.patches,
        'pixels': found.pixels,
        'nll': {'before': found.nll[0], 'after': found.nll[1]},
        'ece': {
            'before': found.before.ece,
            'after': found.after.ece,
            'held_out': None if np.isnan(found.held_out) else found.held_out,
        },
        'bins': {'before': told(found.before), 'after': told(found.after)},
    }
    with writable(out, 'choose another --out'):
        with atomic_write(picture) as file:
            file.write(diagram(found))
        with atomic_write(out) as file:
            file.write((json.dumps(content, indent=1) + '\n').encode())
    return picture


def diagram(found: Calibration) -> bytes:
    """Draw the reliability diagram before and after, and a histogram of the confidence of pixels.

    Returns:
        A PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.4), dpi=110, layout='constrained')
    axes = FigureCanvasAgg(figure).figure.subplots(1, 2, sharey=True)
    middle = (np.arange(BINS) + 0.5) / BINS
    titles = 'as trained', f'divided by {found.temperature:.2f}'
    for side, title, part in zip(axes, titles, (found.before, found.after), strict=True):
        side.bar(
            middle, 100 * part.counts / part.counts.sum(), 0.9 / BINS, color='#c9ced6', label='share of the pixels'
        )
        side.plot([0, 1], [0, 100], color='0.5', lw=1, ls='--', label='confidence = accuracy')
        side.plot(part.confidence, 100 * part.accuracy, color='#1f4e79', marker='o', ms=4, label='accuracy')
        side.set_title(f'{title}: calibration error {100 * part.ece:.1f} %', fontsize=10)
        side.set_xlim(0, 1)
        side.set_ylim(0, 100)
        side.set_xlabel('confidence')
        side.spines[['top', 'right']].set_visible(False)
        side.grid(color='0.92')
        side.set_axisbelow(True)
    axes[0].set_ylabel('%')
    axes[0].legend(loc='upper left', frameon=False, fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format='png')
    return file.getvalue()
