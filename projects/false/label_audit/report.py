"""Report an audit as text for a terminal and as JSON for programs."""

import json
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .audit import Audit
from .findings import KINDS, by_kind

_SHOWN = 3  # patches per kind in the text
_STYLES = {'error': 'bold red', 'warning': 'yellow', 'note': 'dim'}


def print_audit(audit: Audit, console: Console) -> None:
    """Print the class shares per list, the findings, and the verdict."""
    console.print(_shares(audit))
    for kind, findings in by_kind(audit.findings).items():
        severity, meaning = KINDS[kind]
        head = f'[{_STYLES[severity]}]{severity}[/] {len(findings):,} x [bold]{kind}[/]: {meaning}'
        console.print(head, highlight=False, soft_wrap=True)
        for finding in findings[:_SHOWN]:
            console.print(f'    {escape(finding.patch)}: {escape(finding.text)}', highlight=False, soft_wrap=True)
        if len(findings) > _SHOWN:
            console.print(f'    and {len(findings) - _SHOWN:,} more', highlight=False)
    console.print(verdict(audit), highlight=False, soft_wrap=True)


def verdict(audit: Audit) -> str:
    """Return one line that says whether the data is fit for training."""
    count = {severity: len({f.patch for f in audit.findings if f.severity == severity}) for severity in _STYLES}
    if not audit.passed:
        patches = f'{count["error"]:,} {"patch has" if count["error"] == 1 else "patches have"} errors'
        return f'not fit to train on: {patches}; fix or convert them again, or remove them from the lists'
    return f'no errors; warnings for {count["warning"]:,} patches, notes for {count["note"]:,}'


def _shares(audit: Audit) -> Table:
    """Tabulate the share of each class among the labelled pixels per list."""
    table = Table(
        title=f'{escape(str(audit.data_root))}: share of the labelled pixels',
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title_justify='left',
    )
    table.add_column('list', no_wrap=True)
    wrongs = any(pixels[-1] for pixels in audit.pixels.values())
    for heading in ('patches', *audit.description['classes'], 'ignored', *['out of range'] * wrongs):
        table.add_column(escape(heading).replace(' ', '\n'), justify='right', overflow='fold')
    for entry in audit.lists:
        if not entry.labelled:
            continue
        *pixels, ignored, wrong = audit.pixels[entry.name].tolist()
        labelled, total = sum(pixels), sum(pixels) + ignored + wrong
        shares = [f'{count / labelled:.1%}' if labelled else '-' for count in pixels]
        rest = [f'{count / total:.1%}' if total else '-' for count in (ignored, wrong)[: 1 + wrongs]]
        table.add_row(escape(entry.name), f'{len(entry.patches):,}', *shares, *rest)
    return table


def audit_json(audit: Audit) -> Iterator[str]:
    """Yield the audit as JSON in pieces, with one line per finding."""
    lists = {}
    for entry in audit.lists:
        record: dict[str, object] = {'patches': len(entry.patches), 'training': entry.training}
        if entry.labelled:
            *pixels, ignored, wrong = audit.pixels[entry.name].tolist()
            record['pixels'] = dict(zip(audit.description['classes'], pixels, strict=True))
            record |= {'ignored_pixels': ignored, 'out_of_range_pixels': wrong}
        lists[entry.name] = record
    groups = by_kind(audit.findings)
    head = {
        'data_root': str(audit.data_root),
        'passed': audit.passed,
        'lists': lists,
        'found': {kind: len(findings) for kind, findings in groups.items()},
    }
    yield json.dumps(head, indent=1, ensure_ascii=False)[:-2] + ',\n "findings": ['
    separator = '\n  '
    for findings in groups.values():
        for finding in findings:
            line = {'severity': finding.severity, **finding._asdict()}
            yield separator + json.dumps(line, ensure_ascii=False)
            separator = ',\n  '
    yield '\n ]\n}\n'
