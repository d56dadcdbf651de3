import json

import cv2
import numpy as np

from projects.false.imagery.palettes import load_palette
from projects.false.label_audit.audit import audit_labels
from projects.false.label_audit.findings import Finding
from projects.false.label_audit.picture import GAP, SIDE, audit_picture, chosen_findings, finding_picture


def decoded(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def holds(picture, color):
    return int((np.abs(picture.astype(int) - color).max(axis=-1) <= 2).sum())


def test_bars_have_the_lengths_of_the_shares(spoilt):
    audit = audit_labels(spoilt.root)
    picture = decoded(audit_picture(audit))
    row = picture.astype(int)
    blue = (np.abs(row - (31, 111, 180)).max(axis=-1) <= 2).sum(axis=1)
    bars = [blue[start] for start in np.flatnonzero((blue[1:] > 40) & (blue[:-1] <= 40)) + 3]
    shares = audit.pixels['train'][:5] / audit.pixels['train'][:5].sum()
    assert len(bars) == 5  # of the list `train`, one a class; its key in the legend is shorter
    assert np.allclose(np.array(bars) / sum(bars), shares, atol=0.01)


def test_a_strip_is_added_for_what_was_found(spoilt):
    clean = decoded(audit_picture(audit_labels(spoilt.root)))
    name = spoilt.names('train')[0]
    mask = spoilt.read('masks', name)
    mask[10:40, 10:40] = 99
    spoilt.write('masks', name, mask)
    spoilt.path('masks', spoilt.names('train')[1]).unlink()
    dirty = decoded(audit_picture(audit_labels(spoilt.root)))
    assert dirty.shape[1] == clean.shape[1]
    assert dirty.shape[0] > clean.shape[0] + 150
    assert holds(dirty, (230, 0, 0)) > 200 > 20 > holds(clean, (230, 0, 0))


def test_pictures_of_findings(spoilt):
    palette, (one, two) = load_palette('mbrsc'), spoilt.names('train')[:2]
    mask = np.zeros((64, 64), np.uint8)
    mask[:32, :32] = 99
    spoilt.write('masks', one, mask)
    spoilt.path('masks', two).unlink()
    audit = audit_labels(spoilt.root)
    finding = next(f for f in audit.findings if f.patch == one)
    picture = finding_picture(finding, audit, palette)
    assert picture.shape == (SIDE, 2 * SIDE + GAP, 3)
    label = picture[:, SIDE + GAP :]
    assert set(map(tuple, label[: SIDE // 2 - 2, : SIDE // 2 - 2].reshape(-1, 3))) == {(230, 0, 0), (0, 0, 0)}
    assert set(map(tuple, label[SIDE // 2 + 2 :].reshape(-1, 3))) == {palette.colors[0]}
    expected = cv2.resize(spoilt.read('images', one)[..., ::-1], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert np.array_equal(picture[:, :SIDE], expected)
    without = finding_picture(next(f for f in audit.findings if f.patch == two), audit, palette)
    assert holds(without[:, SIDE + GAP :], (235, 235, 235)) > 0.9 * SIDE * SIDE
    pair = finding_picture(Finding('identical', one, '', one), audit, palette)
    assert np.array_equal(pair[:, :SIDE], pair[:, SIDE + GAP :])


def test_every_kind_is_shown_and_notes_do_not_crowd_it_out():
    findings = [Finding('single class', f'n{i}', '') for i in range(100)]
    assert [f.patch for f in chosen_findings(findings, 12, most_notes=4)] == ['n0', 'n33', 'n66', 'n99']
    findings += [Finding('no label', f'w{i}', '') for i in range(50)] + [Finding('unreadable', 'e', '')]
    chosen = [f.patch for f in chosen_findings(findings, 12, most_notes=4)]
    assert len(chosen) == 12
    assert chosen[0] == 'e'
    assert [name[0] for name in chosen].count('n') == 4
    assert chosen_findings([], 12, 4) == []


def test_long_names_many_classes_and_a_list_without_labels(spoilt):
    path = spoilt.root / 'dataset.json'
    description = json.loads(path.read_text())
    description['classes'] = [f'class {i} with a rather long name, even longer than that' for i in range(9)]
    description['colors'] = [f'#0{i}0{i}0{i}' for i in range(9)]
    description['ignore_colors'] = []
    for patch in description['patches']:
        patch['pixels'] = [*patch['pixels'][:-1], 0, 0, 0, 0, patch['pixels'][-1]]
    path.write_text(json.dumps(description))
    for name in spoilt.names('test'):
        spoilt.write('masks', name, np.full((64, 64), 255, np.uint8))
    picture = decoded(audit_picture(audit_labels(spoilt.root)))
    assert picture.shape[0] > 600
