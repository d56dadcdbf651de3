from logging.handlers import BufferingHandler

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from projects.false import InputError
from projects.false.datasets.patches import UnlabelledPatches
from projects.false.patch_folder.lists import list_images


@pytest.fixture
def root(tmp_path):
    for name in ('a.png', 'b.jpg', 'deep/c.png'):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    return tmp_path


def test_a_folder_is_enough(root):
    data = UnlabelledPatches(data_root=str(root))
    assert [data.get_data_info(i)['img_path'].split('images/')[1] for i in range(3)] == ['a.png', 'b.jpg', 'deep/c.png']


def test_files_that_are_not_trained_on_are_in_the_log(root):
    (root / 'images' / 'notes.txt').write_text('x')
    log, logger = BufferingHandler(99), MMLogger.get_current_instance()
    logger.addHandler(log)
    UnlabelledPatches(data_root=str(root))
    logger.removeHandler(log)
    said = [record.getMessage() for record in log.buffer]
    assert said == [f'{root}/images: left out 1 file: notes.txt (no imagery that is read here)']


def test_a_list_chooses_and_orders(root):
    (root / 'list.txt').write_text('deep/c\na.png\n')
    data = UnlabelledPatches(data_root=str(root), ann_file='list.txt')
    assert [data.get_data_info(i)['img_path'].split('images/')[1] for i in range(len(data))] == ['deep/c.png', 'a.png']


@pytest.mark.parametrize(
    ('content', 'text'), [('', 'empty'), ('a\ngone\n', "1 of 2 images .* 'gone'"), (None, 'no such list')]
)
def test_bad_lists(root, content, text):
    if content is not None:
        (root / 'list.txt').write_text(content)
    with pytest.raises(InputError, match=text):
        list_images(root / 'images', root / 'list.txt')


def test_ambiguous_name(root):
    cv2.imwrite(str(root / 'images' / 'a.jpg'), np.zeros((8, 8, 3), np.uint8))
    (root / 'list.txt').write_text('a\n')
    with pytest.raises(InputError, match='add the suffix'):
        list_images(root / 'images', root / 'list.txt')


def test_missing_and_empty_folder(tmp_path):
    with pytest.raises(InputError, match='no such folder'):
        UnlabelledPatches(data_root=str(tmp_path / 'nowhere'))
    (tmp_path / 'images').mkdir()
    with pytest.raises(InputError, match='holds no image'):
        UnlabelledPatches(data_root=str(tmp_path))
