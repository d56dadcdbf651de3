import json
import unicodedata
from dataclasses import replace

import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.imagery.images import write_patch
from projects.false.reports.pictures import embedded
from projects.false.reports.strips import choose_patches, strip


def test_patches_with_most_classes_come_first(finished):
    assert choose_patches(finished.data_root, 3) == ['tile_3', 'tile_4', 'tile_5']
    assert choose_patches(finished.data_root, 99) == ['tile_3', 'tile_4', 'tile_5', 'tile_2', 'tile_1']


def test_a_strip(finished):
    text = strip('tile_4', finished.runs, finished.data_root, finished.palette)
    assert text.count('<img ') == text.count('alt="') == 5
    label = cv2.imread(str(finished.data_root / 'masks' / 'tile_4.png'), -1)
    for run in finished.runs:
        prediction = cv2.imread(str(run.predictions / 'tile_4.png'), -1)
        assert f'start from {run.name}: {100 * (prediction == label).mean():.0f} % correct' in text


def test_ignored_pixels_do_not_count(finished):
    mask = finished.data_root / 'masks' / 'tile_1.png'
    cv2.imwrite(str(mask), np.full((32, 32), 255, np.uint8))
    assert 'no label' in strip('tile_1', finished.runs, finished.data_root, finished.palette)


def test_no_prediction(finished):
    path = finished.runs[1].predictions / 'tile_4.png'
    path.unlink()
    with pytest.raises(InputError, match=rf"{path}: no prediction of run 'SimCLR'; .*tools/test.py --predictions"):
        strip('tile_4', finished.runs, finished.data_root, finished.palette)


def test_no_prediction_folder(finished, tmp_path):
    run = replace(finished.runs[0], predictions=tmp_path / 'gone')
    with pytest.raises(InputError, match=r'gone/tile_4\.png: no prediction'):
        strip('tile_4', [run], finished.data_root, finished.palette)


@pytest.mark.parametrize(
    ('pixels', 'text'), [(np.zeros((8, 8)), r'shape \(8, 8\)'), (np.full((32, 32), 9), 'neither classes')]
)
def test_other_prediction(finished, pixels, text):
    cv2.imwrite(str(finished.runs[0].predictions / 'tile_4.png'), pixels.astype(np.uint8))
    with pytest.raises(InputError, match=text):
        strip('tile_4', finished.runs, finished.data_root, finished.palette)


@pytest.mark.parametrize('bands', [1, 2, 4])
def test_other_bands(finished, bands):
    image, rng = finished.data_root / 'images' / 'tile_4.png', np.random.default_rng(0)
    image.unlink()
    pixels = rng.integers(0, 256, (32, 32, bands), np.uint8)
    write_patch(image.with_suffix(''), pixels.squeeze())
    shown = pixels[..., :3] if bands > 3 else pixels[..., :1].repeat(3, 2)
    text = strip('tile_4', finished.runs, finished.data_root, finished.palette)
    assert embedded(shown, 'image of patch tile_4') in text


@pytest.mark.parametrize('folder', ['images', 'masks'])
def test_missing_data(finished, folder):
    (finished.data_root / folder / 'tile_4.png').unlink()
    with pytest.raises(InputError, match=f'{folder}/tile_4.png: no such'):
        strip('tile_4', finished.runs, finished.data_root, finished.palette)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'no such file; .* convert the data again'),
        ('{', 'no readable description .* convert the data again'),
        ('{}', 'no readable description .* convert the data again'),
        ('[]', 'no readable description .* convert the data again'),
        ('{"patches": [{"name": "tile_1"}]}', 'has no classes, .*; give labelled data'),
        (
            '{"classes": ["a"], "patches": [{"name": "tile_1"}]}',
            "patch 'tile_1' has no 'col'; .* convert the data again",
        ),
    ],
)
def test_bad_description(finished, content, message):
    path = finished.data_root / 'dataset.json'
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(InputError, match=f'dataset.json: {message}'):
        choose_patches(finished.data_root, 3)


def test_a_description_of_other_data(finished):
    (finished.data_root / 'dataset.json').write_text(json.dumps({'classes': ['a'], 'patches': []}))
    with pytest.raises(InputError, match="does not know 'tile_1'"):
        choose_patches(finished.data_root, 3)


def test_no_test_list(finished):
    (finished.data_root / 'splits' / 'test.txt').unlink()
    with pytest.raises(InputError, match=r'test.txt: no such list'):
        choose_patches(finished.data_root, 3)


def test_files_in_the_other_unicode_form(finished):
    composed, decomposed = (unicodedata.normalize(form, 'é') for form in ('NFC', 'NFD'))
    folders = [finished.data_root / name for name in ('images', 'masks')]
    for folder in (*folders, *(run.predictions for run in finished.runs)):
        (folder / 'tile_4.png').rename(folder / f'{composed}.png')
    for form in (composed, decomposed):
        assert strip(form, finished.runs, finished.data_root, finished.palette).count('<img ') == 5
