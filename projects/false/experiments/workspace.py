"""One HTML page about the content of a work folder: training curves, scores, maps, audits, and existing pages."""

import csv
import html
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import cv2
import numpy as np
import rasterio

from projects.false.common.errors import InputError
from projects.false.reports.charts import Curve, bar_chart, line_chart, run_legend
from projects.false.reports.page import page, write_page
from projects.false.reports.pictures import embedded
from projects.false.reports.score_tables import MEANS, MOST_RUNS, Run, facts_table, means_table, scores_note
from projects.false.reports.training_logs import LoggedCurve, logged_curve, read_training_log

PAGE = 'workspace.html'
MOST = 12  # runs, tests, maps and audits of a page; it says how many more there are
_WIDTH = 900  # of an embedded picture, in pixels


class Workspace(NamedTuple):
    """What a work folder holds, as paths in the order of their names.

    Args:
        runs: Work folders of trainings.
        tests: ``scores.json`` of tests.
        maps: Class maps, ``*_classes.tif``.
        audits: ``audit.json`` of label audits.
        pages: HTML pages.
    """

    runs: list[Path]
    tests: list[Path]
    maps: list[Path]
    audits: list[Path]
    pages: list[Path]


def find_workspace(folder: str | Path) -> Workspace:
    """Find what a page can show, in a folder and below it.

    Raises:
        InputError: There is no such folder, or nothing to show in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder; give a work folder, such as work_dirs')
    found = Workspace(
        sorted({path.parents[2] for path in folder.rglob('vis_data/scalars.json')}),
        sorted(folder.rglob('scores.json')),
        sorted(folder.rglob('*_classes.tif')),
        sorted(path for path in folder.rglob('audit.json') if not _judges_pairs(path)),
        sorted(path for path in folder.rglob('*.html') if path != folder / PAGE),
    )
    if not any(found):
        raise InputError(
            f'{folder}: holds no training log, scores, map, audit or page; give the folder that a command wrote to'
        )
    return found


def write_workspace_page(folder: str | Path, out: str | Path | None = None) -> tuple[Path, list[str]]:
    """Write one self-contained page about a work folder.

    Args:
        folder: The work folder.
        out: The file to write; None is ``workspace.html`` in it.

    Returns:
        The page, and one line per file that could not be read; the page has the same lines.

    Raises:
        InputError: There is nothing to show, or the page cannot be written.
    """
    folder = Path(folder)
    found, out = find_workspace(folder), Path(out) if out is not None else folder / PAGE
    writer = _Writer(folder, out)
    sections = [
        ('Training', writer.each(found.runs, 'runs', writer.training)),
        ('Scores', writer.scores(found.tests)),
        ('Maps', writer.each(found.maps, 'maps', writer.map)),
        ('Audits of labels', writer.each(found.audits, 'audits', writer.audit)),
        ('Pages', writer.pages(found.pages)),
    ]
    if writer.problems:
        lines = ''.join(f'<li>{html.escape(line)}</li>' for line in writer.problems)
        sections.append(('Could not be read', f'<ul class="note">{lines}</ul>'))
    facts = {
        'folder': str(folder.resolve()),
        'written': datetime.now().strftime('%Y-%m-%d %H:%M'),
    }
    counts = [
        f'{len(paths)} {name[:-1] if len(paths) == 1 else name}'
        for name, paths in zip(('trainings', 'tests', 'maps', 'audits'), found, strict=False)
        if paths
    ]
    lead = f'<p>{", ".join(counts) or "Pages"} in {html.escape(str(folder))} and the folders below it.</p>'
    shown = [*((name, text) for name, text in sections if text), ('Facts', facts_table(facts))]
    write_page(out, page(f'Workspace {folder.resolve().name}', lead, shown))
    return out, writer.problems


class _Writer:
    """Writer of the sections of the page. Unreadable files become lines of ``problems``."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self.out, self.problems = folder, out, list[str]()

    def name(self, path: Path) -> str:
        return str(path.relative_to(self.folder)) if path != self.folder else self.folder.resolve().name

    def link(self, path: Path) -> str:
        """Return a link from the page to a file, valid as long as both stay where they are."""
        place, base = path.resolve(), self.out.resolve().parent
        target = quote(place.relative_to(base).as_posix()) if place.is_relative_to(base) else place.as_uri()
        return f'<a href="{target}">{html.escape(self.name(path))}</a>'

    def each(self, paths: Sequence[Path], what: str, show: Callable[[Path], str]) -> str:
        """Show the first ones of a kind, and count the others."""
        parts = [part for path in paths[:MOST] if (part := self.read(path, show))]
        more = f'<p class="muted">{len(paths) - MOST} more {what} are not shown.</p>' if len(paths) > MOST else ''
        return ''.join(parts) + more

    def read(self, path: Path, show: Callable[[Path], str]) -> str:
        try:
            return show(path)
        except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            text = str(error) if isinstance(error, InputError) else f'{path}: cannot be read ({error!r})'
            self.problems.append(' '.join(text.split()))
            return ''

    def training(self, run: Path) -> str:
        log = read_training_log(run)
        curves = list(_curves(log, str(run)))
        if not curves:
            raise InputError(f'{run}: the log holds no loss; train for longer than one logging interval')
        single_chart = ' class="alone"' if sum(len(curve.steps) > 1 for _, curve in curves) == 1 else ''
        charts = [
            f'<figure{single_chart}><figcaption>{html.escape(key)}</figcaption>{_chart(key, curve)}</figure>'
            for key, curve in curves
            if len(curve.steps) > 1
        ]
        single = [
            f'{html.escape(key)} {curve.values[0]:.4g} at step {curve.steps[0]}'
            for key, curve in curves
            if len(curve.steps) == 1
        ]
        numbers = f'<p class="small">{"; ".join(single)}</p>' if single else ''
        shown = f'<div class="pair">{"".join(charts)}</div>' if len(charts) > 1 else ''.join(charts)
        return f'<h3>{html.escape(self.name(run))}</h3>{numbers}{shown}'

    def scores(self, paths: Sequence[Path]) -> str:
        """Draw tables and bars of tests; those with the same classes are compared, a few at a time."""
        groups: dict[tuple[str, ...], list[Run]] = {}
        for path in paths[:MOST]:
            self.read(path, lambda file: self._collect(file, groups))
        parts = []
        for classes, runs in groups.items():
            for start in range(0, len(runs), MOST_RUNS):
                parts.append(self._compared(classes, runs[start : start + MOST_RUNS]))
        if parts:
            parts.append(scores_note())
        if len(paths) > MOST:
            parts.append(f'<p class="muted">{len(paths) - MOST} more tests are not shown.</p>')
        return ''.join(parts)

    def _collect(self, path: Path, groups: dict[tuple[str, ...], list[Run]]) -> str:
        found = json.loads(path.read_text(encoding='utf-8'))
        missing = [key for key in MEANS if not isinstance(found['scores'].get(key), int | float)]
        if missing:
            raise InputError(f'{path}: has no {missing[0]}; test again with tools/test.py --out')
        name = self.name(path.parent)
        groups.setdefault(tuple(found['classes']), []).append(Run(name, found, path.parent))
        return ''

    def _compared(self, classes: Sequence[str], runs: Sequence[Run]) -> str:
        values = np.array([[run.iou(name) for run in runs] for name in classes])
        chart = bar_chart(classes, values, 'Bars of the IoU of every class by test.')
        legend = run_legend([(style, run.name) for style, run in enumerate(runs)], 'bar')
        pictures = ''.join(
            f'<figure>{picture}<figcaption>{self.link(path)}</figcaption></figure>'
            for run in runs
            for name in ('examples.png', 'confusion.png')
            if (path := run.predictions / name).is_file() and (picture := self.read(path, _embedded))
        )
        return (
            f'{means_table(runs)}<figure class="alone">{legend}{chart}<figcaption>IoU in percent</figcaption></figure>'
            f'<div class="pair">{pictures}</div>'
        )

    def map(self, path: Path) -> str:
        stem = path.name.removesuffix('_classes.tif')
        preview, areas = path.with_name(f'{stem}_preview.png'), path.with_name(f'{stem}_areas.csv')
        with rasterio.open(path, driver='GTiff') as raster:
            size = f'{raster.width:,} x {raster.height:,} pixels, {raster.crs or "no coordinates"}'
        picture = _embedded(preview) if preview.is_file() else _drawn(path)
        table = _area_table(areas) if areas.is_file() else ''
        return (
            f'<h3>{self.link(path)}</h3><p class="small muted">{html.escape(size)}</p><figure>{picture}</figure>{table}'
        )

    def audit(self, path: Path) -> str:
        found = json.loads(path.read_text(encoding='utf-8'))
        kinds = {str(kind): str(int(count)) for kind, count in found['found'].items()} or {'findings': 'none'}
        outcome = 'passed' if found['passed'] else 'not passed: something would stop or spoil a training'
        picture = path.with_name('audit.png')
        shown = f'<figure>{_embedded(picture)}</figure>' if picture.is_file() else ''
        return (
            f'<h3>{self.link(path)}</h3><p>{html.escape(str(found["data_root"]))}: {outcome}</p>'
            f'{facts_table(kinds)}{shown}'
        )

    def pages(self, paths: Sequence[Path]) -> str:
        items = ''.join(f'<li>{self.link(path)}</li>' for path in paths)
        return f'<ul>{items}</ul>' if items else ''


def _judges_pairs(path: Path) -> bool:
    """Return True for the audit of false negatives, which has a page of its own; label audits share its file name."""
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and 'results' in found and 'found' not in found


def _curves(log, name: str) -> Iterator[tuple[str, LoggedCurve]]:
    logged = {key for part in (log.training, log.evaluation) for entry in part.values() for key in entry}
    for key in ('loss', 'mIoU', *sorted(key for key in logged if key.startswith('probe/'))):
        if key in logged and np.isfinite((curve := logged_curve(log, key, name)).values).any():
            yield key, curve


def _chart(key: str, curve: LoggedCurve) -> str:
    text = f'{key} from {curve.values[0]:.3g} at step {curve.steps[0]} to {curve.values[-1]:.3g} at {curve.steps[-1]}'
    return line_chart([Curve(0, curve.steps, curve.values)], 'iteration', key, text)


def _embedded(path: Path) -> str:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f'{path}: no readable picture; make it again')
    return embedded(_shrunk(picture), html.escape(path.name))


def _shrunk(picture: np.ndarray) -> np.ndarray:
    shrink = _WIDTH / max(picture.shape[:2])
    return picture if shrink >= 1 else cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)


def _drawn(path: Path) -> str:
    """Draw a class map in its own colours; from a large map take every n-th pixel."""
    with rasterio.open(path, driver='GTiff') as raster:
        shrink = min(1.0, _WIDTH / max(raster.shape))
        index = raster.read(1, out_shape=tuple(max(1, round(side * shrink)) for side in raster.shape))
        colors = np.zeros((256, 3), np.uint8)
        for value, color in raster.colormap(1).items():
            colors[value] = color[2::-1]
    return embedded(colors[index], html.escape(path.name))


def _area_table(path: Path) -> str:
    with path.open(newline='', encoding='utf-8') as file:
        head, *rows = csv.reader(file)
    heading = ''.join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
    body = ''.join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>'
        f'{"".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table></div>'
