"""A segmenter that runs an ONNX file; needs neither PyTorch nor OpenMMLab."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import onnxruntime

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import Palette

from .pixel_rule import stored_rule

KEY = 'false_mapping'  # key of the facts for mapping in the file's metadata


class OnnxSegmenter:
    """A model that ``tools/export.py`` wrote, see :class:`.segmenter.Segmenter`.

    Args:
        path: The file.
        device: ``'cpu'``, or ``'cuda'`` with an onnxruntime that supports it; None takes a GPU if there is one.
        threads: CPU threads of the model; None takes ``OMP_NUM_THREADS``, or else every core this process may use.

    Raises:
        InputError: The file is missing, damaged or of another kind, or the device is not available.
    """

    device = 'cpu'  # of the logits, wherever they are computed

    def __init__(self, path: str | Path, device: str | None = None, threads: int | None = None) -> None:
        if not Path(path).is_file():
            raise InputError(f'{path}: no such file; make it with tools/export.py')
        providers = _providers(device)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads or _usable_threads()
        settings.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), settings, providers=providers)
        except Exception as error:  # onnxruntime's own exceptions have no base class in common
            raise InputError(
                f'{path}: cannot be loaded as ONNX ({str(error).splitlines()[0]}); export it again'
            ) from error
        known = self._session.get_modelmeta().custom_metadata_map
        stored = known.get(KEY)
        if 'standardization_mean' in known:
            raise InputError(f'{path}: is for the QGIS plugin Deepness; export it again without --for deepness')
        if stored is None:
            raise InputError(f'{path}: says nothing about its classes; give a file from tools/export.py')
        facts = json.loads(stored)
        self.palette = Palette.from_metainfo({'classes': facts['classes'], 'palette': facts['colors']}, 'model')
        self.bands, self.window, self._path = facts['bands'], facts['window'], path
        self.recorded = stored_rule(facts['recorded'], path, 'export it again')
        self.exported_from = facts.get('identity', '')  # of the model that was exported
        self.identity = f'{Path(path).name} {hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]}'

    def check_window(self, window: int) -> None:
        """Raise an InputError unless the windows have the side that the file was exported for."""
        if window != self.window:
            raise InputError(
                f'{self._path}: takes windows of {self.window} pixels, not {window}; leave --window out, or export '
                f'with --window {window}'
            )

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Compute the logits of windows, see :class:`.segmenter.Segmenter`."""
        (logits,) = self._session.run(None, {'pixels': np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))})
        return logits


def _usable_threads() -> int:
    given = os.environ.get('OMP_NUM_THREADS', '')
    if given.isdecimal() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _providers(device: str | None) -> list[str]:
    available = onnxruntime.get_available_providers()
    if device is None:
        return [name for name in ('CUDAExecutionProvider', 'CPUExecutionProvider') if name in available]
    name = 'CPUExecutionProvider' if device == 'cpu' else 'CUDAExecutionProvider'
    if name not in available:
        raise InputError(
            f'--device {device}: this onnxruntime has {", ".join(available)}; give cpu, or install another'
        )
    return [name]
