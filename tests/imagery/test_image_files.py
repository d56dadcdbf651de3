import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.imagery.image_files import check_complete
from tests.helpers.converter_inputs import jpeg, png, tiff

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
