"""A temperature is found again, makes confidence honest, and leaves every class of a map as it is."""

import json

import cv2
import numpy as np
import pytest
import rasterio

from projects.false.assessment.calibration import (
    calibrate,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    write_calibration,
)
from projects.false.common.errors import InputError
from projects.false.mapping.command import read_temperature
from projects.false.mapping.load_segmenter import load_segmenter
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from tests.helpers.colour_threshold import ColourThreshold
from tests.helpers.data import make_patches
from tests.helpers.fine_tuned import save_fine_tuned
from tests.helpers.rasters import checkerboard
from tests.helpers.tools import main_of


def drawn(temperature, count=15_000, classes=4):
    """Logits that are ``temperature`` times too large for labels drawn from their softmax."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (count, classes))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    return logits * temperature, labels


@pytest.mark.parametrize('temperature', [0.5, 1.0, 3.0])
def test_the_temperature_is_found_again(temperature):
    logits, labels = drawn(temperature)
    found = calibrate(logits, labels, np.arange(len(labels)) // 100)
    assert found.temperature == pytest.approx(temperature, rel=0.05)
    assert found.nll[1] <= found.nll[0]
    assert found.after.ece < 0.02
    assert found.held_out < 0.02
    only_even = calibrate(logits, labels, np.arange(len(labels)) // 100 * 2)  # the others have no labels
    assert only_even.held_out == found.held_out
    assert np.isnan(calibrate(logits, labels, np.zeros(len(labels), int)).held_out)
    assert (found.patches, found.pixels) == (150, 15_000)
    if temperature != 1:
        assert found.before.ece > 0.05


def test_no_temperature_near_it_is_better():
    logits, labels = drawn(2.0, 3_000)
    best = fit_temperature(logits, labels)
    least = negative_log_likelihood(logits, labels, best)
    assert all(negative_log_likelihood(logits, labels, best * factor) > least for factor in (0.97, 1.03))


def test_reliability_counts_what_it_says():
    found = reliability(np.array([0.55, 0.56, 0.99, 1.0]), np.array([1.0, 0.0, 1.0, 1.0]))
    assert found.counts.tolist() == [0] * 8 + [2] + [0] * 5 + [2]
    assert found.accuracy[[8, 14]].tolist() == [0.5, 1.0]
    assert found.ece == pytest.approx((0.055 * 2 + 0.005 * 2) / 4)


def test_pixels_that_are_all_right_have_no_temperature():
    labels = np.arange(40) % 3
    with pytest.raises(InputError, match=r'no temperature from 0.05 to 20 fits the 40 labelled pixels'):
        fit_temperature(np.eye(3)[labels], labels)


def test_a_map_has_the_same_classes_and_the_softmax_of_that_temperature(make_raster, tmp_path):
    source, kept = make_raster(checkerboard(70, 90)), []
    for name, temperature in (('plain', 1.0), ('warm', 2.5)):
        options = MapOptions(confidence=True, overlap=0.4, temperature=temperature)
        (mapped,) = map_rasters(ColourThreshold((60, 200)), [source], tmp_path / name, options)
        with rasterio.open(mapped.path) as classes, rasterio.open(tmp_path / name / 'scene_confidence.tif') as band:
            kept.append(classes.read(1))
            assert (band.read(1) == round(100 / (1 + 2 * np.exp(-1 / temperature)))).all()
    assert (kept[0] == kept[1]).all()
    with pytest.raises(InputError, match='or with another temperature'):
        list(map_rasters(ColourThreshold((60, 200)), [source], tmp_path / 'warm', MapOptions(confidence=True)))


def test_numbers_and_files_of_a_temperature(tmp_path):
    segmenter, file = ColourThreshold(), tmp_path / 'temperature.json'
    segmenter.identity = 'iter_1.pth 0123 float32'
    assert read_temperature(None, segmenter) == 1
    assert read_temperature('1.5', segmenter) == 1.5
    file.write_text('{"temperature": 1.7, "model": "iter_1.pth 0123"}')
    assert read_temperature(str(file), segmenter) == 1.7
    segmenter.exported_from, segmenter.identity = segmenter.identity, 'model.onnx 4567'
    assert read_temperature(str(file), segmenter) == 1.7
    segmenter.exported_from = 'iter_2.pth 89ab float32'
    with pytest.raises(InputError, match=r'was fitted to iter_1.pth 0123, the model here is iter_2.pth 89ab float32'):
        read_temperature(str(file), segmenter)
    for wrong, message in {
        str(tmp_path / 'gone.json'): 'give a number, or a file of tools/calibrate.py',
        '0': 'temperature of --temperature must be a positive number',
        'nan': 'temperature of --temperature must be a positive number',
    }.items():
        with pytest.raises(InputError, match=message):
            read_temperature(wrong, segmenter)


def test_a_seed_below_0(tmp_path, capsys):
    config, checkpoint = (tmp_path / name for name in ('config.py', 'iter_1.pth'))
    config.touch()
    checkpoint.touch()
    assert main_of('calibrate')([str(config), str(checkpoint), '--seed', '-1']) == 2
    assert 'seed is -1; give 0 or more' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['a.png', 'a.PNG'])
def test_the_diagram_does_not_replace_the_numbers(tmp_path, capsys, name):
    config, checkpoint = (tmp_path / name for name in ('config.py', 'iter_1.pth'))
    config.touch()
    checkpoint.touch()
    out = tmp_path / name
    with pytest.raises(InputError, match=r'--out .*: the diagram takes that name; give the file of numbers the suffix'):
        write_calibration(out, calibrate(*drawn(2.0, 300), np.arange(300)), 'iter_1.pth 0123', 'splits/val.txt')
    assert main_of('calibrate')([str(config), str(checkpoint), '--out', str(out)]) == 2
    assert f'--out {out}: the diagram takes that name' in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
def test_command_line(make_raster, tmp_path, capsys):
    fine_tuned = [str(path) for path in save_fine_tuned(tmp_path)]
    data = make_patches(tmp_path / 'made', 'mbrsc', 64)
    segmenter, generator = load_segmenter(*fine_tuned, device='cpu', precision='float32'), np.random.default_rng(0)
    for path in (data / 'images').iterdir():  # labels that agree with the model at 60 % and a bit of the pixels
        found = segmenter(cv2.imread(str(path))[None, ..., ::-1].copy()).argmax(1)[0].numpy().astype(np.uint8)
        other = generator.integers(0, 5, found.shape, dtype=np.uint8)
        mask = np.where(generator.random(found.shape) < 0.6, found, other)
        cv2.imwrite(str(data / 'masks' / f'{path.stem}.png'), mask)
    calibrate_tool, options = main_of('calibrate'), ['--cfg-options', f'test_dataloader.dataset.data_root={data}']
    assert calibrate_tool([*fine_tuned, '--list', 'splits/test.txt', '--pixels', '2000', *options]) == 0
    assert 'pixels in' in capsys.readouterr().out
    content = json.loads((tmp_path / 'temperature.json').read_text())
    assert content['nll']['after'] < content['nll']['before']
    assert 1000 < content['pixels'] <= 2000
    assert (tmp_path / 'temperature.png').read_bytes().startswith(b'\x89PNG')
    source, out = str(make_raster(checkerboard(70, 90))), str(tmp_path / 'maps')
    arguments = [*fine_tuned, source, '--out', out, '--temperature', str(tmp_path / 'temperature.json')]
    assert main_of('infer')([*arguments]) == 2
    assert '--temperature is for the confidence; add --confidence' in capsys.readouterr().err
    assert main_of('infer')([*arguments, '--confidence']) == 0
    assert calibrate_tool([*fine_tuned, '--list', 'splits/gone.txt', *options]) == 2
    assert 'splits/gone.txt' in capsys.readouterr().err
