"""The result as rows of numbers, for programs and spreadsheets."""

import csv
import io
import json
import math
from typing import Any

from .audit import PairAudit
from .counts import quality
from .judge import Finding


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
