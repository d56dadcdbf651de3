import json
import shutil

import cv2
import numpy as np
import pytest
import shapely
from pyogrio.raw import read

from projects.false.common.errors import InputError
from projects.false.patch_folder.packing import pack
from projects.false.selection.selection import select_patches
from tests.helpers.data import GROUND, GROUND_PATCH
from tests.helpers.fine_tuned import save_fine_tuned


@pytest.fixture
def data(ground_patches, tmp_path):
    shutil.copytree(ground_patches, tmp_path / 'data')
    return tmp_path / 'data'


def select(data, method='typical', count=6, backbone='random', **options):
    options = {'out': data.parent / 'out', 'workers': 1, 'device': 'cpu', **options}
    return select_patches(data, backbone, count, method, **options)


def content(data, name):
    return (data / 'splits' / f'{name}.txt').read_text().split()


def test_every_method_with_any_number_of_workers(data):
    model = tuple(map(str, save_fine_tuned(data.parent)))
    train = set(content(data, 'train'))
    for method in ('random', 'typical', 'coverage', 'uncertain'):
        options = {'model': model} if method == 'uncertain' else {}
        first = select(data, method, **options)
        assert (len(set(first.chosen)), set(first.chosen) < train, first.candidates) == (6, True, 48)
        assert content(data, f'train_{method}6_seed0') == first.chosen
        more = select(data, method, name='more', workers=4, out=data.parent / method, overwrite=True, **options)
        assert more.chosen == first.chosen
        record = json.loads((data.parent / 'out' / f'train_{method}6_seed0.json').read_text())
        assert (record['patches'], record['method'], record['seed']) == (first.chosen, method, 0)
    assert select(data, seed=1).chosen != content(data, 'train_typical6_seed0')
    train = (data / 'splits' / 'train.txt').read_text().split()
    (data / 'splits' / 'train.txt').write_text('\n'.join(train[::-1]))  # nor on the order of the list
    assert select(data, 'coverage', name='turned').chosen == content(data, 'train_coverage6_seed0')


def test_rounds_keep_what_is_labelled(data):
    first = select(data)
    again = select(data, keep='train_typical6_seed0', name='second')
    assert again.kept == sorted(first.chosen)
    assert not set(again.chosen) & set(first.chosen)
    assert content(data, 'second') == [*again.kept, *again.chosen]
    mine = data.parent / 'mine.txt'
    mine.write_text('\n'.join(f'{name}.png' for name in first.chosen))  # in another form
    assert select(data, keep=str(mine), name='third').chosen == again.chosen
    select(data, count=36, keep='second', candidates='train', name='all', method='random', overwrite=True)
    assert sorted(content(data, 'all')) == sorted(content(data, 'train'))


def test_a_round_takes_the_features_of_the_one_before(data, monkeypatch):
    first = select(data)
    second = select(data, 'typical', keep='train_typical6_seed0', candidates='train', name='second', out=data / 'anew')

    def refuse(*args):
        raise AssertionError

    monkeypatch.setattr('projects.false.selection.features._compute', refuse)
    assert select(data, name='again').chosen == first.chosen
    keep = dict(keep='train_typical6_seed0', candidates='train')
    assert select(data, name='next', **keep).chosen == second.chosen
    select(data, 'coverage', name='cover', **keep)


def test_a_list_may_be_named_with_suffix(data):
    assert select(data, 'random', 3, backbone=None, name='second.txt').name == 'second'
    assert len(content(data, 'second')) == 3


def test_windows_lie_where_the_patches_do(data):
    chosen = select(data).chosen
    meta, _, outlines, columns = read(data.parent / 'out' / 'train_typical6_seed0.gpkg', layer='windows')
    assert (meta['crs'], meta['fields'].tolist()) == ('EPSG:32633', ['number', 'patch', 'image', 'row', 'col'])
    table = dict(zip(meta['fields'], columns, strict=True))
    assert table['number'].tolist() == [1, 2, 3, 4, 5, 6]
    assert table['patch'].tolist() == chosen
    for outline, image, row, col in zip(outlines, table['image'], table['row'], table['col'], strict=True):
        left, top = 400_000 + GROUND[image][0] + col, 5_000_000 + GROUND[image][1] - row
        expected = shapely.box(left, top - GROUND_PATCH, left + GROUND_PATCH, top)
        assert shapely.from_wkb(outline).equals(expected)
    path = data / 'dataset.json'
    description = json.loads(path.read_text())
    for source in description['sources'].values():
        del source['transform']
    path.write_text(json.dumps(description))
    assert select(data, overwrite=True).windows == 0
    assert not (data.parent / 'out' / 'train_typical6_seed0.gpkg').exists()


def test_the_contact_sheet_shows_the_patches_in_order(data):
    found = select(data, method='random', backbone=None)
    sheet = cv2.imread(str(data.parent / 'out' / 'train_random6_seed0.png'))
    for number, name in enumerate(found.chosen):
        image = cv2.imread(str(data / 'images' / f'{name}.png'))
        left, top = 8 + number * 152, 25
        shown = sheet[top : top + 144, left : left + 144]
        assert np.array_equal(shown, cv2.resize(image, (144, 144), interpolation=cv2.INTER_NEAREST_EXACT))
    assert found.shown == 6
    assert (sheet[-1] == 255).all()


def test_packed_patches_give_the_same_choice(data):
    found = select(data)
    pack(data, workers=1)
    shutil.rmtree(data / 'images')
    assert select(data, name='packed', out=data.parent / 'other').chosen == found.chosen


def test_bad_input(data):
    (data / 'splits' / 'mine.txt').write_text('far_0_0\n')
    for options, message in (
        ({'count': 0}, '--count must be an integer of at least 1'),
        ({'count': 49}, '49 patches are asked for, 48 are there to choose from'),
        ({'seed': -1}, 'seed is -1'),
        ({'method': 'best'}, "method is 'best'"),
        ({'backbone': None}, '--method typical needs features'),
        ({'method': 'uncertain'}, '--method uncertain needs model; give --model'),
        ({'model': ('a', 'b')}, '--method typical takes no model'),
        ({'keep': 'gone'}, 'gone: no such list'),
        ({'workers': 0}, 'workers is 0'),
        ({'name': 'mine'}, r'mine\.txt: exists; give another --list'),
        ({'name': 'train', 'overwrite': True}, '--list train: is a list that converters write; give another name'),
        ({'name': 'pretrain.txt', 'overwrite': True}, '--list pretrain: is a list that converters write'),
        ({'name': '../x'}, r'--list \.\./x: is no name of a list; give one without folders'),
        ({'name': 'a/b.txt'}, '--list a/b: is no name of a list'),
        ({'name': 'features'}, '--list features: is no name of a list'),
    ):
        with pytest.raises(InputError, match=message):
            select(data, **options)
    (data / 'splits' / 'mine.txt').write_text('far_0_0\nnowhere\n')
    with pytest.raises(InputError, match=r"mine\.txt: 1 of 2 patches have no image in .*, the first is 'nowhere'"):
        select(data, candidates='mine', count=1)
    file = data / 'images' / f'{content(data, "train")[0]}.png'
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(InputError, match='cut off'):
        select(data)
    assert not list(data.parent.glob('out/*.npy')) + list((data / 'splits').glob('train_typical*'))
