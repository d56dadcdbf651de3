"""The HTML page of the quickstart: what was done, the results, and their limits."""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from projects.false.imagery.palettes import Palette
from projects.false.patch_folder.description import read_description
from projects.false.patch_folder.lists import read_list
from projects.false.reports.charts import bar_chart, class_legend, run_legend
from projects.false.reports.curves import loss_curves
from projects.false.reports.page import page, write_page
from projects.false.reports.score_tables import (
    BASELINE,
    Run,
    check_runs,
    class_table,
    confusion_section,
    facts_table,
    means_table,
    percent,
    scores_note,
)
from projects.false.reports.strips import choose_patches, strip

STRIPS = 6
_BESIDE = 3  # up to this many runs, the table leaves room for the chart beside it
FALSE, SIMCLR, IMAGENET = 'FALSE', 'SimCLR', 'ImageNet'  # names of runs that the story explains
CHOSEN = 'ImageNet, patches chosen'

_REMARK = """<p class="note"><b>What this is worth.</b> The data are synthetic, the network is small, the training is
short, and every number comes from one seed. The page shows that the whole path works, from images to scores.
It is no benchmark: differences of a few points can come from the seed alone and say nothing about real imagery.</p>"""


def write_quickstart_page(
    path: str | Path, runs: Sequence[Run], data_root: str | Path, palette: Palette, facts: dict[str, str]
) -> None:
    """Write the page: one self-contained HTML file.

    Args:
        path: The file to write, completely or not at all.
        runs: The models to compare, 1 to 5, in the order of the tables.
        data_root: Folder with ``images/``, ``masks/``, ``splits/test.txt`` and ``dataset.json``.
        palette: Classes and colours of the data.
        facts: Rows of the last table, by name: seed, numbers of patches, hardware, date, versions, command, ...

    Raises:
        InputError: Scores, predictions, logs or data are missing or do not fit together, or the file cannot be written.

    Example:
        >>> runs = [Run('FALSE', json.loads(scores.read_text()), predictions, finetune_folder, pretrain_folder), ...]
        >>> palette = load_palette('synthetic')
        >>> write_quickstart_page('work_dirs/quickstart/report.html', runs, 'data/synthetic', palette, facts)
    """
    check_runs(runs, palette.classes)
    sections = [
        ('Scores', means_table(runs) + scores_note() + _REMARK),
        ('Classes', _classes(runs, palette)),
        ('Test patches', _strips(runs, Path(data_root), palette)),
        ('Confusion', confusion_section(runs, palette, 'network')),
    ]
    curves = loss_curves(runs)
    if curves:
        sections.append(('Training', curves))
    sections.append(('Facts', facts_table(facts)))
    known = {patch['name'] for patch in read_description(data_root)['patches']}
    tested = len(read_list(Path(data_root) / 'splits' / 'test.txt', known))
    write_page(
        path, page('Quickstart: land cover from few labels', _lead(runs, len(palette.classes), tested), sections)
    )


def _lead(runs: Sequence[Run], classes: int, tested: int) -> str:
    names = [run.name for run in runs]
    pretrained = [html.escape(name) for name in names if name not in (BASELINE, IMAGENET, CHOSEN)]
    story = ''
    if pretrained:
        story += (
            'A network first looked at aerial images without any labels. That is pretraining: it learns to recognise '
            'two altered views of one image among views of other images. It was done with '
            f'{" and with ".join(pretrained)}. '
        )
    if {FALSE, SIMCLR} <= set(names):
        story += (
            'SimCLR treats every other image as something different. FALSE looks for images that probably show the '
            'same thing and pushes them apart less. '
        )
    if {IMAGENET, CHOSEN} & set(names):
        story += 'A smaller network had learnt from photographs, those of ImageNet, and saw no aerial image. '
    if CHOSEN in names:
        story += (
            f'For "{CHOSEN}", as many patches were labelled, but not drawn at random: its features found groups of '
            'patches that look alike, and a typical one of each was taken. '
        )
    scores = ', '.join(
        f'{percent(run.mean("mIoU"))}&nbsp;% from {html.escape(run.name)}{" weights" if run.name == BASELINE else ""}'
        for run in runs
    )
    start = 'From random weights' if names == [BASELINE] else 'From each start'
    return (
        f'<p>{story}{start}, the segmentation network UPerNet was then fine-tuned on the few patches that have labels, '
        f'{classes} classes in all, and tested on {tested} patches that no training had seen. The mean IoU is '
        f'{scores}.</p>'
    )


def _classes(runs: Sequence[Run], palette: Palette) -> str:
    values = np.array([[run.iou(name) for run in runs] for name in palette.classes])
    names = [(style, run.name) for style, run in enumerate(runs)]
    chart = bar_chart(palette.classes, values, 'Bars of the IoU of every class by run; the table has the same numbers.')
    beside = len(runs) <= _BESIDE
    pair, narrow = (' class="pair"', '') if beside else ('', ' style="max-width:38rem"')
    return (
        f'<div{pair}>{class_table(runs, palette)}<figure{narrow}>{run_legend(names, "bar")}{chart}'
        '<figcaption>IoU in percent</figcaption></figure></div>'
    )


def _strips(runs: Sequence[Run], data_root: Path, palette: Palette) -> str:
    names = choose_patches(data_root, STRIPS)
    rows = '\n'.join(strip(name, runs, data_root, palette) for name in names)
    return (
        '<p>The test patches with the most classes: image, label, and the prediction of each network. They were '
        f'chosen by their labels alone, not by the result.</p>{class_legend(palette)}{rows}'
    )
