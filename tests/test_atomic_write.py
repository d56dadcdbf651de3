"""Whole files or none."""

import os

import pytest

from projects.false.common.files import atomic_path, atomic_write, remove_stale, write_text


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
