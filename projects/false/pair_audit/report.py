"""Report a false-negative audit: an HTML page, JSON and CSV, and a summary for the terminal."""

import csv
import html
import io
import json
import math
from typing import Any, cast

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from projects.false.imagery.palettes import Palette
from projects.false.reports.charts import Curve, class_legend, line_chart, run_legend
from projects.false.reports.page import page

from .audit import PairAudit
from .gallery import Gallery
from .judge import Judgement, PairCounts, estimate_quality
from .picks import CRITERIA


def make_records(audit: PairAudit) -> list[dict[str, Any]]:
    """Return one row per checkpoint, determination, gate and criterion; None where a value is undefined."""
    return [_make_record(judgement, audit.seed) for judgement in audit.judgements]


def _make_record(judgement: Judgement, seed: int) -> dict[str, Any]:
    """Return a row: sums over the batches, then estimates with the ends of their 95 % intervals."""
    sums = {name: sum(getattr(batch, name) for batch in judgement.counts) for name in PairCounts._fields}
    row = {
        'checkpoint': judgement.stage.path,
        'epoch': judgement.stage.epoch,
        'iteration': judgement.stage.iteration,
        'determination': judgement.determination,
        'after_gate': judgement.gated,
        'criterion': judgement.criterion,
        'batches': len(judgement.counts),
        **sums,
        'picked_per_anchor': sums['picked'] / sums['anchors'],
    }
    for name, estimate in estimate_quality(judgement.counts, seed)._asdict().items():
        for suffix, value in zip(('', '_low', '_high'), estimate, strict=True):
            row[f'{name}{suffix}'] = value if math.isfinite(value) else None
    return row


def as_json(audit: PairAudit, rows: list[dict[str, Any]]) -> str:
    """Return the audit's settings and the rows, one per line, as JSON."""
    settings, dataset = audit.settings, cast(Any, audit.loader.dataset)
    head = {
        'config': audit.config.filename,
        'data': settings.data_root,
        'split': settings.split,
        'patches': len(dataset),
        'batch_size': audit.loader.batch_size,
        'batches': settings.batches,
        'labels_of': settings.scope,
        'overlap_level': settings.level,
        'gate': audit.threshold,
        'seed': audit.seed,
        'anchors_past_gate': {stage.path: share for stage, share in zip(audit.stages, audit.past_gate, strict=True)},
    }
    lines = ',\n  '.join(json.dumps(row, ensure_ascii=False) for row in rows)
    return json.dumps(head, indent=1, ensure_ascii=False)[:-2] + f',\n "results": [\n  {lines}\n ]\n}}\n'


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return the rows as CSV with a header; a cell is empty where a value is undefined."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def print_summary(audit: PairAudit, rows: list[dict[str, Any]]) -> None:
    """Print precision and lift of every determination at every checkpoint, before the gate."""
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
    'recipe': 'the rule of the config',
    'random': 'control: random negatives',
    'oracle': 'control: the same dominant class',
    'oracle_overlap': 'control: overlap above the level',
}


def make_page(audit: PairAudit, rows: list[dict[str, Any]]) -> str:
    """Return the HTML page: data and settings, tables, curves along training, and pictures of pairs."""
    sections = [('Data and settings', _facts(audit))]
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
    lead = (
        '<p>The labels tell how often the pairs that a determination picks show the same land cover. '
        f'Recipe <code>{name}</code>.</p>'
    )
    return page('False-negative audit', lead, sections)


def _criterion(audit: PairAudit, criterion: str) -> str:
    if criterion == 'dominant':
        return 'same dominant class'
    return f'label overlap above {audit.settings.level:g}'


def _facts(audit: PairAudit) -> str:
    settings, dataset = audit.settings, cast(Any, audit.loader.dataset)
    scope = 'its own window' if settings.scope == 'view' else 'its whole patch'
    queue = 'queue' if 'queue_len' in audit.config.model else 'batch'
    facts = {
        'data': f'{settings.data_root}, splits/{settings.split}.txt, {len(dataset)} patches',
        'batches': f'{settings.batches} of {audit.loader.batch_size} images, negatives from the {queue}, seed '
        f'{audit.seed}',
        'label of a view': f'that of {scope}',
        'gate': f'T = {audit.threshold:g}; past it: '
        + ', '.join(f'{stage.name} {share:.1%}' for stage, share in zip(audit.stages, audit.past_gate, strict=True)),
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
    head = ''.join(f'<th>{name}</th>' for name in ('', 'picked per anchor', 'precision', 'recall', 'lift'))
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
    """Return one chart per determination: lift by the two criteria, before the gate, over the epochs."""
    legend = run_legend([(style, _criterion(audit, name)) for style, name in enumerate(CRITERIA)], 'line')
    charts = []
    for name in dict.fromkeys(row['determination'] for row in rows):
        if name.startswith('oracle'):
            continue
        curves, summaries = [], []
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
                summaries.append(f'{criterion} from {y[0]:.2f} at epoch {x[0]} to {y[-1]:.2f} at epoch {x[-1]}')
        if curves:
            chart = line_chart(curves, 'epoch', 'lift', f'{name}, lift over chance: {"; ".join(summaries)}')
            charts.append(f'<figure><h3>{html.escape(name)}</h3>{chart}</figure>')
    return f'<p>Before the gate; every chart has its own scale.</p>{legend}<div class="pair">{"".join(charts)}</div>'


def pair_gallery(audit: PairAudit) -> str:
    """Return right and wrong picks of every determination at the last stage, as HTML for any page."""
    dataset = cast(Any, audit.loader.dataset)
    palette = Palette.from_metainfo(dataset.metainfo)
    gallery = Gallery(dataset, audit.preprocessor, palette)
    parts = [
        '<p>A random choice of picked pairs, right (the same dominant class) and wrong. Each view is shown as the '
        'network sees it; the image and label that it is cut from are neither mirrored nor coloured.</p>',
        class_legend(palette),
    ]
    for name in dict.fromkeys(name for name, _ in audit.examples):
        gated = any(audit.examples[name, True].kept(right) for right in (True, False))
        examples = audit.examples[name, gated]
        if not any(examples.kept(right) for right in (True, False)):
            continue
        parts.append(f'<h3>{html.escape(name)}, {"after" if gated else "before"} the gate</h3>')
        parts += [gallery.strip(example) for right in (True, False) for example in examples.kept(right)]
    return ''.join(parts)
