import errno
import os
import subprocess
import sys
import threading

import pytest

from projects.false.common.errors import InputError
from projects.false.common.files import (
    atomic_path,
    atomic_write,
    check_apart,
    check_outside,
    remove_stale,
    staged_folder,
    writable,
    write_text,
)


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


def test_a_second_process_is_refused_while_the_first_writes(tmp_path):
    (tmp_path / f'out.partial-{os.getppid()}').mkdir()
    with (
        pytest.raises(InputError, match=f'process {os.getppid()} is writing it at the moment; wait'),
        staged_folder(tmp_path / 'out'),
    ):
        pytest.fail('it was let in')
    assert [path.name for path in tmp_path.iterdir()] == [f'out.partial-{os.getppid()}']


def test_of_two_at_the_same_moment_the_lower_number_waits_for_the_other_to_leave(tmp_path):
    other = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    if other.pid < os.getpid():
        pytest.skip('process numbers started anew')
    (tmp_path / f'out.partial-{other.pid}').mkdir()
    leave = threading.Timer(0.1, (tmp_path / f'out.partial-{other.pid}').rmdir)
    leave.start()
    try:
        with staged_folder(tmp_path / 'out') as partial:
            (partial / 'file').write_text('')
    finally:
        leave.join()
        other.communicate(b'\n')
    assert (tmp_path / 'out/file').is_file()


def test_a_full_disk_is_for_the_user_to_mend(tmp_path):
    def fill():
        with staged_folder(tmp_path / 'out'):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match=r'writing failed .*No space left on device.*make room'):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_is_for_the_user_to_shorten(tmp_path):
    with pytest.raises(InputError, match='shorten the names'), staged_folder(tmp_path / 'out') as partial:
        (partial / ('x' * 300)).write_text('')


def test_an_output_inside_or_around_an_input_is_refused(tmp_path):
    check_apart(tmp_path / 'out', tmp_path / 'in')
    for out in ('in', 'in/out', '.'):
        with pytest.raises(InputError, match='overlaps the input'):
            check_apart(tmp_path / out, tmp_path / 'in')


def test_an_output_that_holds_an_input_is_refused(tmp_path):
    check_outside(tmp_path / 'in/out', tmp_path / 'in', None)
    for source in ('out', 'out/raw', 'out/test.txt'):
        with pytest.raises(InputError, match=r'holds the input .*move the input'):
            check_outside(tmp_path / 'out', tmp_path / 'in', tmp_path / source)


@pytest.mark.parametrize('overwrite', [False, True])
def test_a_link_to_a_folder_elsewhere_stays_a_link(tmp_path, overwrite):
    (tmp_path / 'disk/mine').mkdir(parents=True)
    (tmp_path / 'out').symlink_to(tmp_path / 'disk/mine')
    if overwrite:
        (tmp_path / 'out/dataset.json').write_text('old')
    with staged_folder(tmp_path / 'out', overwrite) as partial:
        (partial / 'dataset.json').write_text('new')
    assert (tmp_path / 'out').is_symlink()
    assert (tmp_path / 'disk/mine/dataset.json').read_text() == 'new'
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['dataset.json', 'disk', 'mine', 'out']


def test_a_mount_point_is_refused_before_the_work():
    with (
        pytest.raises(InputError, match=r'is a mount point, .*give a folder in it'),
        staged_folder('/', overwrite=True),
    ):
        pass


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / 'new' / 'folder' / 'file.json'
    write_text(path, 'old')
    with atomic_write(path) as file:
        file.write('später'.encode())
        assert path.read_text() == 'old'
    assert path.read_text(encoding='utf-8') == 'später'
    assert os.listdir(path.parent) == ['file.json']


def test_an_error_while_writing_changes_nothing(tmp_path):
    path = tmp_path / 'file.json'
    write_text(path, 'old')
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.writelines([b'half', None])
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['file.json']


def test_a_file_that_does_not_verify_is_not_kept(tmp_path):
    path, seen = tmp_path / 'file.json', []

    def verify(temporary):
        seen.append(temporary.read_bytes())
        raise ValueError('wrong')

    write_text(path, 'old')
    with pytest.raises(ValueError, match='wrong'), atomic_write(path, verify) as file:
        file.write(b'new')
    assert seen == [b'new']
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['file.json']


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    for name in ('fsync', 'replace'):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, real=real: (calls.append(name), real(*given)))
    write_text(tmp_path / 'file', 'text')
    assert calls == ['fsync', 'replace', 'fsync']  # the file, its name, the folder that holds the name


def test_by_name_for_libraries_that_open_their_file_themselves(tmp_path):
    path = tmp_path / 'map.tif'
    write_text(path, 'old')
    with pytest.raises(FileNotFoundError), atomic_path(path):
        pass  # nothing was written
    with pytest.raises(TypeError), atomic_path(path) as temporary:
        temporary.write_text('half' + None)
    assert path.read_text() == 'old'
    with atomic_path(path) as temporary:
        temporary.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    assert os.listdir(tmp_path) == ['map.tif']


def test_where_no_folder_can_be(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match='file'):
        write_text(tmp_path / 'file' / 'below', '')


def test_what_a_killed_process_leaves_is_removed_and_nothing_else(tmp_path):
    stale = tmp_path / '.epoch_1.pth.0123abcd.tmp'
    others = ['epoch_1.pth', '.hidden', 'mine.tmp', '.editor.tmp', '.epoch_1.pth.0123abcd.tmp.kept']
    for name in (stale.name, *others):
        (tmp_path / name).touch()
    assert remove_stale(tmp_path) == [stale]
    assert sorted(os.listdir(tmp_path)) == sorted(others)
    assert remove_stale(tmp_path / 'gone') == []


def test_the_name_of_a_temporary_file_is_recognized(tmp_path):
    with atomic_write(tmp_path / 'iter_5.pth'):
        (name,) = os.listdir(tmp_path)
    (tmp_path / name).touch()
    assert [path.name for path in remove_stale(tmp_path)] == [name]


def test_a_refusal_becomes_one_line_with_reason_and_way_out(tmp_path):
    (tmp_path / 'file').write_text('')
    path = tmp_path / 'file' / 'scores.json'
    with pytest.raises(InputError) as caught, writable(path, 'choose another --out'):
        write_text(path, '{}')
    reason = caught.value.__cause__.strerror
    assert str(caught.value) == f'{path}: cannot be written ({reason}); choose another --out'
    with pytest.raises(ValueError, match='as it was'), writable(path, ''):
        raise ValueError('as it was')
