"""A page over a made work folder: what it shows, and that nothing unreadable goes unsaid."""

import json

import cv2
import numpy as np
import pytest
import rasterio

from projects.false.common.errors import InputError
from projects.false.experiments import workspace
from projects.false.experiments.workspace import find_workspace, write_workspace_page
from tests.helpers.tools import main_of

CLASSES = ['roof', 'ground & soil']


def log(folder, losses, **validation):
    file = folder / '20260101_000000' / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    lines = [{'loss': loss, 'iter': step, 'step': step} for step, loss in enumerate(losses, start=1)]
    file.write_text('\n'.join(json.dumps(line) for line in (*lines, {**validation, 'step': len(losses)})) + '\n')


def scores(folder, miou):
    means = {'mIoU': miou, 'OA': 80.0, 'mF1': 70.0, 'kappa': 60.0, 'IoU.roof': miou, 'IoU.ground & soil': None}
    folder.mkdir(parents=True)
    (folder / 'scores.json').write_text(json.dumps({'scores': means, 'classes': CLASSES}))


def class_map(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = dict(driver='GTiff', width=40, height=30, count=1, dtype='uint8', crs='EPSG:32633')
    transform = rasterio.transform.from_origin(500000, 5800000, 0.5, 0.5)
    with rasterio.open(path, 'w', transform=transform, **profile) as raster:
        raster.write(np.zeros((30, 40), np.uint8), 1)
        raster.write_colormap(1, {0: (255, 0, 0, 255), 1: (0, 255, 0, 255)})


@pytest.fixture
def work(tmp_path):
    """Two trainings, two tests, two maps, an audit and a page."""
    folder = tmp_path / 'work <dirs>'
    log(folder / 'backbone', [5.0, 4.0, 3.5])
    log(folder / 'mine', [1.0, 0.5], mIoU=41.0, aAcc=3.0)
    scores(folder / 'test' / 'mine', 45.5)
    scores(folder / 'test' / 'random', 30.25)
    cv2.imwrite(str(folder / 'test' / 'mine' / 'examples.png'), np.zeros((2000, 400, 3), np.uint8))
    class_map(folder / 'maps' / 'a_classes.tif')
    class_map(folder / 'maps' / 'b_classes.tif')
    cv2.imwrite(str(folder / 'maps' / 'b_preview.png'), np.zeros((20, 20, 3), np.uint8))
    (folder / 'maps' / 'b_areas.csv').write_text('class,pixels\nroof,1200\n')
    found = {'data_root': 'data/mine', 'passed': False, 'lists': {}, 'found': {'unreadable': 2}, 'findings': []}
    (folder / 'audit.json').write_text(json.dumps(found))
    (folder / 'old report.html').write_text('<p>')
    return folder


def test_the_page_shows_all_there_is(work):
    out, problems = write_workspace_page(work)
    assert (out, problems) == (work / 'workspace.html', [])
    text = out.read_text()
    assert '2 trainings, 2 tests, 2 maps, 1 audit in ' in text
    for part in (
        'loss from 5 at step 1 to 3.5 at 3',
        'mIoU 41 at step 2',
        'test/random',
        'ground &amp; soil',
        '40 x 30 pixels, EPSG:32633',
        '<th scope="row">roof</th><td>1200</td>',
        'data/mine: not passed',
        '<a href="old%20report.html">old report.html</a>',
        'Workspace work &lt;dirs&gt;',
    ):
        assert part in text
    assert text.count('<img ') == 3  # the examples, a drawn map and a preview
    assert 'height="900"' in text
    assert 'work <dirs>' not in text
    assert len(find_workspace(work).pages) == 1, 'the page does not list itself'


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(work, capsys):
    (work / 'test' / 'mine' / 'scores.json').write_text('{')
    (work / 'maps' / 'a_classes.tif').write_bytes(b'II*')
    (work / 'audit.json').write_text('[]')
    (work / 'backbone' / '20260101_000000' / 'vis_data' / 'scalars.json').write_text('')
    (work / 'test' / 'random' / 'confusion.png').write_bytes(b'')
    assert main_of('report')([str(work), '--out', str(work.parent / 'page.html')]) == 0
    out, err = capsys.readouterr()
    assert out == f'report: {work.parent / "page.html"}\n'
    notes = err.splitlines()
    text = (work.parent / 'page.html').read_text()
    for name in ('backbone', 'test/mine/scores.json', 'a_classes.tif', 'audit.json', 'confusion.png'):
        assert sum(name in line for line in notes) == 1
    assert len(notes) == 5
    assert 'Could not be read' in text
    assert 'test/random' in text
    assert 'b_classes.tif' in text


def test_an_audit_of_pairs_is_no_audit_of_labels(work):
    pairs = work / 'mine_false_negatives'
    pairs.mkdir()
    (pairs / 'audit.json').write_text(json.dumps({'config': 'mine.py', 'data': 'data/mine', 'results': []}))
    (pairs / 'audit.html').write_text('<p>')
    out, problems = write_workspace_page(work)
    assert problems == []
    assert ', 1 audit in ' in out.read_text()
    assert 'mine_false_negatives/audit.html</a>' in out.read_text()
    assert 'mine_false_negatives/audit.json' not in out.read_text()


def test_a_long_list_says_what_it_leaves_out(work, monkeypatch):
    monkeypatch.setattr(workspace, 'MOST', 1)
    text = write_workspace_page(work)[0].read_text()
    for kind in ('runs', 'tests', 'maps'):
        assert f'1 more {kind} are not shown' in text


def test_a_folder_without_anything_is_refused(tmp_path):
    with pytest.raises(InputError, match='no such folder; give a work folder'):
        find_workspace(tmp_path / 'gone')
    (tmp_path / 'notes.txt').write_text('')
    with pytest.raises(InputError, match='holds no training log, scores, map, audit or page'):
        write_workspace_page(tmp_path)
    assert not (tmp_path / 'workspace.html').exists()
