"""What the parts share: their setting, rows of results, synthetic data, and models of the recipes with fake batches."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import BaseDataElement
from mmengine.utils import import_modules_from_strings
from torch import Tensor, nn

from benchmarks.pipelines.content import make_content
from projects.false.datasets.views.steps import ColorSteps
from projects.false.engine.config import load_config
from projects.false.engine.precision import to_channels_last
from projects.false.imagery.palettes import PALETTES

ROOT = Path(__file__).resolve().parents[2]
KINDS = 6


class Row(NamedTuple):
    """One result.

    Args:
        what: What was measured.
        found: The result, for people.
        value: The number, if it is one.
        goal: What it should be; empty if nothing was promised.
        met: Whether it is; None without a goal.
    """

    what: str
    found: str
    value: float | None = None
    goal: str = ''
    met: bool | None = None


def row(what: str, value: float, form: str = '{:.3g}', least: float | None = None, most: float | None = None) -> Row:
    """Make the row of a number, with a goal from below or from above."""
    goal = f'at least {form.format(least)}' if least is not None else f'at most {form.format(most)}' if most else ''
    met = None
    if least is not None or most is not None:
        met = (least is None or value >= least) and (most is None or value <= most)
    return Row(what, form.format(value), float(value), goal, met)


class Setting(NamedTuple):
    """Where and at what size a part measures.

    Args:
        folder: A folder for what it writes.
        device: ``cuda`` or ``cpu``.
        tiny: A small network on small images, to see that the part runs.
        seconds: Time that the part may take; parts that repeat something divide it.
    """

    folder: Path
    device: str
    tiny: bool
    seconds: float

    def choose(self, full: Any, tiny: Any) -> Any:
        """Return the value for the size."""
        return tiny if self.tiny else full

    @property
    def batch(self) -> int:
        """Images per step."""
        return self.choose(256, 4)

    @property
    def side(self) -> int:
        """Side of a view in pixels."""
        return self.choose(224, 32)

    def wait(self) -> None:
        """Wait until the device has done all that was asked of it."""
        if self.device == 'cuda':
            torch.cuda.synchronize()

    def rate(self, step: Callable[[], object], items: int, share: float, least: int = 3) -> float:
        """Return items per second of a step, after two to warm up, in a share of the time of the part."""
        for _ in range(self.choose(2, 1)):
            step()
        self.wait()
        start, steps = time.perf_counter(), 0
        while steps < self.choose(least, 1) or (
            not self.tiny and time.perf_counter() - start < share * self.seconds and steps < 200
        ):
            step()
            steps += 1
        self.wait()
        return items * steps / (time.perf_counter() - start)


def patches(setting: Setting) -> Path:
    """Make packed patches, and return their data root."""
    folder = setting.folder / 'patches'
    if not folder.exists():
        make_content(folder, setting.choose(2048, 16), setting.choose(256, 48))
    return folder


def options(setting: Setting, recipe: str) -> dict[str, Any]:
    """Return the options by which a recipe trains on the synthetic patches, at the size of the setting."""
    small = {'model.backbone.depth': 18} if setting.tiny else {}
    if 'upernet' in recipe or 'linear' in recipe:
        if setting.tiny:
            channels = [64, 128, 256, 512]
            small |= {'model.decode_head.in_channels': channels, 'model.data_preprocessor.size': (64, 64)}
        if setting.tiny and 'upernet' in recipe:
            small |= {'model.auxiliary_head.in_channels': 256, 'model.decode_head.channels': 16}
        return {**small, 'model.backbone.init_cfg': None}
    if setting.tiny:
        small |= {'model.neck.in_channels': 512, 'train_dataloader.dataset.pipeline.1.size': setting.side}
    if 'moco' in recipe:
        small |= {'model.queue_len': setting.choose(4096, 16)}
    data = {
        'data_root': str(patches(setting)),
        'ann_file': '',
        'data_prefix': dict(img_path='PNG'),
        'packed': True,
    }
    return {
        **small,
        **{f'train_dataloader.dataset.{key}': value for key, value in data.items()},
        'train_dataloader.batch_size': setting.batch,
        'train_dataloader.num_workers': setting.choose(14, 0),
    }


class Trained:
    """A recipe's model on the device with its optimizer, and fake batches.

    Args:
        setting: Of the part.
        recipe: Name of a config, without ``.py``.
        precision: ``float32``, ``bfloat16`` or ``float16``.
        more: Further options of the config.
        channels_last: Memory format of the recipes; False is PyTorch's default.
    """

    def __init__(
        self,
        setting: Setting,
        recipe: str,
        precision: str = 'bfloat16',
        channels_last: bool = True,
        **more: Any,
    ) -> None:
        self.setting, self.recipe = setting, recipe
        self.config = load_config(str(ROOT / 'configs' / f'{recipe}.py'), {**options(setting, recipe), **more})
        import_modules_from_strings(**self.config.custom_imports)
        init_default_scope(self.config.default_scope)
        torch.manual_seed(0)
        self.model = built(self.config, setting.device)
        if channels_last:
            to_channels_last(self.model)
        kind = {'float32': 'OptimWrapper', 'bfloat16': 'AutocastOptimWrapper', 'float16': 'AmpOptimWrapper'}[precision]
        scale = {'loss_scale': 'dynamic'} if precision == 'float16' else {}
        self.wrapper = build_optim_wrapper(self.model, {**self.config.optim_wrapper, 'type': kind, **scale})

    @property
    def segments(self) -> bool:
        """Whether it is a recipe of segmentation."""
        return self.config.default_scope == 'mmseg'

    def step(self, data: dict) -> dict[str, Tensor]:
        """Train one step."""
        return self.model.train_step(data, self.wrapper)

    def fake(self, count: int | None = None) -> dict:
        """Make a batch as the loader hands it over, in pinned memory on a GPU."""
        return self.fake_labelled(count or self.setting.choose(16, 2)) if self.segments else self.fake_views(count)

    def fake_views(self, count: int | None = None) -> dict:
        """Make two views of images with their draws and their evidence."""
        setting, generator = self.setting, np.random.default_rng(0)
        count = count or setting.batch
        np.random.seed(0)
        draws = ColorSteps()
        steps = torch.tensor([[draws.draw().row() for _ in range(2)] for _ in range(count)])
        shape = (count, 3, setting.side, setting.side)
        coarse = [generator.integers(0, 256, (count, 3, 8, 8), dtype=np.uint8) for _ in range(2)]
        views = [
            nn.functional.interpolate(torch.from_numpy(v).float(), shape[2:], mode='bilinear').byte() for v in coarse
        ]
        samples = []
        for number in range(count):
            sample = BaseDataElement(metainfo=dict(sample_idx=number))
            sample.set_data(dict(evidence=generator.dirichlet(np.ones(KINDS), 2).astype(np.float32)))
            samples.append(sample)
        inputs = [*views, steps]
        if setting.device == 'cuda':
            inputs = [part.pin_memory() for part in inputs]
        return dict(inputs=inputs, data_samples=samples)

    def fake_labelled(self, count: int) -> dict:
        """Make labelled patches."""
        from mmengine.structures import PixelData
        from mmseg.structures import SegDataSample

        side = self.setting.choose(256, 64)
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)
        samples = []
        for image in images:
            size = dict(ori_shape=(side, side), img_shape=(side, side), pad_shape=(side, side))
            sample = SegDataSample(metainfo=size)
            sample.gt_sem_seg = PixelData(data=(image[:1] // 43).long())
            samples.append(sample)
        return dict(inputs=list(images), data_samples=samples)

    def loaded(self) -> Iterator[dict]:
        """Yield the batches of the recipe's own loader, without end."""
        from mmengine.runner import Runner

        from projects.false.datasets.view_evidence import fit_missing_appearance

        settings = self.config.train_dataloader
        if settings.num_workers == 0:
            settings.update(persistent_workers=False)
        settings.update(pin_memory=self.setting.device == 'cuda')
        settings.sampler.update(infinite=True)
        loader = Runner.build_dataloader(settings, seed=0)
        fit_missing_appearance(loader.dataset)
        yield from loader


def built(config: Config, device: str) -> nn.Module:
    """Build a model of a config with its initial weights, on the device, in training mode."""
    from mmengine.model import revert_sync_batchnorm

    MMLogger.get_current_instance().setLevel('WARNING')  # the origin of every weight fills pages
    model = MODELS.build(config.model)
    model.init_weights()
    return (model if device == 'cuda' else revert_sync_batchnorm(model)).to(device).train()


def save_segmenter(setting: Setting) -> tuple[str, str]:
    """Write a recipe of segmentation and a checkpoint of random weights whose classes differ from place to place."""
    recipe, folder = 'upernet_r50_potsdam', setting.folder
    config, checkpoint = folder / f'{recipe}.py', folder / 'random.pth'
    if not checkpoint.exists():
        cfg = load_config(str(ROOT / 'configs' / f'{recipe}.py'), options(setting, recipe))
        import_modules_from_strings(**cfg.custom_imports)
        init_default_scope('mmseg')
        torch.manual_seed(0)
        model = built(cfg, 'cpu')
        with torch.no_grad():
            model.decode_head.conv_seg.weight.normal_(0, 0.3)
        palette = PALETTES['potsdam']
        known = {'classes': list(palette.classes), 'palette': [list(color) for color in palette.colors]}
        torch.save({'state_dict': model.state_dict(), 'meta': {'dataset_meta': known}}, checkpoint)
        cfg.dump(config)
    return str(config), str(checkpoint)


def write_rows(path: Path, rows: Iterator[Row]) -> None:
    """Write rows as they come, so that a part that is stopped keeps those that it has."""
    with path.open('a', encoding='utf-8') as file:
        for found in rows:
            file.write(json.dumps(found._asdict()) + '\n')
            file.flush()
