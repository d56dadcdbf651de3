import zipfile
import zlib

import pytest

from projects.false import InputError
from projects.false.imagery.archives import SourceFile, by_name, list_files
from tests.helpers.converter_inputs import write_files, write_zip


def test_files_of_folders_and_zips_are_listed_and_hidden_ones_left_out(tmp_path):
    write_files(tmp_path, {'deep/a.tif': b'a', '.hidden': b'', '.secret/b': b''})
    write_zip(tmp_path / 'one.zip', {'in/b.tif': b'b', '__MACOSX/in/._b.tif': b'', 'in/.DS_Store': b''})
    files = by_name(list_files(tmp_path))
    assert 'a.tif' in files
    assert {file.folders_below(tmp_path) for file in files.values() if file.name in ('a.tif', 'b.tif')} == {
        ('deep',),
        ('one', 'in'),
    }
    assert '._b.tif' not in files
    assert str(files['b.tif']) == f'{tmp_path.as_posix()}/one.zip/in/b.tif'


def test_a_member_is_unpacked_with_its_world_file_and_removed(tmp_path):
    write_zip(tmp_path / 'one.zip', {'in/b.tif': b'pixels', 'in/b.tfw': b'place', 'in/b.txt': b'', 'in/c.tfw': b''})
    file = by_name(list_files(tmp_path / 'one.zip'))['b.tif']
    scratch = tmp_path / 'scratch'
    scratch.mkdir()
    with file.local(scratch) as path:
        assert path.read_bytes() == b'pixels'
        assert sorted(other.name for other in path.parent.iterdir()) == ['b.tfw', 'b.tif']
    assert list(scratch.iterdir()) == []


def test_errors_name_the_zip_and_the_member_not_the_temporary_file(tmp_path):
    write_zip(tmp_path / 'one.zip', {'in/b.tif': b'pixels'})
    file = list_files(tmp_path / 'one.zip')[0]
    with pytest.raises(InputError) as caught, file.local(tmp_path) as path:
        raise InputError(f'{path}: is blue; paint it')
    assert str(caught.value) == f'{tmp_path}/one.zip/in/b.tif: is blue; paint it'


def test_what_is_unpacked_comes_before_what_is_in_a_zip(tmp_path):
    write_zip(tmp_path / 'a.zip', {'x.tif': b'zipped'})
    write_files(tmp_path, {'z/x.tif': b'unpacked'})
    assert by_name(list_files(tmp_path))['x.tif'].path == tmp_path / 'z/x.tif'
    write_files(tmp_path, {'y/x.tif': b'unpacked'})
    assert list(by_name(list_files(tmp_path))) == ['x.tif']
    write_files(tmp_path, {'y/x.tif': b'other'})
    with pytest.raises(InputError, match=r'x\.tif has the same name but other content'):
        by_name(list_files(tmp_path))


def test_files_that_stand_for_the_same_are_versions_of_one(tmp_path):
    write_files(tmp_path, {'a/X.TIF': b'pixels', 'b/x.tif': b'pixels'})
    files = list_files(tmp_path)
    assert sorted(by_name(files)) == ['X.TIF', 'x.tif']
    assert list(by_name(files, lambda file: file.name.lower())) == ['x.tif']
    write_files(tmp_path, {'b/x.tif': b'other'})
    with pytest.raises(InputError, match=r'X\.TIF: .*x\.tif has the same name but other content'):
        by_name(files, lambda file: file.name.lower())


def damaged_member(path):
    data = bytearray(path.read_bytes())
    start = data.index(b'b.tif') + len(b'b.tif')
    data[start + 5 : start + 15] = bytes(10)
    path.write_bytes(data)


def encrypted(path):
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b'PK\x01\x02') + 8] |= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), r'one\.zip: cannot be read as a zip'),
        (damaged_member, r'one\.zip/b\.tif: the zip is damaged here .*; download it again'),
        (encrypted, r'one\.zip/b\.tif: .*password.*; unpack the zip yourself'),
        (lambda path: path.unlink(), r'one: no such folder or zip'),
    ],
)
def test_unreadable_zips(tmp_path, spoil, message):
    path = write_zip(tmp_path / 'one/one.zip', {'b.tif': bytes(range(256)) * 40})
    spoil(path)
    if not path.exists():
        path.parent.rmdir()

    def read():
        with list_files(tmp_path / 'one')[0].local(tmp_path):
            pass

    with pytest.raises(InputError, match=message):
        read()


def test_a_file_that_is_no_zip(tmp_path):
    (tmp_path / 'a.zip').write_bytes(b'PK')
    with pytest.raises(InputError, match=r'a\.zip: cannot be read as a zip'):
        list_files(tmp_path / 'a.zip')


@pytest.mark.parametrize('source', ['', 'Potsdam.zip'])
def test_zips_in_a_zip_are_read_without_unpacking_them(tmp_path, source):
    pixels = bytes(range(256)) * 4000
    inner = write_zip(tmp_path / 'inner.zip', {'deep/a.tif': pixels, 'b.tif': pixels[::-1]}).read_bytes()
    (tmp_path / 'inner.zip').unlink()
    with zipfile.ZipFile(tmp_path / 'Potsdam.zip', 'w') as archive:
        archive.writestr('note.txt', b'before')
        archive.writestr('in/labels.zip', inner)
    files = by_name(list_files(tmp_path / source))
    assert sorted(files) == ['a.tif', 'b.tif', 'note.txt']
    assert str(files['a.tif']) == f'{tmp_path.as_posix()}/Potsdam.zip/in/labels.zip/deep/a.tif'
    assert files['a.tif'].folders_below(tmp_path / 'Potsdam.zip') == ('in', 'labels', 'deep')
    for name, expected in (('a.tif', pixels), ('b.tif', pixels[::-1]), ('note.txt', b'before')):
        with files[name].local(tmp_path) as path:
            assert path.read_bytes() == expected
            assert SourceFile(path).checksum() == files[name].checksum() == (len(expected), zlib.crc32(expected))


def test_a_compressed_zip_in_a_zip_is_to_be_unpacked(tmp_path):
    inner = write_zip(tmp_path / 'inner.zip', {'a.tif': b'a'}).read_bytes()
    write_zip(tmp_path / 'Potsdam.zip', {'2_Ortho_RGB.zip': inner})
    with pytest.raises(InputError, match=r'2_Ortho_RGB\.zip in it is compressed once more; unpack Potsdam\.zip'):
        list_files(tmp_path / 'Potsdam.zip')
