"""tools/analysis_tools/audit_false_negatives.py by its command line."""

import base64
import csv
import json
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from projects.false.pair_audit.replay import build_model
from tests.helpers.tools import REPOSITORY, main_of

RECIPE = REPOSITORY / 'configs' / 'false_simclr_r18_mbrsc.py'
SMALL = ['train_dataloader.batch_size=4', 'train_dataloader.num_workers=0', 'model.backbone.base_channels=8']
SMALL += ['model.backbone.stem_channels=8', 'model.neck.in_channels=64', 'model.neck.hid_channels=16']


@pytest.fixture
def data(patches, tmp_path):
    return shutil.copytree(patches('mbrsc', 64, 24), tmp_path / 'data')


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of an untrained small network, as if of epoch 3."""
    config = Config.fromfile(RECIPE)
    config.model.backbone.update(base_channels=8, stem_channels=8)
    config.model.neck.update(in_channels=64, hid_channels=16)
    path = tmp_path / 'epoch_3.pth'
    torch.save({'state_dict': build_model(config, 5).state_dict(), 'meta': {'epoch': 3, 'iter': 9}}, path)
    return path


def arguments(data, *checkpoints, recipe=RECIPE, options=(), **others):
    """The command line, with ``--name value`` for others."""
    extra = [text for name, value in others.items() for text in (f'--{name}', str(value))]
    given = ['--batches', '3', *extra, '--cfg-options', *SMALL, *options]
    return list(map(str, [recipe, *checkpoints, '--data', data, *given]))


@pytest.mark.slow
def test_along_training_by_its_command_line(data, checkpoint, tmp_path):
    out = tmp_path / 'out'
    command = [sys.executable, REPOSITORY / 'tools' / 'analysis_tools' / 'audit_false_negatives.py']
    command += arguments(data, checkpoint, 'untrained', out=out, split='train', examples=2)
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert 'anchor_nearest' in result.stdout
    assert sorted(path.name for path in out.iterdir()) == ['audit.csv', 'audit.html', 'audit.json']
    found = json.loads((out / 'audit.json').read_text())
    rows = found['results']
    assert {row['checkpoint'] for row in rows} == {'untrained', str(checkpoint)}
    assert {row['epoch'] for row in rows} == {0, 3}
    for row in rows:
        assert row['batches'] == 3
        assert row['anchors'] == 3 * 8
        assert row['pairs'] + 0 <= 3 * 8 * 6
        assert row['right'] <= min(row['picked'], row['true']) <= row['pairs']
        if row['picked']:
            assert row['precision'] == pytest.approx(row['right'] / row['picked'])
            assert row['precision_low'] <= row['precision'] <= row['precision_high']
        if (row['determination'], row['criterion']) in (('oracle', 'dominant'), ('oracle_overlap', 'overlap')):
            assert row['after_gate'] or row['precision'] == row['recall'] == 1
    table = list(csv.DictReader((out / 'audit.csv').open()))
    assert len(table) == len(rows) == 2 * 11 * 2 * 2
    assert [row['determination'] for row in table] == [row['determination'] for row in rows]
    check_page((out / 'audit.html').read_text())


def check_page(page):
    assert "default-src 'none'" in page
    assert not re.search(r'<script|https?://|src="(?!data:)', page)
    assert 'Lift along training' in page
    assert page.count('<svg viewBox="0 0 440') == 9  # all but the oracles
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) % 6 == 0
    assert len(pictures) > 60
    for picture in pictures[:12]:
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_COLOR)
        assert 0 < pixels.shape[0] == pixels.shape[1] <= 112


@pytest.mark.slow
def test_the_same_again_and_with_a_queue(data, tmp_path, capsys):
    main = main_of('analysis_tools/audit_false_negatives')
    recipe = REPOSITORY / 'configs' / 'false_mocov2_r18_mbrsc.py'
    texts = []
    for name in ('one', 'two'):
        options = arguments(
            data,
            'untrained',
            recipe=recipe,
            options=['model.queue_len=8'],
            out=tmp_path / name,
            split='train',
            labels='patch',
        )
        assert main(options) == 0, capsys.readouterr().err
        texts.append([(tmp_path / name / f'audit.{kind}').read_text() for kind in ('json', 'csv', 'html')])
    assert texts[0] == texts[1]
    rows = json.loads(texts[0][0])['results']
    names = {row['determination'] for row in rows}
    assert names == {
        'recipe', 'evidence', 'anchor_nearest', 'batch_nearest', 'margin', 'topk', 'random', 'oracle', 'oracle_overlap'
    }  # fmt: skip
    assert {row['anchors'] for row in rows} == {3 * 4}
    assert 'Lift along training' not in texts[0][2]


def test_unusable_input_ends_with_one_line(data, checkpoint, tmp_path, capsys):
    main = main_of('analysis_tools/audit_false_negatives')
    (data / 'splits' / 'empty.txt').write_text('\n')
    (data / 'splits' / 'short.txt').write_text((data / 'splits' / 'train.txt').read_text().split()[0])
    (tmp_path / 'file').touch()
    backbone = tmp_path / 'backbone.pth'
    torch.save({'state_dict': {'conv1.weight': torch.zeros(1)}}, backbone)
    unlabelled = shutil.copytree(data, tmp_path / 'unlabelled')
    shutil.rmtree(unlabelled / 'masks')
    bare = shutil.copytree(data, tmp_path / 'bare')
    (bare / 'dataset.json').unlink()
    one_gone = shutil.copytree(data, tmp_path / 'one_gone')
    next((one_gone / 'masks').iterdir()).unlink()
    fine_tuning = REPOSITORY / 'configs' / 'upernet_r18_mbrsc.py'
    out = tmp_path / 'out'
    cases = [
        (arguments(data, backbone, split='train', out=out), 'backbone.pth: not a checkpoint of this model'),
        (arguments(data, tmp_path / 'no.pth', split='train', out=out), 'no.pth is missing'),
        (arguments(unlabelled, 'untrained', out=out), 'no such folder, so there are no labels'),
        (arguments(bare, 'untrained', out=out), 'dataset.json: no such file'),
        (arguments(one_gone, 'untrained', out=out), 'no mask for'),
        (arguments(data, 'untrained', split='none', out=out), 'none.txt: no such list'),
        (arguments(data, 'untrained', split='empty', out=out), 'empty.txt: the list is empty'),
        (arguments(data, 'untrained', split='short', out=out), 'short.txt: 1 patches are less than a batch of 4'),
        (arguments(data, 'untrained', determinations='best', out=out), '--determinations best: not one of'),
        (arguments(data, 'untrained', batches=0, out=out), '--batches must be an integer'),
        (arguments(data, 'untrained', overlap=2, out=out), '--overlap must be in [0, 1]'),
        (arguments(data, 'untrained', gate=2, out=out), '--gate must be in [-1, 1]'),
        (arguments(data, 'untrained', seed=-1, out=out), '--seed is -1'),
        (arguments(data, 'untrained', out=tmp_path / 'file'), 'choose another folder'),
        ([str(fine_tuning), 'untrained', '--data', str(data), '--out', str(out)], 'pretrains nothing'),
    ]
    for options, message in cases:
        assert main(options) == 2, message
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith('error: '), said
        assert message in said
    assert not list(out.glob('*'))


@pytest.mark.slow
def test_places_and_rules_that_take_turns(data, checkpoint, tmp_path, capsys):
    recipe = tmp_path / 'turns.py'
    recipe.write_text(f"""_base_ = {str(RECIPE)!r}
rule = dict(_delete_=True, type='in_turn', at=[0.1], rules=[dict(type='place', distance=128), 'evidence'])
model = dict(head=dict(loss=dict(determination=rule)))
train_dataloader = dict(
    sampler=dict(type='NeighbourSampler', side=128),
    dataset=dict(evidence=[dict(type='ViewAppearance'), dict(type='ViewPlace')]),
)
""")
    main, out = main_of('analysis_tools/audit_false_negatives'), tmp_path / 'out'
    options = arguments(data, checkpoint, 'untrained', recipe=recipe, split='train', out=out, examples=0)
    names = ['recipe', 'evidence', 'place', 'other_place']
    assert main([*options[:3], '--determinations', *names, *options[3:]]) == 0, capsys.readouterr().err
    rows = json.loads((out / 'audit.json').read_text())['results']
    picked = {
        (row['epoch'], row['determination']): (row['picked'], row['right'])
        for row in rows
        if row['criterion'] == 'dominant' and not row['after_gate']
    }
    assert picked[0, 'recipe'] == picked[0, 'place']
    assert picked[0, 'place'][0] > 0
    assert picked[3, 'recipe'] == picked[3, 'evidence']  # 3 of 20 epochs
    assert picked[3, 'evidence'] != picked[3, 'place']
    pairs = {row['pairs'] for row in rows if row['determination'] == 'place'}
    assert all(picked[epoch, 'place'][0] + picked[epoch, 'other_place'][0] <= max(pairs) for epoch in (0, 3))
