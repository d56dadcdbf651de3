"""The sides compared: this project's mapping, mmseg's slide mode and mmseg's RSInferencer, from file to file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import torch
from mmengine.config import Config
from mmseg.apis.remote_sense_inferencer import RSImage, RSInferencer
from mmseg.structures import SegDataSample

from projects.false.mapping.load_segmenter import load_segmenter
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from projects.false.mapping.torch_segmenter import TorchSegmenter

OURS, MIXED, SLIDE, REMOTE, WHOLE = 'ours', 'ours, bfloat16', 'slide mode', 'RSInferencer', 'whole image'
SIDES = (OURS, MIXED, SLIDE, REMOTE)
Run = Callable[[Path, Path], None]  # from the image to the map


def build(side: str, files: tuple[str, str], device: str, window: int, overlap: float, blend: str) -> tuple:
    """Load a model, by the same code for all sides, and return it with a function that maps.

    Returns:
        The mmseg model, whose ``encode_decode`` is the work that every side must do, and a function from image to map.
    """
    mixed = {'cpu': 'bfloat16', 'cuda': 'float16'}[device] if side == MIXED else 'float32'
    segmenter = load_segmenter(*files, device=device, precision=mixed, fused=side in (OURS, MIXED))
    model, stride = segmenter.model, round(window * (1 - overlap))
    if side in (OURS, MIXED):
        return model, _ours(segmenter, MapOptions(window=window, overlap=overlap, blend=blend))
    model.to(memory_format=torch.contiguous_format)  # as mmseg builds it
    if side in (SLIDE, WHOLE):
        sliding = {'mode': 'slide', 'crop_size': (window, window), 'stride': (stride, stride)}
        model.test_cfg = Config(sliding if side == SLIDE else {'mode': 'whole'})
        return model, _whole_image(model)
    model.test_cfg = Config({'mode': 'whole'})
    model.cfg = Config({'test_pipeline': [{'type': 'LoadImageFromNDArray'}, {'type': 'PackSegInputs'}]})
    return model, _remote(model, window, stride)


def _ours(segmenter: TorchSegmenter, options: MapOptions) -> Run:
    def run(source: Path, out: Path) -> None:
        (mapped,) = map_rasters(segmenter, [source], out.with_suffix(''), options)
        mapped.path.rename(out)

    return run


def _whole_image(model: torch.nn.Module) -> Run:
    """Map an image as one tensor through ``test_step``: in slide mode, or all at once."""

    def run(source: Path, out: Path) -> None:
        with rasterio.open(source) as raster:
            image, profile = torch.from_numpy(raster.read()[::-1].copy()), raster.profile
        size = {'ori_shape': image.shape[1:], 'img_shape': image.shape[1:]}
        with torch.no_grad():
            (found,) = model.test_step({'inputs': [image], 'data_samples': [SegDataSample(metainfo=size)]})
        classes = found.pred_sem_seg.data[0].cpu().numpy().astype(np.uint8)
        with rasterio.open(out, 'w', **profile | {'count': 1}) as raster:
            raster.write(classes, 1)

    return run


class RasterioImage(RSImage):
    """mmseg's image, with rasterio instead of GDAL's Python bindings, which few environments have."""

    def __init__(self, path: Path) -> None:
        self.dataset = rasterio.open(path)
        self.width, self.height, self.channel = self.dataset.width, self.dataset.height, self.dataset.count
        self.grids = []

    def read(self, grid: list) -> np.ndarray:
        """Read the pixels of a window, (H, W, bands), blue first."""
        window = rasterio.windows.Window(*grid[:4])
        return np.ascontiguousarray(np.moveaxis(self.dataset.read(window=window)[::-1], 0, -1))

    def create_seg_map(self, output_path: str) -> 'RasterioImage':
        """Open the map for writing, band by band like theirs."""
        made = RasterioImage.__new__(RasterioImage)
        made.dataset = rasterio.open(output_path, 'w', **self.dataset.profile | {'count': 1})
        made.band_list = [_Band(made.dataset)]
        return made


class _Band:
    def __init__(self, dataset: rasterio.io.DatasetWriter) -> None:
        self.dataset = dataset

    def WriteArray(self, data: np.ndarray, column: int, row: int) -> None:
        window = rasterio.windows.Window(column, row, data.shape[1], data.shape[0])
        self.dataset.write(data.astype(np.uint8), 1, window=window)


def _remote(model: torch.nn.Module, window: int, stride: int) -> Run:
    def run(source: Path, out: Path) -> None:
        image, written = RasterioImage(source), []
        create = image.create_seg_map
        image.create_seg_map = lambda path: written.append(create(path)) or written[0]
        RSInferencer(model, batch_size=8).run(image, (window, window), (stride, stride), str(out))
        written[0].dataset.close()
        image.dataset.close()

    return run
