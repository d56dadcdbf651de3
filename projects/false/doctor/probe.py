"""Import every package once in a separate process, since one that crashes or hangs must not end the doctor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

MODULES = {
    'numpy': 'numpy',
    'opencv': 'cv2',
    'torch': 'torch',
    'torchvision': 'torchvision',
    'mmengine': 'mmengine',
    'mmcv': 'mmcv',
    'mmpretrain': 'mmpretrain.models',
    'mmseg': 'mmseg.models',
    'mim': 'mim',
    'rasterio': 'rasterio',
    'matplotlib': 'matplotlib',
}
"""Label -> module whose import shows that the package works; ``models`` import dependencies that no metadata lists."""

DISTRIBUTIONS = {
    **{label: label for label in ('numpy', 'torch', 'torchvision', 'rasterio', 'matplotlib')},
    'opencv': 'opencv-python',
    'mmengine': 'onedl-mmengine',
    'mmcv': 'onedl-mmcv',
    'mmpretrain': 'onedl-mmpretrain',
    'mmseg': 'onedl-mmsegmentation',
    'mim': 'onedl-mim',
}
"""Label -> distribution that should provide it."""

CODE = """
import importlib, json, os, sys
sys.path[:] = [entry for entry in sys.path if entry]  # what is installed, whatever the current folder holds
modules, root, report = json.loads(sys.argv[1]), sys.argv[2], open(sys.argv[3], 'a')

def say(**record):
    report.write(json.dumps(record) + '\\n')
    report.flush()

def attempt(label, action):
    say(label=label)
    try:
        say(label=label, ok=True, value=action())
        return True
    except BaseException as error:
        say(label=label, ok=False, value=type(error).__name__ + ': ' + str(error))
        return False

def load(module):
    importlib.import_module(module)
    return str(getattr(sys.modules[module.split('.')[0]], '__version__', ''))

def exchange():
    import numpy, torch
    return str(torch.from_numpy(numpy.ones(1)).numpy())

def operator():
    import torch, torchvision
    return str(torchvision.ops.nms(torch.tensor([[0., 0., 1., 1.]]), torch.ones(1), 0.5))

def devices():
    import torch
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [torch.cuda.get_device_name(index) for index in range(count)]

def project():
    return os.path.dirname(os.path.abspath(importlib.import_module('projects.false').__file__))

def project_here():
    sys.path.insert(0, root)
    for name in [name for name in sys.modules if name == 'projects' or name.startswith('projects.')]:
        del sys.modules[name]
    try:
        return project()
    except ImportError as error:
        raise ImportError(str(error) + '; projects is ' + str(getattr(sys.modules.get('projects'), '__file__', None)))

attempt('projects.false', project) or attempt('projects.false here', project_here)
loaded = {label for label, module in modules.items() if attempt(label, lambda: load(module))}
if {'torch', 'numpy'} <= loaded:
    attempt('torch and numpy', exchange)
if {'torch', 'torchvision'} <= loaded:
    attempt('torchvision operator', operator)
if 'torch' in loaded:
    attempt('gpu', devices)
"""


class Outcome(NamedTuple):
    """Result of one step of the probe.

    Args:
        ok: True if it worked.
        value: Version, path or list of GPUs; the text of the error if it failed.
    """

    ok: bool
    value: object


def run_probe(root: str, timeout: float, modules: dict | None = None) -> dict[str, Outcome]:
    """Import modules in one new process of the same Python.

    Args:
        root: Root of this repository.
        timeout: Time limit for the whole probe in seconds.
        modules: Label -> module; by default :data:`MODULES`.

    Returns:
        Label -> outcome. A label that was never reached is missing.
    """
    modules = MODULES if modules is None else modules
    handle, report = tempfile.mkstemp(suffix='.jsonl')
    os.close(handle)
    try:
        command = [sys.executable, '-W', 'ignore', '-c', CODE, json.dumps(modules), root, report]
        # what the imports print is dropped: the results are in the report file
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            status = process.wait(timeout)
            if status >= 0:
                end = f'the import ended the process with status {status}'
            else:
                end = f'crashed with signal {-status}'
        except subprocess.TimeoutExpired:
            end = f'not done after {timeout:g} s'
        finally:
            process.kill()
            process.wait()
        with open(report, encoding='utf-8') as lines:
            records = [json.loads(line) for line in lines if line.endswith('\n')]
    finally:
        os.unlink(report)
    outcomes = {}
    for record in records:
        outcomes[record['label']] = Outcome(record.get('ok', False), record.get('value', end))
    return outcomes
