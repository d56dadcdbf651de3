"""Draw docs/images/determination.svg, what each determination picks: python docs/draw_determination.py [--png FILE].

A small batch of random projections, drawn once; everything else is computed by the project's own losses.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

import matplotlib as mpl

mpl.use('Agg')
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle, Wedge

from projects.false.losses import FALSELoss
from projects.false.losses.false_loss import pair_confidence

WIDTH, HEIGHT = 1000, 662  # 100 units are one inch; y runs downwards
INK, MUTED, LINE = '#1f2a37', '#55616f', '#c3cad3'
POSITIVE, FALSE_NEGATIVE, NEGATIVE = '#2b8a66', '#e08a1e', '#aab3be'
IMAGES, ANCHOR, SEED = 12, 14, 2121  # an anchor that the rules over the whole batch speak of, too
THRESHOLD, FLOOR, WIDTH_OF_MARGIN, CONFIDENCE_FLOOR = 0.9, 0.7, 0.1, 0.5
RULES = (  # name, temperature, determination, what it says
    ('released', 0.5, 'released', 'nearest of the batch with j > i'),
    ('released, sentinel', 0.2, 'released', r'all are far ($\tau = 0.2$): every j < i'),
    ('batch_nearest', 0.5, 'batch_nearest', 'nearest of the batch'),
    ('anchor_nearest', 0.5, 'anchor_nearest', 'nearest of the anchor'),
    ('anchor_nearest, k=3', 0.5, dict(type='anchor_nearest', k=3), 'the 3 nearest of the anchor'),
    ('margin', 0.5, dict(type='margin', margin=WIDTH_OF_MARGIN), r'$c_{ij} \geq c_{ip} - 0.1$'),
    ('topk, k=10', 0.5, dict(type='topk', k=10, floor=FLOOR), r'most similar with $c_{ij} > 0.7$'),
    ('mutual', 0.5, dict(type='mutual', k=5), "in each other's 5 most similar"),
    ('oracle', 0.5, 'oracle', 'same label'),
)
LEFT, STEP, BASE, SCALE, TOP, ROW = 196, 23.5, 242, 172, 300, 30


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two views and the labels of some images of three classes."""
    generator, labels = torch.Generator().manual_seed(SEED), torch.arange(IMAGES) % 3
    images = torch.randn(IMAGES, 6, generator=generator) + 1.3 * torch.randn(3, 6, generator=generator)[labels]
    first, second = (images + 0.28 * torch.randn(IMAGES, 6, generator=generator) for _ in range(2))
    return first, second, labels


def picks(temperature: float, determination: str | dict) -> torch.Tensor:
    """F of the anchor, bool, shape (2N,)."""
    first, second, labels = batch()
    loss = FALSELoss(temperature, positive_threshold=THRESHOLD, determination=determination)
    return loss.determined(first, second, labels=labels)[ANCHOR]


def confidence() -> torch.Tensor:
    """alpha_ij / alpha of the pairs that `topk` determines for the anchor, 0 elsewhere, shape (2N,)."""
    loss = FALSELoss(determination=dict(type='topk', k=10, floor=FLOOR))
    comparison = loss.compare(*batch()[:2])
    block = next(comparison.blocks())
    pairs = loss.determination.prepare(comparison)(block)
    shares = pair_confidence(block, pairs, CONFIDENCE_FLOOR) * pairs.chosen
    return torch.zeros(2 * IMAGES).scatter_(0, pairs.columns[ANCHOR], shares[ANCHOR])


class Sheet:
    """A white card to draw on, in units of a hundredth of an inch."""

    def __init__(self) -> None:
        self.figure = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100))
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        self.axes.axis('off')
        card = FancyBboxPatch((2, 2), WIDTH - 4, HEIGHT - 4, boxstyle='round,pad=0,rounding_size=14')
        card.set(facecolor='white', edgecolor=LINE, zorder=0)
        self.axes.add_patch(card)

    def text(self, x: float, y: float, words: str, size: float = 10.5, color: str = INK, **more) -> None:
        self.axes.text(x, y, words, fontsize=size, color=color, **{'ha': 'center', 'va': 'center', **more})

    def line(self, x: tuple, y: tuple, color: str = LINE, **more) -> None:
        self.axes.plot(x, y, color=color, **{'linewidth': 1, **more})

    def box(self, x: float, y: float, width: float, height: float, color: str, **more) -> None:
        self.axes.add_patch(Rectangle((x, y), width, height, facecolor=color, linewidth=0, **more))


def center(place: int) -> float:
    """The middle of a column of the picture."""
    return LEFT + STEP * (place + 0.5)


def bars(sheet: Sheet, cosines: torch.Tensor, order: list[int], positive: int, labels: torch.Tensor) -> None:
    """The row of the anchor, the most similar first, with places and labels below."""
    right = LEFT + STEP * len(order)
    sheet.text(LEFT - 60, BASE - SCALE / 2, 'cosine $c_{ij}$\nwith the anchor', color=MUTED, linespacing=1.4)
    sheet.line((LEFT, right), (BASE, BASE))
    for place, j in enumerate(order):
        color, height = (POSITIVE if j == positive else NEGATIVE), SCALE * float(cosines[j])
        sheet.box(center(place) - 8, BASE - max(height, 0), 16, abs(height), color)
        sheet.text(center(place), 262, str(j), 9, POSITIVE if j == positive else INK)
        same = labels[j % IMAGES] == labels[ANCHOR % IMAGES]
        sheet.text(
            center(place), 279, 'abc'[labels[j % IMAGES]], 9, INK if same else MUTED, weight='bold' if same else None
        )
    sheet.text(LEFT - 12, 262, 'row j', 9.5, MUTED, ha='right')
    sheet.text(LEFT - 12, 279, 'label (for oracle alone)', 9.5, MUTED, ha='right')
    level = float(cosines[positive])
    for value, words in ((level, '$c_{ip}$'), (level - WIDTH_OF_MARGIN, '$c_{ip} - 0.1$'), (FLOOR, '0.7')):
        y = BASE - SCALE * value
        sheet.line(
            (LEFT, right + 6), (y, y), POSITIVE if value == level else MUTED, linestyle=(0, (4, 3)), linewidth=0.9
        )
        sheet.text(right + 11, y, words, 10, ha='left')


def row(sheet: Sheet, number: int, name: str, words: str, shares: list[float], positive: int) -> None:
    """One determination: a full dot where it moves the whole share alpha, part of one where it moves less."""
    y = TOP + ROW * (number + 0.5)
    if number % 2 == 0:
        sheet.box(20, y - ROW / 2, WIDTH - 40, ROW, '#f4f6f8', zorder=0.5)
    sheet.text(LEFT - 12, y, name, ha='right')
    for place, share in enumerate(shares):
        if place == positive:
            sheet.box(center(place) - 1.5, y - ROW / 2, 3, ROW, POSITIVE, alpha=0.35)
            continue
        radius = 8 if share else 3
        fill = '#f6dcba' if share else '#d5dae0'
        sheet.axes.add_patch(Circle((center(place), y), radius, facecolor=fill, edgecolor='none'))
        if share:
            turn = Wedge((center(place), y), radius, -90, -90 + 360 * share, facecolor=FALSE_NEGATIVE, edgecolor='none')
            sheet.axes.add_patch(turn)
    sheet.text(LEFT + STEP * len(shares) + 12, y, words, 10, MUTED, ha='left')


def main() -> None:
    """Compute, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--png', type=Path, help='write a PNG of it, too')
    options = parser.parse_args()
    plt.rcParams.update({'svg.fonttype': 'path', 'svg.hashsalt': 'false', 'mathtext.fontset': 'dejavusans'})
    first, second, labels = batch()
    unit = F.normalize(torch.cat([first, second]), dim=1)
    cosines, positive = unit @ unit[ANCHOR], (ANCHOR + IMAGES) % (2 * IMAGES)
    order = [j for j in cosines.argsort(descending=True).tolist() if j != ANCHOR]
    sheet = Sheet()
    sheet.text(26, 32, f'Which negatives of row {ANCHOR} are probably false?', 12, weight='bold', ha='left')
    for x, color, words in (
        (600, POSITIVE, 'its positive'),
        (712, NEGATIVE, 'negatives'),
        (812, FALSE_NEGATIVE, 'determined'),
    ):
        sheet.box(x, 25, 14, 14, color)
        sheet.text(x + 21, 32.5, words, 10, ha='left')
    bars(sheet, cosines, order, positive, labels)
    shown = [(name, words, picks(temperature, rule).float()) for name, temperature, rule, words in RULES]
    shown.append(('topk with confidence', r'$\alpha_{ij} / \alpha$ from 0 at 0.5 to 1 at $c_{ip}$', confidence()))
    for number, (name, words, shares) in enumerate(shown):
        row(sheet, number, name, words, shares[order].tolist(), order.index(positive))
    gate = f'The gate is open: $c_{{ip}} = {float(cosines[positive]):.3f}$ is above $T = {THRESHOLD}$.'
    images = (
        f'{2 * IMAGES} rows, two views each of {IMAGES} images; rows {ANCHOR} and {positive} are views of one image.'
    )
    sheet.text(WIDTH / 2, HEIGHT - 34, f'{images} {gate}', 10, MUTED)
    out = Path(__file__).parent / 'images' / 'determination.svg'
    sheet.figure.savefig(out, transparent=True, metadata={'Date': None, 'Creator': None}, dpi=120)
    if options.png:
        sheet.figure.savefig(options.png, transparent=True, dpi=160)


if __name__ == '__main__':
    main()
