"""Draw docs/images/method.svg, the picture of the method: python docs/draw_method.py [--png FILE].

The patches are drawn by the project's own scene generator. The picture explains; nothing in it is measured.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

import matplotlib as mpl

mpl.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from projects.false.converters.scenes import draw_scene
from projects.false.imagery.mask_colors import index_to_colors
from projects.false.imagery.palettes import PALETTES

WIDTH, HEIGHT = 1000, 770  # 100 units are one inch; y runs downwards
INK, MUTED, LINE = '#1f2a37', '#55616f', '#c3cad3'
NETWORK, POSITIVE, FALSE_NEGATIVE, NEGATIVE = '#33557f', '#2b8a66', '#e08a1e', '#aab3be'
PALETTE = PALETTES['synthetic']
PATCHES = ((4, 10, 270), (3, 125, 150), (2, 150, 30), (4, 250, 180))  # scene, row, column: two towns, a wood, a field
COSINES = (0.94, 0.84, 0.79, 0.42, 0.36, 0.27, 0.31)  # of the anchor with p(i), with both views of patch 2, 3 and 4
THRESHOLD = 0.88


def cut(number: int, row: int, column: int, size: int = 112) -> tuple[np.ndarray, np.ndarray]:
    """A patch of a scene and the colours of its labels."""
    picture, labels = draw_scene(512, 0, number)
    window = np.s_[row : row + size, column : column + size]
    return picture[window], index_to_colors(labels[window], PALETTE)


def two_views(patch: np.ndarray) -> list[np.ndarray]:
    """Two fixed augmentations: crop, flip and colour."""
    first = np.clip(patch[4:84, 6:86] * 1.12 + 8, 0, 255)
    second = np.clip(patch[26:106, 24:104][:, ::-1] * np.array([0.84, 0.92, 1.0]), 0, 255)
    return [first.astype(np.uint8), second.astype(np.uint8)]


class Sheet:
    """A white card to draw on, in units of a hundredth of an inch."""

    def __init__(self) -> None:
        self.figure = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100))
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        self.axes.axis('off')
        self.box(2, 2, WIDTH - 4, HEIGHT - 4, 'white', edge=LINE, round_by=14)

    def text(self, x: float, y: float, words: str, size: float = 10.5, color: str = INK, **more) -> None:
        self.axes.text(x, y, words, fontsize=size, color=color, **{'ha': 'center', 'va': 'center', **more})

    def title(self, y: float, number: int, words: str, x: float = 26) -> None:
        self.axes.add_patch(Circle((x + 11, y), 12, color=NETWORK))
        self.text(x + 11, y + 0.5, str(number), 11.5, 'white', weight='bold')
        self.text(x + 32, y, words, 12, weight='bold', ha='left')

    def box(self, x, y, width, height, fill, edge=None, round_by=0.0, **more) -> None:
        style = f'round,pad=0,rounding_size={round_by}' if round_by else 'square,pad=0'
        more = {'linewidth': 1 if edge else 0, **more}
        self.axes.add_patch(
            FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=fill, edgecolor=edge or 'none', **more)
        )

    def picture(
        self, x: float, y: float, side: float, pixels: np.ndarray, edge: str = 'none', weight: float = 2
    ) -> None:
        self.axes.imshow(pixels, extent=(x, x + side, y + side, y), interpolation='lanczos', aspect='auto', zorder=2)
        self.axes.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=edge, linewidth=weight, zorder=3))

    def arrow(self, start, end, color=MUTED, bend: float = 0.0, weight: float = 1.6) -> None:
        style = dict(arrowstyle='-|>', mutation_scale=13, linewidth=weight, color=color, shrinkA=0, shrinkB=0)
        self.axes.add_patch(FancyArrowPatch(start, end, connectionstyle=f'arc3,rad={bend}', zorder=4, **style))

    def funnel(self, x, y, width, left, right, words, fill=NETWORK) -> None:
        """A network: a trapezoid around the line ``y``, ``left`` and ``right`` high."""
        corners = [(x, y - left / 2), (x + width, y - right / 2), (x + width, y + right / 2), (x, y + left / 2)]
        self.axes.add_patch(Polygon(corners, closed=True, facecolor=fill, edgecolor='none'))
        self.text(x + width / 2, y, words, 10.5, 'white', linespacing=1.35)

    def brace(self, left: float, right: float, y: float, words: str, color: str) -> None:
        self.axes.plot([left, left, right, right], [y - 5, y, y, y - 5], color=color, linewidth=1.5)
        self.text((left + right) / 2, y + 12, words, 10.5, color)


def pretraining(sheet: Sheet, patches: list, views: list) -> None:
    """Patches, views, network, and the matrix of similarities."""
    sheet.title(32, 1, 'Pretraining: two random views of each of N patches, no labels')
    for x, words in ((56, 'patches'), (139, 'view 1'), (191, 'view 2')):
        sheet.text(x, 66, words, color=MUTED)
    for number, (patch, pair) in enumerate(zip(patches, views, strict=True)):
        y = 80 + 48 * number
        sheet.picture(31, y, 44, patch)
        sheet.arrow((80, y + 22), (110, y + 22))
        sheet.picture(117, y, 44, pair[0])
        sheet.picture(169, y, 44, pair[1])
    middle = 174
    sheet.arrow((222, middle), (248, middle))
    sheet.funnel(252, middle, 112, 170, 104, 'backbone\nResNet')
    sheet.arrow((368, middle), (392, middle))
    sheet.funnel(396, middle, 104, 92, 48, 'projection')
    sheet.arrow((504, middle), (530, middle))
    for number in range(8):
        shades = 0.25 + 0.7 * np.random.default_rng(number).random(5)
        for part, shade in enumerate(shades):
            sheet.box(536 + 11 * part, 80 + 24 * number, 10, 18, NETWORK, alpha=float(shade))
    sheet.text(563, 66, '2N vectors', color=MUTED)
    sheet.arrow((598, middle), (624, middle))
    similarity_matrix(sheet, 654, 80, 23.5)


def similarity_matrix(sheet: Sheet, left: float, top: float, step: float) -> None:
    """All rows against all; row 0 is the anchor that the second step looks at."""
    sheet.text(left + 4 * step, 66, 'cosines of all pairs', color=MUTED)
    alike = np.array([0, 0, 2, 3] * 2)
    for i in range(8):
        for j in range(8):
            shade = (
                0.62 if alike[i] == alike[j] else 0.2 + 0.12 * np.random.default_rng(8 * min(i, j) + max(i, j)).random()
            )
            fill = POSITIVE if j == (i + 4) % 8 else NEGATIVE
            if i == j:
                continue
            if i == 0 and j in (1, 5):
                fill, shade = FALSE_NEGATIVE, 1.0
            strength = {'alpha': 1.0 if fill == POSITIVE else float(min(1, shade + 0.2))}
            sheet.box(left + step * j, top + step * i, step - 2.5, step - 2.5, fill, **strength)
    sheet.box(left - 3, top - 3, 8 * step + 3.5, step + 3.5, 'none', edge=INK, round_by=3, linewidth=1.6)
    sheet.text(left - 10, top + step / 2 - 1, '$i$', 13, ha='right')
    for row, (color, words) in enumerate(
        ((POSITIVE, 'positive'), (NEGATIVE, 'negatives'), (FALSE_NEGATIVE, 'false negatives'))
    ):
        sheet.box(858, 126 + 28 * row, 14, 14, color)
        sheet.text(879, 133.5 + 28 * row, words, 10, ha='left')


def determination(sheet: Sheet, views: list) -> None:
    """The row of one anchor: the gate, and the negatives that are probably none."""
    sheet.title(312, 2, 'FNSD: row $i$, which negatives are false?')
    base, scale, left, step = 482, 132, 108, 58
    shown = [views[0][1], *views[1], *views[2], *views[3]]
    colors = [POSITIVE, FALSE_NEGATIVE, FALSE_NEGATIVE, *[NEGATIVE] * 4]
    sheet.picture(36, base + 6, 46, views[0][0], INK)
    sheet.text(59, base + 70, 'anchor $i$')
    sheet.text(86, base - scale / 2, 'cosine $c_{ij}$', 10.5, MUTED, rotation=90)
    sheet.axes.plot([left - 4, left + 7 * step - 8], [base, base], color=LINE, linewidth=1.2)
    for number, (pixels, cosine, color) in enumerate(zip(shown, COSINES, colors, strict=True)):
        x = left + step * number
        sheet.box(x + 6, base - scale * cosine, 34, scale * cosine, color)
        sheet.picture(x, base + 6, 46, pixels, color)
    level = base - scale * THRESHOLD
    sheet.axes.plot([left - 4, left + 7 * step - 8], [level, level], color=INK, linewidth=1.3, linestyle=(0, (5, 3)))
    sheet.text(left + 7 * step, level, '$T$', 13, ha='left')
    rule = '$F(i)$: nearest to $p(i)$,\nempty if $c_{ip} < T$'
    sheet.text(left + 7 * step - 10, level + 27, rule, ha='right', linespacing=1.45)
    sheet.brace(left, left + 46, base + 58, '$p(i)$', POSITIVE)
    sheet.brace(left + step, left + 2 * step + 46, base + 58, '$F(i)$', '#a8610a')
    sheet.brace(left + 3 * step, left + 6 * step + 46, base + 58, 'other negatives', MUTED)


def calibration(sheet: Sheet) -> None:
    """The share alpha of the determined pairs that moves, and the loss."""
    left = 556
    sheet.axes.plot([left - 16, left - 16], [298, 556], color=LINE, linewidth=1)
    sheet.title(312, 3, r'FNCC: count a share $\alpha$ as positive', x=left)
    x, height = left + 48, 40
    top, bottom = 350, 420
    sheet.text(left + 2, top + height / 2, 'pos', 11.5, ha='left')
    sheet.text(left + 2, bottom + height / 2, 'neg', 11.5, ha='left')
    sheet.box(x, top, 96, height, POSITIVE)
    sheet.text(x + 48, top + height / 2, '$e_{ip}$', 13, 'white')
    sheet.box(x + 98, top, 130, height, FALSE_NEGATIVE)
    sheet.text(x + 163, top + height / 2, r'$\alpha\,\sum_{F(i)}\, e_{ij}$', 12)
    sheet.box(x + 98, bottom, 130, height, FALSE_NEGATIVE, alpha=0.4)
    sheet.text(x + 163, bottom + height / 2, r'$(1-\alpha)\,\sum_{F(i)}\, e_{ij}$', 12)
    sheet.box(x + 230, bottom, 138, height, NEGATIVE)
    sheet.text(x + 299, bottom + height / 2, r'$\sum_{\mathrm{others}}\, e_{ij}$', 12)
    sheet.arrow((x + 163, bottom - 3), (x + 163, top + height + 3), '#a8610a', weight=2.4)
    sheet.box(left, 482, 420, 70, '#f1f4f8', round_by=8)
    loss = r'$L_i = -\log\;\frac{\mathrm{pos}}{\mathrm{pos} + \mathrm{neg}}$'
    sheet.text(left + 112, 517, loss, 17)
    sheet.text(
        left + 238,
        517,
        '$e_{ij} = \\exp(c_{ij} / \\tau)$\n$\\alpha = 0$ is plain SimCLR',
        10.5,
        ha='left',
        linespacing=1.7,
    )


def fine_tuning(sheet: Sheet, patches: list) -> None:
    """Backbone, decoder and map."""
    sheet.axes.plot([26, WIDTH - 26], [582, 582], color=LINE, linewidth=1)
    sheet.title(608, 4, 'Fine-tuning: the pretrained backbone and labels for about 1 % of the patches')
    middle = 692
    for number, (image, colors) in enumerate((patches[0], patches[3])):
        sheet.picture(31 + 112 * number, middle - 26, 52, image)
        sheet.picture(84 + 112 * number, middle - 26, 52, colors)
    sheet.text(136, middle + 42, 'patches with labels', color=MUTED)
    sheet.arrow((256, middle), (284, middle))
    sheet.funnel(288, middle, 112, 112, 72, 'backbone\nResNet')
    sheet.funnel(404, middle, 112, 72, 112, 'UPerNet')
    sheet.arrow((520, middle), (548, middle))
    image, colors = cut(0, 150, 40, 192)
    sheet.picture(556, middle - 52, 104, image)
    sheet.picture(664, middle - 52, 104, colors)
    sheet.text(662, middle + 62, 'image and its map', color=MUTED)
    for number, (name, color) in enumerate(zip(PALETTE.classes, PALETTE.colors, strict=True)):
        x, y = 796 + 94 * (number // 4), middle - 42 + 26 * (number % 4)
        sheet.box(x, y - 7, 14, 14, np.array(color) / 255)
        sheet.text(x + 21, y, name, 10, ha='left')


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--png', type=Path, help='write a PNG of it, too')
    options = parser.parse_args()
    plt.rcParams.update({'svg.fonttype': 'path', 'svg.hashsalt': 'false', 'mathtext.fontset': 'dejavusans'})
    sheet, cuts = Sheet(), [cut(*place) for place in PATCHES]
    views = [two_views(image) for image, _ in cuts]
    pretraining(sheet, [image for image, _ in cuts], views)
    determination(sheet, views)
    calibration(sheet)
    fine_tuning(sheet, cuts)
    out = Path(__file__).parent / 'images' / 'method.svg'
    sheet.figure.savefig(out, transparent=True, metadata={'Date': None, 'Creator': None}, dpi=120)
    if options.png:
        sheet.figure.savefig(options.png, transparent=True, dpi=160)


if __name__ == '__main__':
    main()
