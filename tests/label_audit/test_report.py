import io
import json

import pytest
from rich.console import Console

from projects.false.common.errors import InputError
from projects.false.label_audit.audit import audit_labels
from projects.false.label_audit.findings import KINDS, Finding, by_kind
from projects.false.label_audit.report import audit_json, print_audit, verdict


def text_of(audit):
    buffer = io.StringIO()
    print_audit(audit, Console(file=buffer, width=100))
    return buffer.getvalue()


def test_text_of_a_good_data_set(spoilt):
    audit = audit_labels(spoilt.root)
    text = text_of(audit)
    assert text.rstrip().endswith('no errors; warnings for 0 patches, notes for 0')
    share = audit.pixels['train'][1] / audit.pixels['train'][:5].sum()
    (row,) = (line for line in text.splitlines() if line.split()[:1] == ['train'])
    assert row.split()[1:4:2] == ['4', f'{share:.1%}']
    assert 'out' not in text.split('no errors')[0].replace(str(spoilt.root), '')


def test_text_and_json_of_a_bad_one(spoilt):
    train = spoilt.names('train')
    for name in train:
        spoilt.path('masks', name).unlink()
    mask = spoilt.read('masks', spoilt.names('test')[0])
    mask[0] = 9
    spoilt.write('masks', spoilt.names('test')[0], mask)
    audit = audit_labels(spoilt.root)
    text = text_of(audit)
    assert 'error 4 x missing mask: patches of a labelled list without a mask' in text
    assert f'    {train[2]}: ' in text
    assert f'    {train[3]}: ' not in text
    assert '    and 1 more' in text
    assert 'error 1 x out of range' in text
    assert verdict(audit).startswith('not fit to train on: 5 patches have errors;')
    (row,) = (line for line in text.splitlines() if line.split()[:1] == ['train'])
    assert row.split()[2:] == ['-'] * 7  # no label was read: no share of anything
    told = json.loads(''.join(audit_json(audit)))
    assert told['passed'] is False
    assert told['found'] == {'missing mask': 4, 'out of range': 1}
    assert told['lists']['test']['out_of_range_pixels'] == 64
    assert told['lists']['train']['pixels'] == dict.fromkeys(audit.description['classes'], 0)
    assert 'pixels' not in told['lists']['pretrain']
    assert [finding['patch'] for finding in told['findings']] == [*train, spoilt.names('test')[0]]
    assert told['findings'][0]['severity'] == 'error'


def test_json_without_findings(spoilt):
    told = json.loads(''.join(audit_json(audit_labels(spoilt.root))))
    assert (told['passed'], told['found'], told['findings']) == (True, {}, [])


def test_findings_are_sorted_by_kind_only():
    findings = [Finding('single class', 'b', ''), Finding('unreadable', 'z', ''), Finding('unreadable', 'a', '')]
    assert {kind: [f.patch for f in group] for kind, group in by_kind(findings).items()} == {
        'unreadable': ['z', 'a'],
        'single class': ['b'],
    }
    assert {severity for severity, _ in KINDS.values()} == {'error', 'warning', 'note'}
    with pytest.raises(InputError, match="kind of finding 'odd' is not known"):
        by_kind([Finding('odd', 'a', '')])
