import pytest

from projects.false.datasets.staging import staged_folder
from projects.false.errors import InputError


@pytest.mark.parametrize('error', [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_after_an_error_or_interrupt(tmp_path, error):
    def fail():
        with staged_folder(tmp_path / 'out') as partial:
            (partial / 'half').write_text('')
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_appears_at_the_end(tmp_path):
    with staged_folder(tmp_path / 'new/out') as partial:
        (partial / 'file').write_text('')
        assert not (tmp_path / 'new/out').exists()
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['out']
    assert (tmp_path / 'new/out/file').is_file()


def test_an_empty_folder_is_taken(tmp_path):
    with staged_folder(tmp_path) as partial:
        (partial / 'file').write_text('')
    assert (tmp_path / 'file').is_file()


def test_the_first_of_two_runs_at_the_same_time_wins(tmp_path):
    def come_second():
        with staged_folder(tmp_path / 'out') as partial:
            (partial / 'second').write_text('')
            (tmp_path / 'out').mkdir()
            (tmp_path / 'out/first').write_text('')

    with pytest.raises(InputError, match='exists and is not empty'):
        come_second()
    assert [path.name for path in tmp_path.rglob('*')] == ['out', 'first']


def test_only_marked_folders_are_replaced(tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/old').write_text('')
    with pytest.raises(InputError, match=r'no dataset\.json'), staged_folder(tmp_path / 'out', overwrite=True):
        pass
    (tmp_path / 'out/dataset.json').write_text('')
    with staged_folder(tmp_path / 'out', overwrite=True) as partial:
        (partial / 'new').write_text('')
        assert (tmp_path / 'out/old').exists()
    assert [path.name for path in tmp_path.rglob('*')] == ['out', 'new']


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be written'), staged_folder(tmp_path / 'file/out'):
        pass
