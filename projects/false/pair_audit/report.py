"""Report a false-negative audit: an HTML page, JSON and CSV, and a summary for the terminal."""

import csv
import html
import io
import json
import math
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from projects.false.imagery.palettes import Palette
from projects.false.reports.charts import Curve, class_legend, line_chart, run_legend
from projects.false.reports.page import page

from .audit import PairAudit
from .gallery import Gallery
from .judge import Finding, quality
from .picks import CRITERIA


def records(audit: PairAudit) -> list[dict[str, Any]]:
    """One row for every checkpoint, determination, gate and criterion; None where a value has no meaning."""
    return [record(finding, audit.settings.seed) for finding in audit.findings]


def record(finding: Finding, seed: int) -> dict[str, Any]:
    """A row: sums over the batches, then estimates with the ends of their 95 % intervals."""
    sums = {name: sum(getattr(batch, name) for batch in finding.counts) for name in finding.counts[0]._fields}
    row = {
        'checkpoint': finding.stage.path,
        'epoch': finding.stage.epoch,
        'iteration': finding.stage.iteration,
        'determination': finding.determination,
        'after_gate': finding.gated,
        'criterion': finding.criterion,
        'batches': len(finding.counts),
        **sums,
        'picked_per_anchor': sums['picked'] / sums['anchors'],
    }
    for name, estimate in quality(finding.counts, seed)._asdict().items():
        for suffix, value in zip(('', '_low', '_high'), estimate, strict=True):
            row[f'{name}{suffix}'] = value if math.isfinite(value) else None
    return row


def as_json(audit: PairAudit, rows: list[dict[str, Any]]) -> str:
    """What was audited, and the rows, one a line."""
    settings = audit.settings
    head = {
        'config': audit.config.filename,
        'data': settings.data_root,
        'split': settings.split,
        'patches': len(audit.loader.dataset),
        'batch_size': audit.loader.batch_size,
        'batches': settings.batches,
        'labels_of': settings.scope,
        'overlap_level': settings.level,
        'gate': settings.threshold,
        'seed': settings.seed,
        'anchors_past_gate': {stage.path: share for stage, share in zip(audit.stages, audit.open, strict=True)},
    }
    lines = ',\n  '.join(json.dumps(row, ensure_ascii=False) for row in rows)
    return json.dumps(head, indent=1, ensure_ascii=False)[:-2] + f',\n "results": [\n  {lines}\n ]\n}}\n'


def as_csv(rows: list[dict[str, Any]]) -> str:
    """The rows with a heading; an empty cell where a value has no meaning."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def print_summary(audit: PairAudit, rows: list[dict[str, Any]]) -> None:
    """Print precision and lift of every determination after every checkpoint, before the gate."""
    console = Console(width=160)
    for criterion in CRITERIA:
        chosen = [row for row in rows if row['criterion'] == criterion and not row['after_gate']]
        base = next((row['base_rate'] for row in chosen), None)
        title = f'{criterion}: precision and lift before the gate'
        if base is not None:
            title += f'; {base:.1%} of all pairs share their land cover'
        console.print(title, highlight=False)
        table = Table(box=SIMPLE_HEAD)
        table.add_column('determination', no_wrap=True)
        for stage in audit.stages:
            table.add_column(stage.name, justify='right')
        for name in dict.fromkeys(row['determination'] for row in chosen):
            cells = []
            for stage in audit.stages:
                row = next(r for r in chosen if (r['determination'], r['checkpoint']) == (name, stage.path))
                cells.append('-' if row['lift'] is None else f'{row["precision"]:.1%} x{row["lift"]:.2f}')
            table.add_row(name, *cells)
        console.print(table, highlight=False)


MEANINGS = {
    'recipe': 'as the config has it',
    'random': 'control: chance',
    'oracle': 'control: the same dominant class',
    'oracle_overlap': 'control: overlap above the level',
}


def report(audit: PairAudit, rows: list[dict[str, Any]]) -> str:
    """The page: what was counted, tables, curves along training, and pictures of pairs."""
    sections = [('What was counted', _facts(audit))]
    last = [row for row in rows if row['checkpoint'] == audit.stages[-1].path]
    for criterion in CRITERIA:
        chosen = [row for row in last if row['criterion'] == criterion]
        title = f'{audit.stages[-1].name}: {_criterion(audit, criterion)}'
        sections.append((title, ''.join(_table(chosen, gated) for gated in (False, True))))
    if len(audit.stages) > 1:
        sections.append(('Lift along training', _curves(audit, rows)))
    if audit.settings.examples:
        sections.append((f'Picked pairs, {audit.stages[-1].name}', pair_gallery(audit)))
    name = html.escape(str(audit.config.filename))
    lead = f'<p>Do the pairs that a determination picks show the same land cover? Recipe <code>{name}</code>.</p>'
    return page('False-negative audit', lead, sections)


def _criterion(audit: PairAudit, criterion: str) -> str:
    if criterion == 'dominant':
        return 'same dominant class'
    return f'label overlap above {audit.settings.level:g}'


def _facts(audit: PairAudit) -> str:
    settings = audit.settings
    whose = 'its own window' if settings.scope == 'view' else 'its whole patch'
    queue = 'queue' if 'queue_len' in audit.config.model else 'batch'
    facts = {
        'data': f'{settings.data_root}, splits/{settings.split}.txt, {len(audit.loader.dataset)} patches',
        'batches': f'{settings.batches} of {audit.loader.batch_size} images, negatives from the {queue}, seed '
        f'{settings.seed}',
        'label of a view': f'that of {whose}',
        'gate': f'T = {settings.threshold:g}; past it: '
        + ', '.join(f'{stage.name} {share:.1%}' for stage, share in zip(audit.stages, audit.open, strict=True)),
    }
    cells = ''.join(f'<tr><th>{name}</th><td>{html.escape(text)}</td></tr>' for name, text in facts.items())
    text = (
        '<p>Precision: share of the picked pairs that share their land cover. Recall: share of the pairs that share it '
        'that are picked. Lift: precision divided by the share of all pairs that share it; 1 is chance. In brackets: '
        '95 % of a bootstrap over batches.</p>'
    )
    return f'<table class="facts">{cells}</table>{text}'


def _table(rows: list[dict[str, Any]], gated: bool) -> str:
    chosen = [row for row in rows if row['after_gate'] is gated]
    head = ''.join(f'<th>{name}</th>' for name in ('', 'picked an anchor', 'precision', 'recall', 'lift'))
    body = []
    for row in chosen:
        meaning = MEANINGS.get(row['determination'])
        name = html.escape(row['determination']) + (f' <small>{meaning}</small>' if meaning else '')
        values = (_percent(row, 'precision'), _percent(row, 'recall'), _number(row, 'lift'))
        cells = ''.join(f'<td>{value}</td>' for value in (f'{row["picked_per_anchor"]:.3g}', *values))
        body.append(f'<tr><th>{name}</th>{cells}</tr>')
    base = chosen[0]['base_rate']
    rate = 'no pair has labels' if base is None else f'{base:.1%} of all pairs share their land cover'
    caption = f'{"After" if gated else "Before"} the gate; {rate}'
    return (
        f'<div class="scroll"><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        f'<tbody>{"".join(body)}</tbody></table></div>'
    )


def _percent(row: dict[str, Any], name: str) -> str:
    value, low, high = (row[f'{name}{suffix}'] for suffix in ('', '_low', '_high'))
    if value is None:
        return '–'
    return f'{value:.1%} <small>[{100 * low:.1f}, {100 * high:.1f}]</small>'


def _number(row: dict[str, Any], name: str) -> str:
    value, low, high = (row[f'{name}{suffix}'] for suffix in ('', '_low', '_high'))
    return '–' if value is None else f'{value:.2f} <small>[{low:.2f}, {high:.2f}]</small>'


def _curves(audit: PairAudit, rows: list[dict[str, Any]]) -> str:
    """A chart a determination: lift by the two criteria, before the gate, over the epochs."""
    legend = run_legend([(style, _criterion(audit, name)) for style, name in enumerate(CRITERIA)], 'line')
    charts = []
    for name in dict.fromkeys(row['determination'] for row in rows):
        if name.startswith('oracle'):
            continue
        curves, told = [], []
        for style, criterion in enumerate(CRITERIA):
            chosen = [
                row
                for row in rows
                if (row['determination'], row['criterion'], row['after_gate']) == (name, criterion, False)
                and row['lift'] is not None
            ]
            chosen.sort(key=lambda row: row['iteration'])
            if chosen:
                x, y = ([row[key] for row in chosen] for key in ('epoch', 'lift'))
                curves.append(Curve(style, np.array(x, float), np.array(y, float)))
                told.append(f'{criterion} from {y[0]:.2f} at epoch {x[0]} to {y[-1]:.2f} at epoch {x[-1]}')
        if curves:
            chart = line_chart(curves, 'epoch', 'lift', f'{name}, lift over chance: {"; ".join(told)}')
            charts.append(f'<figure><h3>{html.escape(name)}</h3>{chart}</figure>')
    return f'<p>Before the gate; every chart has its own scale.</p>{legend}<div class="pair">{"".join(charts)}</div>'


def pair_gallery(audit: PairAudit) -> str:
    """Right and wrong picks of every determination at the last point of training, as HTML for any page."""
    palette = Palette.from_metainfo(audit.loader.dataset.metainfo)
    gallery = Gallery(audit.loader.dataset, audit.preprocessor, palette)
    parts = [
        '<p>Drawn by chance among the picked pairs, right (the same dominant class) and wrong. Each view is shown as '
        'the network sees it; image and label beside it are what it is cut from, neither mirrored nor coloured.</p>',
        class_legend(palette),
    ]
    for name in dict.fromkeys(name for name, _ in audit.examples):
        gated = any(audit.examples[name, True].kept(right) for right in (True, False))
        found = audit.examples[name, gated]
        if not any(found.kept(right) for right in (True, False)):
            continue
        parts.append(f'<h3>{html.escape(name)}, {"after" if gated else "before"} the gate</h3>')
        parts += [gallery.strip(example) for right in (True, False) for example in found.kept(right)]
    return ''.join(parts)
