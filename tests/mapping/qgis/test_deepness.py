"""The file for Deepness, read as the plugin's documents and code say, gives the probabilities of the model."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from projects.false.common.errors import InputError
from projects.false.mapping.load_segmenter import load_segmenter
from projects.false.mapping.onnx_export import made_windows
from projects.false.mapping.onnx_segmenter import OnnxSegmenter
from projects.false.mapping.qgis.deepness import deepness_metadata, export_deepness
from tests.helpers.fine_tuned import save_fine_tuned
from tests.helpers.tools import main_of

CLASSES = ['building', 'land', 'road', 'vegetation', 'water']


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """The model, and the file made from it for tiles of 64 pixels."""
    folder = tmp_path_factory.mktemp('plugin')
    segmenter = load_segmenter(*map(str, save_fine_tuned(folder)), device='cpu', precision='float32')
    agreement = export_deepness(segmenter, folder / 'plugin.onnx', 64, made_windows(3, 64, 3), 30.0, temperature=2.0)
    assert agreement.difference < 1e-4
    assert agreement.same > 0.999
    return segmenter, folder / 'plugin.onnx'


class StrictReader:
    """What the plugin does with a file, and nothing that it does not: it fails where the plugin would."""

    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
        (self.input,), (self.output,) = self.session.get_inputs(), self.session.get_outputs()
        known = self.session.get_modelmeta().custom_metadata_map
        self.known = {key: json.loads(value) for key, value in known.items()}
        assert self.input.type == self.output.type == 'tensor(float)'
        assert isinstance(self.input.shape[0], str)  # any number of tiles
        assert self.input.shape[1:] == [3, 64, 64]
        assert self.output.shape[1:] == [5, 64, 64]

    def classes(self):
        """Names in the order of the outputs; they must count from 0."""
        names = sorted(self.known['class_names'].items(), key=lambda item: int(item[0]))
        assert [int(key) for key, _ in names] == list(range(len(names)))
        return [name for _, name in names]

    def process(self, tiles):
        """Tiles, (n, H, W, bands), uint8, red first -> what the model returns."""
        bands = self.input.shape[-3]
        scaled = np.float32(tiles[..., :bands] * 1.0 / 255.0)
        mean, std = (np.array(self.known[f'standardization_{name}'], np.float32) for name in ('mean', 'std'))
        assert mean.shape == std.shape == (bands,)
        batch = np.transpose((scaled - mean) / std, (0, 3, 1, 2))
        (found,) = self.session.run(None, {self.input.name: batch})
        return found

    def map(self, tiles):
        """The classes, after what the threshold does."""
        found = self.process(tiles)
        found[found < self.known['seg_thresh']] = 0
        return found.argmax(axis=1)


def test_the_plugin_reads_what_it_looks_for(exported):
    reader = StrictReader(exported[1])
    assert reader.classes() == CLASSES
    assert reader.known['model_type'] == 'Segmentor'
    assert reader.known['resolution'] == 30.0
    assert reader.known['tiles_size'] == reader.known['tile_size'] == 64
    assert type(reader.known['tile_size']) is int
    assert reader.known['tiles_overlap'] == 25
    assert reader.known['seg_small_segment'] == 0


@pytest.mark.parametrize('count', [1, 4])
def test_probabilities_are_those_of_the_model(exported, count):
    segmenter, path = exported
    tiles = np.random.default_rng(count).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
    found = StrictReader(path).process(tiles)
    expected = torch.softmax(segmenter(tiles) / 2.0, dim=1).numpy()
    assert np.abs(found - expected).max() < 1e-4
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-5


def test_unsure_pixels_keep_their_likeliest_class(exported):
    segmenter, path = exported
    tiles = np.stack(made_windows(3, 64, 2))
    logits = segmenter(tiles)
    sure = torch.softmax(logits / 2.0, dim=1).amax(1) < 0.5  # the plugin's own threshold would drop these
    assert sure.any()
    best = logits.topk(2, dim=1).values
    clear = (best[:, 0] - best[:, 1] > 1e-3).numpy()
    assert (StrictReader(path).map(tiles) == logits.argmax(1).numpy())[clear].all()


def test_values_out_of_range_are_refused():
    with pytest.raises(InputError, match='--resolution must be in'):
        deepness_metadata(CLASSES, 3, 64, 0)
    with pytest.raises(InputError, match='--overlap must be in'):
        deepness_metadata(CLASSES, 3, 64, 30, 1.0)


def test_infer_says_whose_file_it_is(exported):
    with pytest.raises(InputError, match='is for the QGIS plugin Deepness; export it again without --for deepness'):
        OnnxSegmenter(exported[1])


def test_options_of_the_tool(tmp_path, capsys):
    config, checkpoint = tmp_path / 'a.py', tmp_path / 'a.pth'
    config.touch(), checkpoint.touch()
    for options, message in {
        ('--for', 'deepness'): '--for deepness: say how large a pixel of the training images is',
        ('--resolution', '30'): '--resolution is for the plugin; add --for deepness, or leave it out',
    }.items():
        assert main_of('export')([str(config), str(checkpoint), 'out.onnx', *options]) == 2
        assert message in capsys.readouterr().err
