import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.imagery.image_files import check_complete, describe_left_out, list_imagery
from projects.false.imagery.rasters import inspect_rasters, open_handle
from projects.false.vectors.labels import read_features
from tests.helpers.converter_inputs import jpeg, png, tiff
from tests.helpers.tools import REPOSITORY, main_of

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
WHOLE = {'a.png': png(PIXELS), 'b.jpg': jpeg(PIXELS), 'c.JPEG': jpeg(PIXELS), 'd.tif': tiff(PIXELS)}
WHOLE |= {'e.TIFF': tiff(PIXELS, BIGTIFF='YES'), 'f.tif': tiff(PIXELS, ENDIANNESS='BIG')}
WHOLE['g.bmp'] = cv2.imencode('.bmp', PIXELS)[1].tobytes()


@pytest.mark.parametrize('name', WHOLE)
def test_whole_files_pass(tmp_path, name):
    (tmp_path / name).write_bytes(WHOLE[name])
    check_complete(tmp_path / name)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.tif', b'', r'a\.tif: file is empty \(0 bytes\)'),
        ('a.png', WHOLE['a.png'][:-100], r'a\.png: file is cut off'),
        ('a.jpg', WHOLE['b.jpg'][:-100], r'a\.jpg: file is cut off'),
        ('a.png', WHOLE['e.TIFF'], r'is a TIFF by its content, .* rename it to \.tif'),
        ('a.tif', WHOLE['a.png'], r'is a PNG by its content'),
        ('a.bmp', WHOLE['b.jpg'], r'is a JPEG by its content'),
    ],
)
def test_others_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        check_complete(tmp_path / name)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match='cannot be read'):
        check_complete(tmp_path)


@pytest.mark.parametrize('trailer', [b'\0' * 30, b'phone \xff\xda notes', WHOLE['b.jpg'][:-40]])
def test_bytes_after_the_end_of_a_jpeg_are_no_damage(tmp_path, trailer):
    (tmp_path / 'a.jpg').write_bytes(WHOLE['b.jpg'] + trailer)
    check_complete(tmp_path / 'a.jpg')
    (tmp_path / 'a.jpg').write_bytes(WHOLE['b.jpg'][:-100] + b'phone notes')
    with pytest.raises(InputError, match='cut off'):
        check_complete(tmp_path / 'a.jpg')


def test_a_progressive_jpeg_has_several_scans(tmp_path):
    data = cv2.imencode('.jpg', PIXELS, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    (tmp_path / 'a.jpg').write_bytes(data + b'notes')
    check_complete(tmp_path / 'a.jpg')
    (tmp_path / 'a.jpg').write_bytes(data[: data.rfind(b'\xff\xda')] + b'notes')
    with pytest.raises(InputError, match='cut off'):
        check_complete(tmp_path / 'a.jpg')


@pytest.mark.parametrize(
    ('content', 'kind'),
    [
        (cv2.imencode('.webp', PIXELS)[1].tobytes(), r'WebP .* rename it to \.webp'),
        (cv2.imencode('.jp2', PIXELS)[1].tobytes(), r'JPEG 2000 .* rename it to \.jp2'),
        (WHOLE['g.bmp'], r'BMP .* rename it to \.bmp'),
        (b'GIF89a' + b'\0' * 20, 'GIF .* convert it to PNG'),
        (b'\0\0\0\x18ftypheic' + b'\0' * 20, 'HEIF .* convert it to PNG'),
    ],
)
def test_a_suffix_that_lies_is_called_what_it_is(tmp_path, content, kind):
    (tmp_path / 'a.jpg').write_bytes(content)
    with pytest.raises(InputError, match=rf'a\.jpg: is a {kind}'):
        check_complete(tmp_path / 'a.jpg')


@pytest.fixture
def folder(tmp_path):
    """Images, and what people have beside them."""
    root = tmp_path / 'root'
    for name in (
        *('a.tif', 'b/c.PNG', 'b/d.geotiff', 'b/e.jpeg', 'tile #1, [x] ü.png'),
        *('.ipynb_checkpoints/a-checkpoint.tif', '.Trash-1000/files/old.tif', '__MACOSX/b.tif', '._a.tif', 'Thumbs.db'),
        *('a.tif.aux.xml', 'a.tif.ovr', 'b/e.jpeg.msk', 'b/e.jgw', 'a_rpc.txt', 'a.tif.xml'),
        *('b/notes.txt', 'f.ecw', 'disk.img', 'a.tif.bak'),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b'x')
    return root


IMAGES = ['a.tif', 'b/c.PNG', 'b/d.geotiff', 'b/e.jpeg', 'tile #1, [x] ü.png']


def test_every_file_is_taken_or_named(folder):
    listing = list_imagery(folder)
    assert listing.names == IMAGES
    assert sorted(listing.left_out) == ['a.tif.bak', 'b/notes.txt', 'disk.img', 'f.ecw']
    assert describe_left_out(listing.left_out) == (
        'left out 4 files: a.tif.bak (no imagery that is read here), b/notes.txt (no imagery that is read here), '
        'disk.img (not what its suffix says), f.ecw (no imagery that is read here)'
    )
    many = {f'{number}.txt': 'text' for number in range(8)}
    assert describe_left_out(many).endswith('4.txt (text) and 3 more; tools/misc/list_images.py FOLDER names all')


def test_all_files_that_are_left_out_by_the_tool_that_names_them(folder, capsys):
    assert main_of('misc/list_images')([str(folder), '--left-out']) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert main_of('misc/list_images')([str(folder)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:5] == [str(folder / name) for name in IMAGES]
    assert printed[-1] == f'{folder}/f.ecw: left out (no imagery that is read here)'


def test_a_pipe_is_not_read(folder):
    os.mkfifo(folder / 'pipe.tif')
    (folder / 'to_pipe.tif').symlink_to(folder / 'pipe.tif')
    left_out = list_imagery(folder).left_out
    assert left_out['pipe.tif'] == left_out['to_pipe.tif'] == 'pipe or device'


def test_links_are_followed_once_and_never_in_a_circle(folder, tmp_path):
    (tmp_path / 'far/deep').mkdir(parents=True)
    (tmp_path / 'far/deep/g.tif').write_bytes(b'x')
    for name, target in (('far', 'far'), ('again', 'far'), ('up', ''), ('b/loop', 'root'), ('z', 'root/b')):
        (folder / name).symlink_to(tmp_path / target)
    (tmp_path / 'far/deep/back').symlink_to(tmp_path / 'far')
    (folder / 'gone.tif').symlink_to(tmp_path / 'gone.tif')
    (folder / 'h.tif').symlink_to(tmp_path / 'far/deep/g.tif')
    listing = list_imagery(folder)
    (linked,) = set(listing.names) - {*IMAGES, 'h.tif'}
    assert linked.split('/', 1)[1] == 'deep/g.tif'
    assert {name: why for name, why in listing.left_out.items() if 'link' in why} == {
        'up': 'link to a folder above it',
        'b/loop': 'link to a folder above it',
        f'{linked[:-6]}/back': 'link to a folder above it',
        'gone.tif': 'broken link',
    }


def test_a_mosaic_beside_its_images_is_left_out(tmp_path):
    (tmp_path / 'a.tif').write_bytes(WHOLE['d.tif'])
    text = '<VRTDataset><SourceFilename relativeToVRT="1">{}</SourceFilename></VRTDataset>'
    (tmp_path / 'all.vrt').write_text(text.format('a.tif'))
    (tmp_path.parent / f'{tmp_path.name}.tif').write_bytes(WHOLE['d.tif'])
    (tmp_path / 'far.vrt').write_text(text.format(f'../{tmp_path.name}.tif'))
    listing = list_imagery(tmp_path)
    assert listing.names == ['a.tif', 'far.vrt']
    assert listing.left_out == {'all.vrt': 'mosaic of images that are taken'}
    assert list_imagery(tmp_path, mosaics=True).names == ['a.tif', 'all.vrt', 'far.vrt']


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path):
    with pytest.raises(InputError, match='cannot be listed'):
        list_imagery(tmp_path / 'gone')


def test_names_that_are_not_utf_8_are_refused_and_can_be_printed(tmp_path):
    (tmp_path / 'in').mkdir()
    for name in (b'a.tif', b'gr\xfcn.tif', b'notes\xff.zip'):
        path = tmp_path / 'in' / os.fsdecode(name)
        path.write_bytes(WHOLE['d.tif'])
    message = r'gr\\xfcn\.tif: its name is not UTF-8; rename it$'
    image = tmp_path / 'in' / os.fsdecode(b'gr\xfcn.tif')
    for read in (check_complete, open_handle, lambda path: inspect_rasters([path, tmp_path / 'in/a.tif'])):
        with pytest.raises(InputError, match=message) as raised:
            read(image)
        raised.value.args[0].encode()
    with pytest.raises(InputError, match='is not UTF-8; rename it'):
        read_features(tmp_path / os.fsdecode(b'\xff.gpkg'), None)
    describe_left_out(list_imagery(tmp_path / 'in').left_out).encode()
    command = [sys.executable, REPOSITORY / 'tools/misc/list_images.py', tmp_path / 'in']
    shown = subprocess.run(command, capture_output=True, check=True, env={**os.environ, 'PYTHONUTF8': '0'}).stdout
    lines = [line.rpartition('/')[2] for line in shown.decode().splitlines()]
    assert lines == ['a.tif', r'gr\xfcn.tif: unusable (its name is not UTF-8; rename it)',
                     r'notes\xff.zip: left out (no imagery that is read here)']  # fmt: skip
