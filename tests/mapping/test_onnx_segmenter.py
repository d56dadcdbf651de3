"""A segmenter from an ONNX file needs neither PyTorch nor OpenMMLab."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest

from projects.false.common.errors import InputError
from projects.false.mapping.onnx_segmenter import KEY, OnnxSegmenter
from tests.helpers.tools import REPOSITORY

WITHOUT_FRAMEWORKS = """
import sys
for name in ('torch', 'torchvision', 'mmcv', 'mmengine', 'mmseg', 'mmpretrain'):
    sys.modules[name] = None  # importing it fails
import numpy as np
from projects.false.mapping.onnx_segmenter import OnnxSegmenter
from projects.false.mapping.segmenter import FlippedSegmenter

segmenter = FlippedSegmenter(OnnxSegmenter(sys.argv[1], threads=1))
segmenter.check_window(8)
np.save(sys.argv[2], segmenter(np.load(sys.argv[3])))
"""


@pytest.fixture
def model_file(tmp_path):
    """A file of the exported form whose logits are the first band and its negative."""
    make = onnx.helper.make_node
    nodes = [
        make('Cast', ['pixels'], ['numbers'], to=onnx.TensorProto.FLOAT),
        make('Neg', ['numbers'], ['negative']),
        make('Concat', ['numbers', 'negative'], ['logits'], axis=1),
    ]
    values = [
        onnx.helper.make_tensor_value_info(name, kind, ('windows', bands, 8, 8))
        for name, kind, bands in (('pixels', onnx.TensorProto.UINT8, 1), ('logits', onnx.TensorProto.FLOAT, 2))
    ]
    graph = onnx.helper.make_graph(nodes, 'threshold', values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 18)], ir_version=10)
    facts = {'classes': ['bright', 'dark'], 'colors': [[9, 9, 9], [9, 9, 9]], 'bands': 1, 'window': 8}
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(facts | {'recorded': {'bands': [2], 'ranges': [[0, 10]]}})
    onnx.save(model, tmp_path / 'model.onnx')
    return tmp_path / 'model.onnx'


def test_a_file_with_names_of_bands_is_refused(model_file):
    model = onnx.load(model_file)
    (entry,) = (entry for entry in model.metadata_props if entry.key == KEY)
    entry.value = entry.value.replace('"bands": [2]', '"bands": ["near infrared"]')
    onnx.save(model, model_file)
    with pytest.raises(InputError, match=r'model\.onnx: names the bands near infrared where .*; export it again'):
        OnnxSegmenter(model_file)


@pytest.fixture
def windows():
    return np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)


def test_logits_and_facts(model_file, windows):
    segmenter = OnnxSegmenter(model_file)
    assert segmenter.palette.classes == ('bright', 'dark')
    assert segmenter.recorded == ((2,), ((0, 10),))
    numbers = windows[..., 0].astype(np.float32)
    np.testing.assert_array_equal(segmenter(windows), np.stack([numbers, -numbers], axis=1))


def test_it_runs_without_pytorch_and_openmmlab(model_file, windows, tmp_path):
    np.save(tmp_path / 'windows.npy', windows)
    command = [sys.executable, '-c', WITHOUT_FRAMEWORKS, model_file, tmp_path / 'logits.npy', tmp_path / 'windows.npy']
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=600)
    np.testing.assert_allclose(np.load(tmp_path / 'logits.npy'), OnnxSegmenter(model_file)(windows))


def test_threads_follow_the_environment(model_file, monkeypatch):
    for number in ('3', 'nonsense', '0'):
        monkeypatch.setenv('OMP_NUM_THREADS', number)
        options = OnnxSegmenter(model_file)._session.get_session_options()
        assert options.intra_op_num_threads == 3 if number == '3' else options.intra_op_num_threads >= 1
