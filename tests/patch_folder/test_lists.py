import pytest

from projects.false.common.errors import InputError
from projects.false.patch_folder.lists import read_lists, sides


def write(root, **lists):
    (root / 'splits').mkdir(exist_ok=True)
    for name, patches in lists.items():
        (root / 'splits' / f'{name}.txt').write_text('\n'.join(patches.split()))


def test_which_lists_are_for_training(tmp_path):
    write(tmp_path, test='d e', train='a b c', pretrain='a b c x', train_1pct='a', val='d', mine='b c', others='c d')
    lists = {entry.name: entry for entry in read_lists(tmp_path)}
    assert list(lists) == ['train', 'val', 'test', 'mine', 'others', 'pretrain', 'train_1pct']
    assert {name for name, entry in lists.items() if entry.training} == {'train', 'pretrain', 'train_1pct', 'mine'}
    assert {name for name, entry in lists.items() if not entry.labelled} == {'pretrain'}
    training, testing = sides(list(lists.values()))
    assert training == ['a', 'b', 'c', 'x']
    assert testing == {'d': 'val', 'e': 'test', 'c': 'others'}


def test_a_list_for_testing_stays_one_even_if_all_of_it_is_trained_on(tmp_path):
    write(tmp_path, train='a b c', test='a b')
    assert [entry.training for entry in read_lists(tmp_path)] == [True, False]


def test_lists_that_are_of_no_use(tmp_path):
    with pytest.raises(InputError, match='holds no list of patches'):
        read_lists(tmp_path)
    write(tmp_path, train='a b a')
    with pytest.raises(InputError, match=r"train\.txt: 'a' is listed twice"):
        read_lists(tmp_path)
    write(tmp_path, train='')
    with pytest.raises(InputError, match=r'train\.txt: list holds no name'):
        read_lists(tmp_path)
