"""Draw an audit: class shares as bars, and the patches with findings."""

import io
import textwrap

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from projects.false.common.errors import InputError
from projects.false.imagery.images import read_image, read_index_mask
from projects.false.imagery.palettes import IGNORE_INDEX, Palette, to_hex
from projects.false.reports.pictures import mask_picture, three_bands

from .audit import Audit, mask_path
from .findings import Finding, by_kind

SIDE, GAP = 160, 6  # of the two halves of a finding's picture, in pixels
_COLORS = ('#1f6fb4', '#c2570c', '#6b7178', '#2a8a4a', '#8a4fb0')  # of lists, as in the reports
_INK, _MUTED, _RULE = '#1c1f23', '#60676f', '#d9dde2'
_ACROSS, _MOST = 4, 12  # pictures per row and in all
_LEGEND_COLUMNS = 8
_WIDE = 11.0  # inches


def audit_picture(audit: Audit) -> bytes:
    """Draw an audit.

    Returns:
        A PNG file.
    """
    # Leave out the colours of ignored pixels: masks hold indices, so these colours do not matter here.
    palette = Palette.from_description({**audit.description, 'ignore_colors': []})
    lists = [entry.name for entry in audit.lists if entry.labelled][: len(_COLORS)]
    shown = chosen_findings(audit.findings, _MOST, most_notes=_ACROSS)
    rows = -(-len(shown) // _ACROSS)
    heights = [1.15 + len(palette.classes) * (0.17 * len(lists) + 0.16), 0.75 + 1.95 * rows if rows else 0.01]
    with rc_context({'font.size': 9, 'text.color': _INK, 'axes.edgecolor': _RULE, 'font.family': 'DejaVu Sans'}):
        figure = Figure(figsize=(_WIDE, sum(heights)), dpi=110)
        (top,), (bottom,) = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
        _draw_bars(top, heights[0], audit, lists, palette)
        if shown:
            _draw_findings(bottom, heights[1], audit, shown, rows, palette)
        buffer = io.BytesIO()
        figure.savefig(buffer, format='png')
    return buffer.getvalue()


def _draw_bars(part: SubFigure, height: float, audit: Audit, lists: list[str], palette: Palette) -> None:
    """Draw the share of each class per list, into a part of this height in inches."""
    longest = max(len(name) for name in palette.classes)
    left = min(0.3, 0.035 + 0.0068 * min(longest, 30))
    axes = part.add_axes((left, 0.12 / height, 0.97 - left, 1 - 1.0 / height))
    step = len(lists) + 1
    positions = np.arange(len(palette.classes)) * step
    highest = 0.0
    for number, name in enumerate(lists):
        pixels = audit.pixels[name][:-2]
        shares = 100 * pixels / max(1, pixels.sum())
        highest = max(highest, float(shares.max()))
        axes.barh(positions + number, shares, height=0.86, color=_COLORS[number], label=_bar_label(audit, name))
        for position, share in zip(positions + number, shares, strict=True):
            text = f'{share:.1f}' if share >= 0.05 or share == 0 else f'{share:.2g}'
            axes.text(float(share), float(position), f' {text}', va='center', fontsize=7, color=_MUTED)
    axes.set_yticks(
        positions + (len(lists) - 1) / 2, [textwrap.shorten(n, 30, placeholder='…') for n in palette.classes]
    )
    axes.set_ylim(positions[-1] + len(lists) - 0.2, -0.8)
    axes.set_xlim(0, max(1.0, highest * 1.08))
    axes.grid(axis='x', color=_RULE)
    _plain(axes)
    axes.xaxis.tick_top()
    part.legend(
        loc='upper left', bbox_to_anchor=(0.008, 1 - 0.3 / height), ncols=len(lists), frameon=False, fontsize=8,
        handlelength=1, handleheight=1, columnspacing=1.2,
    )  # fmt: skip
    total = len(audit.pixels)
    shown = f', {len(lists)} of {total} lists' if total > len(lists) else ''
    part.text(
        0.015,
        1 - 0.12 / height,
        f'{audit.data_root.resolve().name}: labelled pixels, %{shown}',
        weight='bold',
        va='top',
        size=11,
    )


def _bar_label(audit: Audit, name: str) -> str:
    patches = next(len(entry.patches) for entry in audit.lists if entry.name == name)
    return f'{name} ({patches:,} patches)'


def _draw_findings(
    part: SubFigure, height: float, audit: Audit, shown: list[Finding], rows: int, palette: Palette
) -> None:
    """Draw pictures of findings below a legend, into a part of this height in inches."""
    title = 'Findings: image and label, or both images'
    part.text(0.015, 1 - 0.1 / height, title, weight='bold', va='top', size=11)
    handles = [Patch(facecolor=to_hex(color), edgecolor=_MUTED) for color in palette.colors]
    handles += [Patch(facecolor='#969696', edgecolor='#6e6e6e', hatch='///')]
    handles += [Patch(facecolor='black', edgecolor='#e60000', hatch='xxx')]
    names = [*(textwrap.shorten(n, 24, placeholder='…') for n in palette.classes), 'ignored', 'out of range']
    part.legend(
        handles, names, loc='upper left', bbox_to_anchor=(0.008, 1 - 0.3 / height),
        ncols=min(len(names), _LEGEND_COLUMNS), frameon=False, fontsize=8, handlelength=1, handleheight=1,
        columnspacing=1.2,
    )  # fmt: skip
    lines = -(-len(names) // _LEGEND_COLUMNS)
    head = 0.4 + 0.19 * lines
    cell = (height - head - 0.05) / rows
    width = 1 / _ACROSS
    for number, finding in enumerate(shown):
        row, column = divmod(number, _ACROSS)
        top = 1 - (head + row * cell) / height
        axes = part.add_axes((column * width + 0.015, top - 1.32 / height, width - 0.02, 1.26 / height))
        axes.imshow(finding_picture(finding, audit, palette), aspect='auto', interpolation='nearest')
        axes.set_axis_off()
        x, y = column * width + 0.015, top - 1.36 / height
        part.text(x, y, finding.kind, weight='bold', va='top', size=8)
        text = finding.other or finding.text.replace(f'{audit.data_root}/', '')
        caption = [_middle(finding.patch), _middle(text)]
        part.text(x, y - 0.145 / height, '\n'.join(caption), va='top', size=7, color=_MUTED, linespacing=1.25)


def _middle(text: str, limit: int = 46) -> str:
    """Shorten a long text in its middle, since names differ at their ends."""
    return text if len(text) <= limit else f'{text[: limit // 2 - 1]}…{text[len(text) - limit // 2 :]}'


def _plain(axes: Axes) -> None:
    """Remove what a bar chart does not need."""
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=_MUTED)
    for label in axes.get_yticklabels():
        label.set_color(_INK)
    for side in ('top', 'right', 'bottom'):
        axes.spines[side].set_visible(False)


def chosen_findings(findings: list[Finding], most: int, most_notes: int) -> list[Finding]:
    """Choose findings to show from all over the data set, taking each kind in turn so that every kind is seen.

    Args:
        findings: All findings.
        most: Largest number to choose.
        most_notes: Largest number per kind that is only a note.
    """
    groups = []
    for group in by_kind(findings).values():
        limit = min(len(group), most_notes if group[0].severity == 'note' else most)
        groups.append([group[i] for i in np.linspace(0, len(group) - 1, limit).round().astype(int)])
    turns = max(map(len, groups), default=0)
    picked = [group[turn] for turn in range(turns) for group in groups if turn < len(group)][:most]
    return [finding for group in by_kind(picked).values() for finding in group]


def finding_picture(finding: Finding, audit: Audit, palette: Palette) -> np.ndarray:
    """Draw one finding, a pair of patches as two images and everything else as image and label.

    A file that cannot be read becomes a crossed box, and label values out of range become black and red squares.

    Shape:
        - result: (SIDE, 2 SIDE + GAP, 3), uint8, RGB.
    """
    left = _image(audit, finding.patch)
    right = _image(audit, finding.other) if finding.other else _label(audit, finding.patch, palette)
    sheet = np.full((SIDE, 2 * SIDE + GAP, 3), 255, np.uint8)
    sheet[:, :SIDE], sheet[:, SIDE + GAP :] = left, right
    return sheet


def _image(audit: Audit, name: str) -> np.ndarray:
    path = audit.images.get(name)
    bands = len((audit.description.get('bands') or {}).get('names') or 'RGB')
    try:
        image = read_image(path, bands) if path else None
    except InputError:
        image = None
    if image is None:
        return _crossed()
    rgb = np.ascontiguousarray(three_bands(image)[..., ::-1])
    return cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _label(audit: Audit, name: str, palette: Palette) -> np.ndarray:
    try:
        label = read_index_mask(mask_path(audit.data_root, name, audit.images.get(name)), 256)
    except InputError:
        return _crossed()
    label = cv2.resize(label, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
    colors = cv2.resize(mask_picture(label, palette), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT)[..., ::-1]
    rows, columns = np.indices(label.shape) // 4
    squares = np.where(((rows + columns) % 2 == 0)[..., None], np.array([230, 0, 0], np.uint8), np.uint8(0))
    wrong = (label >= len(palette.classes)) & (label != IGNORE_INDEX)
    return np.where(wrong[..., None], squares, colors)


def _crossed() -> np.ndarray:
    box = np.full((SIDE, SIDE, 3), 235, np.uint8)
    for start, end in (((0, 0), (SIDE - 1, SIDE - 1)), ((SIDE - 1, 0), (0, SIDE - 1))):
        cv2.line(box, start, end, (170, 170, 170), 1, cv2.LINE_AA)
    return box
