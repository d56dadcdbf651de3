"""tools/split.py by its command line, on converted patches."""

import json
import runpy
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from projects.false.common.errors import InputError
from projects.false.label_audit.leaks import KINDS
from projects.false.patch_folder.labelled_lists import write_lists
from projects.false.patch_folder.published_lists import read_published
from tests.helpers.tools import REPOSITORY, main_of
from tests.patch_folder.test_published_lists import potsdam


@pytest.fixture
def data(patches, tmp_path):
    folder = tmp_path / 'data'
    shutil.copytree(patches('mbrsc', 32), folder)
    return folder


@pytest.fixture
def split(capsys):
    main = main_of('split')

    def call(*arguments):
        return SimpleNamespace(returncode=main([*map(str, arguments)]), **capsys.readouterr()._asdict())

    return call


def contents(data):
    return {path.name: path.read_bytes() for path in (data / 'splits').iterdir()}


def test_fractions_and_seeds_by_the_command_line(data):
    before, description = contents(data), (data / 'dataset.json').read_bytes()
    options = ['--fractions', '0.25', '0.5', '1', '--seeds', '0', '1']
    command = [sys.executable, str(REPOSITORY / 'tools' / 'split.py'), str(data), *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    for text in ('train_50pct ', 'unchanged', 'train_25pct_seed1 ', 'new'):
        assert text in result.stdout
    lists = {name: set(content.split()) for name, content in contents(data).items()}
    assert sorted(set(lists) - set(before)) == [
        f'train_{name}.txt' for name in ('100pct_seed1', '25pct', '25pct_seed1', '50pct_seed1')
    ]
    for seed in ('', '_seed1'):
        assert lists[f'train_25pct{seed}.txt'] < lists[f'train_50pct{seed}.txt'] < lists[f'train_100pct{seed}.txt']
    assert {name: contents(data)[name] for name in before} == before  # the converter's own draw is found again
    assert (data / 'dataset.json').read_bytes() == description


def test_missing_classes_are_named(data, split):
    path = data / 'dataset.json'
    description = json.loads(path.read_text())
    for number, patch in enumerate(p for p in description['patches'] if p['split'] == 'train'):
        patch['pixels'] = [0] * 6
        patch['pixels'][number % 4] = 7  # class 4 occurs nowhere, and no patch shows two classes
    path.write_text(json.dumps(description))
    result = split(data, '--fractions', '0.25', '1', '--seeds', '3')
    assert result.returncode == 0, result.err
    assert 'no training patch shows: water' in result.out
    quarter, whole = write_lists(data, [0.25, 1], [3])
    assert len(quarter.missing) == 3
    assert (whole.missing, whole.nowhere, whole.state) == ([], ['water'], 'unchanged')


def test_a_list_in_the_way(data, split):
    path = data / 'splits' / 'train_50pct.txt'
    path.write_text('mine\n')
    before = contents(data)
    result = split(data, '--fractions', '0.25', '0.5')
    assert (result.returncode, result.out) == (2, '')
    assert result.err == (
        f'error: {path}: exists with other content, and no list was written; remove it, or replace it with '
        'tools/split.py --overwrite\n'
    )
    assert contents(data) == before
    states = [entry.state for entry in write_lists(data, [0.25, 0.5], overwrite=True)]
    assert states == ['new', 'replaced']
    assert [entry.state for entry in write_lists(data, [0.25, 0.5])] == ['unchanged', 'unchanged']
    (data / 'splits' / 'train_75pct.txt').mkdir()
    with pytest.raises(InputError, match=r'train_75pct\.txt: cannot be written'):
        write_lists(data, [0.75], overwrite=True)


def test_only_patches_of_the_training_list_are_drawn(data):
    path = data / 'splits' / 'train.txt'
    kept = path.read_text().split()[1:]
    path.write_text('\n'.join(kept))
    (entry,) = write_lists(data, [1.0], [5])
    assert entry.names == kept
    path.write_text('\n'.join([*kept, 'strange_0_0']))
    with pytest.raises(InputError, match=r"are not in dataset\.json, the first is 'strange_0_0'"):
        write_lists(data, [1.0], [5])


def test_published_lists_by_name(tmp_path, split):
    description = potsdam()
    for number, patch in enumerate(description['patches']):
        patch['pixels'] = [65536 if label == number % 5 else 0 for label in range(7)]
    description['classes'] = ['impervious surfaces', 'building', 'low vegetation', 'tree', 'car', 'clutter']
    (tmp_path / 'masks').mkdir()
    (tmp_path / 'splits').mkdir()
    (tmp_path / 'dataset.json').write_text(json.dumps(description))
    train = [patch['name'] for patch in description['patches'] if patch['split'] == 'train']
    (tmp_path / 'splits' / 'train.txt').write_text('\n'.join(train))
    result = split(tmp_path, '--published', 'potsdam_1pct_138', 'potsdam_val_1500')
    assert result.returncode == 0, result.err
    assert 'that order is our reading' in result.out
    assert len(set((tmp_path / 'splits' / 'potsdam_1pct_138.txt').read_text().split()) & set(train)) == 138
    assert not set((tmp_path / 'splits' / 'potsdam_val_1500.txt').read_text().split()) & set(train)
    small, large = write_lists(tmp_path, published=['potsdam_1pct_138', 'potsdam_val_1500'])
    assert (small.missing, large.missing, small.nowhere) == ([], ['clutter'], ['clutter'])


def test_bad_arguments_and_data(data, tmp_path):
    for arguments, message in (
        ({}, 'nothing to do'),
        ({'fractions': [0]}, 'label fraction is 0'),
        ({'fractions': [1.01]}, 'label fraction is 1.01'),
        ({'fractions': [0.5, 0.5000001]}, 'both give train_50pct'),
        ({'fractions': [0.5], 'seeds': [-1]}, 'seed is -1'),
        ({'published': ['mine']}, "published list 'mine' is not known"),
        ({'published': ['potsdam_1pct_138']}, '24 of its 24 tiles are not in the data'),
    ):
        with pytest.raises(InputError, match=message):
            write_lists(data, **arguments)
    with pytest.raises(InputError, match='nowhere: no such folder'):
        write_lists(tmp_path / 'nowhere', [0.5])
    with pytest.raises(InputError, match=r'dataset\.json: no such file'):
        write_lists(tmp_path, [0.5])
    (data / 'masks').rename(data / 'elsewhere')
    with pytest.raises(InputError, match='masks: no such folder, so there are no labels'):
        write_lists(data, [0.5])
    for content, message in (
        ('{"patches": [], "classes": []}', 'has no classes, so this is imagery without labels'),
        ('{"patches": [', 'no readable description'),
        ('{"patches": [{"name": "a"}, {"name": "a"}]}', 'a patch is listed twice'),
    ):
        (data / 'dataset.json').write_text(content)
        with pytest.raises(InputError, match=message):
            write_lists(data, [0.5])


def test_a_check_by_the_command_line(data, split):
    before = contents(data)
    result = split(data, '--check')
    assert (result.returncode, result.err) == (0, '')
    assert result.out == 'no leak in 8 patches: train, pretrain, train_100pct, train_1pct, train_50pct | test\n'
    name = (data / 'splits' / 'train.txt').read_text().split()[0]
    (data / 'splits' / 'test.txt').write_text(name)
    result = split(data, '--check', 'train_100pct', 'test')
    summary, example = result.out.splitlines()
    assert (result.returncode, result.err) == (1, '')
    assert summary == 'leak in 4 patches (train_100pct | test): 1 are listed for both'
    assert example == f'  patch: {name} of test is in train_100pct'
    assert split(data, '--check', 'train_100pct', 'test', '--allow', 'patch').returncode == 0
    assert split(data, '--check', 'gone').err.startswith('error: gone: no such list')
    assert contents(data) == before | {'test.txt': name.encode()}


def test_arguments_of_drawing_and_of_checking_exclude_each_other(data, split, capsys):
    for arguments, message in (
        (['--check', '--fractions', '0.5'], '--fractions draws lists and --check writes none'),
        (['--fractions', '0.5', '--names', 'a'], '--names is for --check; add it'),
        (['--check', '--allow', 'everything'], 'invalid choice'),
    ):
        with pytest.raises(SystemExit) as stop:
            split(data, *arguments)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


def test_kinds_of_leaks_that_can_be_allowed_are_all():
    assert runpy.run_path(str(REPOSITORY / 'tools' / 'split.py'), run_name='split')['KINDS'] == tuple(KINDS)


def test_published_lists_of_the_paper_share_no_tile(tmp_path, split):
    description = potsdam()
    (tmp_path / 'splits').mkdir()
    (tmp_path / 'dataset.json').write_text(json.dumps(description))
    for name in ('potsdam_1pct_138', 'potsdam_val_1500'):
        lines = [f'{tile} {number}' for tile, number in read_published(name)]
        (tmp_path / 'splits' / f'{name}.txt').write_text('\n'.join(lines))
    arguments = [tmp_path, '--check', 'potsdam_1pct_138', 'potsdam_val_1500', '--names', r'(?P<image>\S+) \d+$']
    assert split(*arguments).returncode == 0
    with open(tmp_path / 'splits' / 'potsdam_val_1500.txt', 'a') as file:
        file.write('\n2_10 300\n')  # a tile for training
    result = split(*arguments)
    assert result.returncode == 1
    assert '1 come from images of the other side\n  image: 2_10 300 of potsdam_val_1500 is from 2_10, as' in result.out
