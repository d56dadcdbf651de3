import json
import unicodedata

import cv2
import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.imagery.images import write_patch
from projects.false.label_audit.audit import audit_labels, mask_path


def found(audit):
    return {(finding.kind, finding.patch) for finding in audit.findings if finding.kind != 'single class'}


def test_a_good_data_set(spoilt):
    audit = audit_labels(spoilt.root, workers=2)
    assert audit.passed
    assert found(audit) == set()
    assert {entry.name for entry in audit.lists if entry.training} >= {'train', 'pretrain', 'train_50pct'}
    for split in ('train', 'test', 'train_50pct'):
        told = audit.description['splits'][split]
        assert audit.pixels[split].tolist() == [*told['pixels'].values(), told['ignored_pixels'], 0]
    assert 'pretrain' not in audit.pixels


def test_everything_wrong_at_once(spoilt):
    train, test = spoilt.names('train'), spoilt.names('test')
    mask = spoilt.read('masks', train[0])
    mask[:4] = 77
    spoilt.write('masks', train[0], mask)
    spoilt.write('masks', train[1], spoilt.read('masks', train[1])[:40])
    spoilt.path('masks', train[2]).unlink()
    spoilt.write('images', test[0], spoilt.read('images', train[3]))
    blurred = cv2.GaussianBlur(spoilt.read('images', train[2]), (0, 0), 0.6)
    spoilt.write('images', test[1], np.rot90(blurred))
    spoilt.path('images', test[2]).unlink()
    spoilt.write('masks', test[3], np.full_like(mask, 255))
    spoilt.list('val', [train[3], *test[:2]])
    audit = audit_labels(spoilt.root)
    assert not audit.passed
    assert found(audit) == {
        ('out of range', train[0]),
        ('size mismatch', train[1]),
        ('missing mask', train[2]),
        ('on both sides', train[3]),
        ('identical', test[0]),
        ('near duplicate', test[1]),
        ('missing image', test[2]),
        ('no label', test[3]),
        ('counts differ', test[3]),
    }
    assert audit.pixels['train'][-1] == 4 * 64
    assert test[2] not in audit.images
    assert audit.images[train[0]] == spoilt.path('images', train[0])


def test_patches_moved_to_the_other_side_overlap(spoilt):
    names = [*spoilt.names('train'), *spoilt.names('test')]
    description = json.loads((spoilt.root / 'dataset.json').read_text())
    records = {patch['name']: patch for patch in description['patches']}
    records[names[1]]['col'] = 32
    (spoilt.root / 'dataset.json').write_text(json.dumps(description))
    for path in (spoilt.root / 'splits').iterdir():
        path.unlink()
    spoilt.list('train', names[1:])
    spoilt.list('mytest', names[:1])
    audit = audit_labels(spoilt.root)
    assert [(f.kind, f.patch, f.other) for f in audit.findings if f.kind == 'overlap'] == [
        ('overlap', names[0], names[1])
    ]
    assert audit.passed


def test_names_with_suffix_are_the_same_patches(spoilt):
    names = [*spoilt.names('train'), *spoilt.names('test')]
    for path in (spoilt.root / 'splits').iterdir():
        path.unlink()
    spoilt.list('train', names[1:])
    spoilt.list('mine', [f'{names[2]}.png'])
    assert [entry.training for entry in audit_labels(spoilt.root).lists] == [True, True]
    spoilt.list('test', [f'{names[0]}.png', f'{names[1]}.png'])
    findings = audit_labels(spoilt.root).findings
    assert [finding.patch for finding in findings if finding.kind == 'on both sides'] == [names[1]]
    spoilt.list('test', [names[0], f'{names[0]}.png'])
    with pytest.raises(InputError, match=f"test.txt: '{names[0]}' is listed twice"):
        audit_labels(spoilt.root)


def test_a_data_set_without_lists_for_testing(spoilt):
    (spoilt.root / 'splits' / 'test.txt').unlink()
    audit = audit_labels(spoilt.root)
    assert found(audit) == set()
    assert 'test' not in audit.pixels


def test_patches_in_folders_and_with_suffixes(spoilt):
    name = spoilt.names('train')[0]
    for kind in ('images', 'masks'):
        (spoilt.root / kind / 'west').mkdir()
        spoilt.path(kind, name).rename(spoilt.root / kind / 'west' / f'{name}.png')
    for path in (spoilt.root / 'splits').glob('*.txt'):
        path.write_text(path.read_text().replace(name, f'west/{name}.png'))
    assert found(audit_labels(spoilt.root)) == set()


def test_images_without_labels_are_read_but_need_no_mask(spoilt):
    name = 'more_0_0'
    spoilt.write('images', name, spoilt.read('images', spoilt.names('train')[0])[::-1] // 2)
    spoilt.list('pretrain', [*spoilt.names('pretrain'), name])
    assert found(audit_labels(spoilt.root)) == set()
    spoilt.path('images', name).write_bytes(b'')
    assert found(audit_labels(spoilt.root)) == {('unreadable', name)}


def test_what_is_no_data_set(spoilt, tmp_path):
    with pytest.raises(InputError, match='workers is 0'):
        audit_labels(spoilt.root, workers=0)
    with pytest.raises(InputError, match='no such folder'):
        audit_labels(tmp_path / 'nowhere')
    (spoilt.root / 'images').rename(tmp_path / 'away')
    with pytest.raises(InputError, match='images: no such folder; audit images and masks as files'):
        audit_labels(spoilt.root)
    (spoilt.root / 'masks').rename(tmp_path / 'gone')
    with pytest.raises(InputError, match='masks: no such folder, so there are no labels'):
        audit_labels(spoilt.root)


def test_a_mask_in_the_other_unicode_form(tmp_path):
    (tmp_path / 'masks').mkdir()
    for form in ('NFC', 'NFD'):
        mask = tmp_path / 'masks' / f'{unicodedata.normalize(form, "é")}.png'
        write_patch(mask.with_suffix(''), np.zeros((8, 8), np.uint8))
        for name in (unicodedata.normalize(other, 'é') for other in ('NFC', 'NFD')):
            assert mask_path(tmp_path, name, tmp_path / 'images' / f'{name}.png') == mask
        mask.unlink()
