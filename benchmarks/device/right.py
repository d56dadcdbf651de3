"""Is it right: losses, views, training, resume, processes, compiler and maps on the device against the CPU."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import torch
from torch import Tensor, nn

from benchmarks.losses.sides import COMBINED
from benchmarks.mapping.made_scene import write_scene
from benchmarks.mapping.measuring import Cell
from benchmarks.mapping.sides import OURS, build
from projects.false.datasets.views.color_device import apply_steps
from projects.false.datasets.views.views import ContrastiveViews
from projects.false.losses import (
    DETERMINATIONS,
    DebiasedLoss,
    FALSELoss,
    FNCLoss,
    HardNegativeLoss,
    NTXentLoss,
)

from .made import ROOT, Row, Setting, Trained, options, row, save_segmenter

RECIPES = (
    'false_simclr_r50_potsdam',
    'simclr_r50_potsdam',
    'false_simclr_r50_potsdam_released',
    'false_mocov2_r50_potsdam',
    'mocov2_r50_potsdam',
    'upernet_r50_potsdam',
    'linear_r50_potsdam',
)


def all_losses(chunk_size: int | None = None) -> dict[str, nn.Module]:
    """Return every loss with every determination."""
    found: dict[str, nn.Module] = {
        name: FALSELoss(0.2, 1.0, -1.0, rule, chunk_size=chunk_size)
        for name, rule in ((name, COMBINED.get(name, name)) for name in sorted(DETERMINATIONS.module_dict))
        if rule is not None
    }
    found |= {kind.__name__: kind(0.2, chunk_size=chunk_size) for kind in (NTXentLoss, DebiasedLoss, HardNegativeLoss)}
    for mode in ('attraction', 'elimination'):
        found[f'FNCLoss {mode}'] = FNCLoss(0.2, mode, chunk_size=chunk_size)
    return found


def losses(setting: Setting) -> Iterator[Row]:
    """Compare value and gradient of every loss with float64 on the CPU, on the same numbers."""
    half, slots = setting.choose(512, 16), setting.choose(4096, 32)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(half, 128, generator=generator)
    first, second = (images + 0.3 * torch.randn(half, 128, generator=generator) for _ in range(2))
    known = dict(
        queue=torch.randn(slots, 128, generator=generator),
    )
    for prefix, count in (('', 2 * half), ('queue_', slots)):
        known[f'{prefix}evidence'] = torch.rand(count, 6, generator=generator).softmax(1)
        known[f'{prefix}labels'] = known[f'{prefix}evidence']
        known[f'{prefix}features'] = torch.randn(count, 32, generator=generator)
        corner = torch.randint(0, 600, (count, 2), generator=generator)
        known[f'{prefix}place'] = torch.cat([torch.arange(count)[:, None] % 3, corner, corner + 64], dim=1).float()
    for form in ('batch', 'queue'):
        for precision in (torch.float32, torch.bfloat16, torch.float16):
            worst = {'loss': (0.0, ''), 'gradient': (0.0, '')}
            for name, loss in all_losses().items():
                rule = getattr(loss, 'determination', None)
                if form == 'queue' and rule and (rule.in_batch_only or 'features' in rule.reads):
                    continue
                rounded = [view.to(precision) for view in (first, second)]
                wanted = _value(loss, [view.double() for view in rounded], known, form)
                found = _value(loss, [view.to(setting.device) for view in rounded], known, form)
                for kind, one, other in zip(worst, wanted, found, strict=True):
                    error = float((one - other.double().cpu()).norm() / one.norm())
                    if not error <= worst[kind][0]:  # NaN is the worst
                        worst[kind] = error, name
            for kind, (error, name) in worst.items():
                most = 1e-4 if precision == torch.float32 else None
                what = f'{kind}, {form}, {str(precision).removeprefix("torch.")}, worst relative error ({name})'
                yield row(what, error, '{:.1e}', most=most)
    worst_chunk = 0.0
    for name, loss in all_losses(chunk_size=setting.choose(100, 5)).items():
        views = [view.to(setting.device) for view in (first, second)]
        dense, chunked = (_value(one, views, known, 'batch') for one in (all_losses(2 * half)[name], loss))
        worst_chunk = max(worst_chunk, *(float((a - b).norm() / a.norm()) for a, b in zip(dense, chunked, strict=True)))
    yield row('chunked against dense, worst relative error', worst_chunk, '{:.1e}', most=1e-4)


def _value(loss: nn.Module, views: list[Tensor], known: dict[str, Tensor], form: str) -> list[Tensor]:
    """Return the value of a loss and its gradient for the first view."""
    first, second = (view.detach().clone().requires_grad_() for view in views)
    device, dtype = first.device, torch.promote_types(first.dtype, torch.float32)
    names = getattr(getattr(loss, 'determination', None), 'reads', ())
    others = {name: known[name] if form == 'batch' else known[name][: len(first)] for name in names}
    if form == 'queue':
        others |= {f'queue_{name}': known[f'queue_{name}'] for name in names} | {'queue': known['queue']}
    value = loss(first, second, **{key: tensor.to(device, dtype) for key, tensor in others.items()})
    return [value.detach(), torch.autograd.grad(value, first)[0]]


def views(setting: Setting) -> Iterator[Row]:
    """Compare the colours that the device gives with the loader's, on the same draws, and with the CPU's."""
    side, count = setting.choose(224, 32), setting.choose(256, 8)
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    image = np.kron(coarse, np.ones((24, 24, 1), np.uint8))
    made = {}
    for color_on in ('loader', 'device'):
        np.random.seed(0)
        drawing = ContrastiveViews(size=side, color_on=color_on)
        made[color_on] = [drawing.transform({'img': image})['img'] for _ in range(count)]
    red_first = [2, 1, 0]
    loader, plain = (
        torch.from_numpy(np.stack([views[0][..., red_first] for views in made[kind]])).permute(0, 3, 1, 2).float()
        for kind in ('loader', 'device')
    )
    steps = torch.stack([views[2][0] for views in made['device']])
    on_device = apply_steps(plain.clone().to(setting.device), steps).cpu()
    on_cpu = apply_steps(plain.clone(), steps)
    difference = (loader - on_device).abs()
    yield row('device against loader, mean difference in grey levels', float(difference.mean()), '{:.2f}', most=1)
    worst = float(difference.mean((1, 2, 3)).max())
    yield row('device against loader, the worst view', worst, '{:.2f}', most=3)
    for name, measure in (('mean', torch.mean), ('spread', torch.std)):
        gap = float((measure(loader) - measure(on_device)).abs())
        yield row(f'device against loader, {name} of all grey levels', gap, '{:.2f}', most=1)
    same = float(((on_cpu - on_device).abs() < 0.05).float().mean())
    yield row('device against CPU, share of equal values', same, '{:.2%}', least=0.999)


def training(setting: Setting) -> Iterator[Row]:
    """Train every recipe for some steps on one batch, in both half precisions: finite, and falling."""
    precisions = ('bfloat16', 'float16') if setting.device == 'cuda' else ('bfloat16',)
    for recipe in RECIPES:
        for precision in precisions:
            try:
                count = setting.choose(32, 4)
                queue = {'model.queue_len': 2 * count} if 'moco' in recipe else {}
                trained = Trained(setting, recipe, precision, **queue)
                data = trained.fake(count)
                found = [float(trained.step(data)['loss']) for _ in range(setting.choose(22, 5))]
                found = found[2:]  # until then the queue of MoCo is not full
            except Exception as error:
                yield Row(f'{recipe}, {precision}', f'{type(error).__name__}: {error}'[:300], None, 'trains', False)
                continue
            falling = bool(np.isfinite(found).all() and min(found[-5:]) < found[0])
            text = f'loss {found[0]:.3f} to {found[-1]:.3f} in {len(found)} steps'
            yield Row(f'{recipe}, {precision}', text, found[-1], 'finite and falling', falling)


def _train(setting: Setting, name: str, epochs: int, *arguments: str, tool: tuple[str, ...] = ()) -> Path:
    """Train a recipe by its command line and return its work folder."""
    work_dir = setting.folder / name
    count = setting.choose(128, 8)
    given = options(setting, 'false_simclr_r50_potsdam') | {
        'train_dataloader.batch_size': count // 4,
        'train_dataloader.num_workers': setting.choose(4, 0),
        'train_dataloader.dataset.indices': count,
        'train_cfg.max_epochs': epochs,
        'param_scheduler': '[]',
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.logger.interval': 1,
        'auto_scale_lr.enable': False,
    }
    given.pop('train_dataloader.dataset.data_prefix')
    given['train_dataloader.dataset.data_prefix.img_path'] = 'PNG'
    given['train_dataloader.dataset.ann_file'] = "''"
    command = [
        *(tool or (sys.executable, str(ROOT / 'tools' / 'train.py'))),
        str(ROOT / 'configs' / 'false_simclr_r50_potsdam.py'),
        *(('1',) if tool else ()),
        *('--amp', '--work-dir', str(work_dir), *arguments),
        *('--cfg-options', *(f'{key}={value}' for key, value in given.items())),
    ]
    environment = {**os.environ, 'PYTHON': sys.executable}
    done = subprocess.run(command, cwd=setting.folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f'{Path(command[1]).name} ended with status {done.returncode}: {done.stderr[-1500:]}')
    return work_dir


def resume(setting: Setting) -> Iterator[Row]:
    """Compare the weights of a run with those of one that was stopped after half its epochs and resumed."""
    whole = _train(setting, 'whole', 2)
    _train(setting, 'halves', 1)
    halves = _train(setting, 'halves', 2, '--resume')
    one, other = (
        torch.load(folder / 'backbone.pth', map_location='cpu', weights_only=True) for folder in (whole, halves)
    )
    one, other = (weights.get('state_dict', weights) for weights in (one, other))
    pairs = [(one[name].double(), other[name].double()) for name in one if torch.is_floating_point(one[name])]
    worst = max(float((a - b).abs().max()) for a, b in pairs)
    yield Row('resumed against whole, largest difference of a weight', f'{worst:.1e}', worst, 'stated', None)


def processes(setting: Setting) -> Iterator[Row]:
    """Train with one process through torchrun: NCCL on a GPU, gloo elsewhere."""
    folder = _train(setting, 'torchrun', 1, tool=('bash', str(ROOT / 'tools' / 'dist_train.sh')))
    written = (folder / 'backbone.pth').exists()
    backend = 'NCCL' if setting.device == 'cuda' else 'gloo'
    yield Row(f'one process through torchrun, {backend}', 'trained' if written else 'no backbone', None, '', written)


def compiled(setting: Setting) -> Iterator[Row]:
    """Compare a compiled model with the model as it is: third losses, and images per second."""
    for recipe in ('false_simclr_r50_potsdam', 'false_mocov2_r50_potsdam'):
        try:
            first, rates = {}, {}
            for how in ('as it is', 'compiled'):
                trained = Trained(setting, recipe)
                data = trained.fake(setting.choose(64, 4))
                if how == 'compiled':
                    backend = 'inductor' if not setting.tiny else 'eager'
                    trained.model.forward = torch.compile(trained.model.forward, backend=backend)
                first[how] = [float(trained.step(data)['loss']) for _ in range(3)][-1]  # MoCo has a queue by then
                rates[how] = setting.rate(
                    lambda trained=trained, data=data: trained.step(data), len(data['inputs'][0]), 0.1
                )
        except Exception as error:
            yield Row(recipe, f'{type(error).__name__}: {error}'.replace('\n', ' ')[:300], None, 'compiles', False)
            continue
        gap = abs(first['compiled'] - first['as it is']) / abs(first['as it is'])
        yield row(f'{recipe}: third loss, compiled against not', gap, '{:.1e}', most=2e-2)
        yield row(f'{recipe}: images/s, compiled against not', rates['compiled'] / rates['as it is'], '{:.2f}x')


def maps(setting: Setting) -> Iterator[Row]:
    """Compare the map of the device with that of the CPU."""
    side, window = setting.choose(1024, 96), setting.choose(256, 64)
    source = setting.folder / 'small.tif'
    write_scene(source, side)
    files, found = save_segmenter(setting), []
    for device in (setting.device, 'cpu'):
        out = setting.folder / f'small_{device}_{len(found)}.tif'
        cell = Cell(OURS, str(source), str(out), window, 0.5)
        build(cell.side, files, device, cell.window, cell.overlap, cell.blend)[1](source, out)
        with rasterio.open(out) as raster:
            found.append(raster.read(1))
    same = float((found[0] == found[1]).mean())
    yield row(f'map of {setting.device} against CPU, equal pixels of {len(np.unique(found[1]))} classes', same,
              '{:.3%}', least=0.999)  # fmt: skip
