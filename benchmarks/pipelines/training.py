"""Images per second in training: SimCLR of mmpretrain with its pipeline, and FALSE and SimCLR of this project."""

import copy
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.utils import import_modules_from_strings
from torch import nn
from torch.nn import functional
from torch.utils.data import Dataset

from projects.false.datasets.view_evidence import fit_missing_appearance
from projects.false.engine.precision import to_channels_last

from .loading import loader
from .sides import ours, stock, stock_view

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
THEIRS, OURS, BASELINE = 'mmpretrain SimCLR', 'false_simclr_r18', 'simclr_r18'
NETWORK = 'network of false_simclr_r18 in a bare loop'


class TrainingSide:
    """A model with its optimizer, and the data set that feeds it.

    Args:
        model: An MMEngine model.
        optim_wrapper: Config of its optimizer wrapper.
        dataset: Data set of two views per sample.
        batch: Images per step.
        workers: Workers of the loader.
        device: Device to train on.
    """

    def __init__(self, model: nn.Module, optim_wrapper: dict, dataset: Dataset, batch: int, workers: int, device: str):
        self.model = model.to(device).train()
        self.wrapper = build_optim_wrapper(model, optim_wrapper)
        self.dataset, self.batch, self.workers, self.device = dataset, batch, workers, device
        self.fixed = next(iter(self._loader()))[0]
        self._step(self.fixed)  # the first step builds what later ones reuse

    def _loader(self):
        return loader(self.dataset, self.batch, self.workers, pin_memory=self.device == 'cuda')

    def _step(self, batch: dict) -> None:
        self.model.train_step(batch, self.wrapper)
        if self.device == 'cuda':
            torch.cuda.synchronize()

    def model_only(self, steps: int) -> tuple[float, float]:
        """Return images per second of wall-clock time and of CPU time, with the same batch in every step."""
        return images_per_second(lambda: self._step(self.fixed), steps, self.batch)

    def fed(self, steps: int, train: bool) -> tuple[float, float]:
        """Return the same with batches from the loader, trained on or only taken; CPU time is that of both processes.

        The batches that the worker has ready at the start are left out.
        """
        ahead = 3 * self.workers
        wall = cpu = first = last = 0.0
        for number, (batch, stamp) in zip(range(ahead + steps), self._loader(), strict=False):
            if train:
                self._step(batch)
            if number == ahead - 1:
                wall, cpu, first = time.perf_counter(), time.process_time(), stamp
            last = stamp
        images = steps * self.batch
        return images / (time.perf_counter() - wall), images / (time.process_time() - cpu + last - first)


def images_per_second(step: Callable[[], object], steps: int, batch: int) -> tuple[float, float]:
    """Return images per second of wall-clock time and of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    return steps * batch / (time.perf_counter() - wall), steps * batch / (time.process_time() - cpu)


class NetworkAlone:
    """A side's network in a bare loop on synthetic views, in its precision and memory format: the least a step takes.

    A step is forward, NT-Xent, backward and the optimizer's step. It has no preprocessor, no determination, no log.

    Args:
        side: The side. Its network is copied.
        size: Side of a view in pixels.
    """

    def __init__(self, side: TrainingSide, size: int) -> None:
        self.batch, self.device = side.batch, side.device
        self.network = copy.deepcopy(nn.Sequential(side.model.backbone, side.model.neck))
        chosen = {name: side.wrapper.optimizer.defaults[name] for name in ('lr', 'weight_decay')}
        self.optimizer = type(side.wrapper.optimizer)(self.network.parameters(), **chosen)
        self.autocast = dict(device_type=self.device, dtype=torch.bfloat16, enabled=side.wrapper.enabled)
        views = torch.randn((2 * self.batch, 3, size, size), generator=torch.Generator().manual_seed(0))
        self.views = views.to(self.device, memory_format=torch.channels_last)
        self.positives = torch.arange(2 * self.batch, device=self.device).roll(self.batch)
        self._step()

    def _step(self) -> None:
        with torch.autocast(**self.autocast):
            projections = self.network(self.views)
        rows = functional.normalize(projections.float())
        logits = (rows @ rows.T / 0.2).fill_diagonal_(-torch.inf)
        functional.cross_entropy(logits, self.positives).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.device == 'cuda':
            torch.cuda.synchronize()

    def model_only(self, steps: int) -> tuple[float, float]:
        """Return images per second of wall-clock time and of CPU time."""
        return images_per_second(self._step, steps, self.batch)


def build_theirs(content: Path, storage: str, size: int, batch: int, workers: int, device: str) -> TrainingSide:
    """Build mmpretrain's SimCLR on ResNet-18 in float32, with the optimizer of our recipe, which is not compared."""
    config = dict(
        type='SimCLR',
        data_preprocessor=dict(
            type='SelfSupDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
        ),
        backbone=dict(type='ResNet', depth=18, norm_cfg=dict(type='BN'), zero_init_residual=True),
        neck=dict(
            type='NonLinearNeck',
            in_channels=512,
            hid_channels=512,
            out_channels=128,
            num_layers=2,
            with_avg_pool=True,
            norm_cfg=dict(type='BN1d'),
        ),
        head=dict(type='ContrastiveHead', loss=dict(type='CrossEntropyLoss'), temperature=0.2),
    )
    optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        import mmpretrain.models  # noqa: F401

        torch.manual_seed(0)
        model = MODELS.build(config)
        return TrainingSide(model, optim_wrapper, stock(content, storage, stock_view(size)), batch, workers, device)


def build_ours(
    content: Path, storage: str, size: int, batch: int, workers: int, device: str, name: str = OURS
) -> TrainingSide:
    """Build a recipe, FALSE by appearance or SimCLR, channels-last, bfloat16; released views, as on the other side."""
    config = Config.fromfile(CONFIGS / f'{name}_synthetic.py')
    import_modules_from_strings(**config.custom_imports)
    color_on = 'device' if device == 'cuda' else 'loader'
    dataset = ours(content, storage, color_on, config.train_dataloader.dataset.get('evidence'), size=size)
    fit_missing_appearance(dataset)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.manual_seed(0)
        model = MODELS.build(config.model)
        to_channels_last(model)
        return TrainingSide(model, config.optim_wrapper, dataset, batch, workers, device)
