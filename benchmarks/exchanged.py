"""Bytes that a process sends per training step, on paper, for recipes and numbers of processes.

    python -m benchmarks.exchanged
    python -m benchmarks.exchanged --config configs/false_mocov2_r50_potsdam.py --processes 8 64 --side 224

Counts what the model of a recipe exchanges, as rings do it: a process sends 2 (W - 1) / W times the bytes of an
all-reduce, and W - 1 times its own bytes of an all-gather. docs/distributed.md has the table to expect.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
RECIPES = [ROOT / 'configs' / f'false_{form}_r50_potsdam.py' for form in ('simclr', 'mocov2')]
FLOAT = 4  # bytes


class Model(NamedTuple):
    """What decides how much a model exchanges.

    Args:
        parameters: Numbers with a gradient.
        synchronised: Channels of every layer of SyncBN.
        dim: Length of a projection.
        moco: Keys are shuffled across processes and fill a queue; else both views of all processes are compared.
    """

    parameters: int
    synchronised: list[int]
    dim: int
    moco: bool


def all_reduced(size: float, processes: int) -> float:
    """Return the bytes that a process sends so that all have the sum of ``size`` bytes."""
    return 2 * (processes - 1) / processes * size


def gathered(own: float, processes: int) -> float:
    """Return the bytes that a process sends so that all have the ``own`` bytes of each."""
    return (processes - 1) * own


def exchanged(model: Model, images: int, processes: int, side: int) -> dict[str, float]:
    """Return the bytes that a process sends per step, by what they are.

    Args:
        model: The model.
        images: Images per process.
        processes: W, at least 1.
        side: Side of a view in pixels, of three bands.
    """
    views = 1 if model.moco else 2
    rows = views * images * model.dim * FLOAT
    found = {'gradients': all_reduced(model.parameters * FLOAT, processes)}
    found['normalisation'] = sum(
        gathered((2 * channels + 1) * FLOAT, processes) + all_reduced(2 * channels * FLOAT, processes)
        for channels in model.synchronised
    )
    found['projections'] = gathered(rows, processes)
    if model.moco:
        found['images'] = gathered(images * 3 * side**2 * FLOAT, processes)
    else:
        found['projections'] += all_reduced(processes * rows, processes)  # their gradients
    return found


def model_of(config: Path) -> Model:
    """Build the model of a recipe and count."""
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope
    from torch import nn

    loaded = Config.fromfile(config)
    init_default_scope(loaded.get('default_scope', 'mmpretrain'))
    model = MODELS.build({**loaded.model, 'backbone': {**loaded.model.backbone, 'init_cfg': None}})
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    layers = [m.num_features for m in model.modules() if isinstance(m, nn.SyncBatchNorm)]
    return Model(parameters, layers, loaded.model.neck.out_channels, 'queue_len' in loaded.model)


def main(arguments: list[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', type=Path, nargs='+', default=RECIPES, help='default: false_*_r50_potsdam.py')
    parser.add_argument('--processes', type=int, nargs='+', default=[8, 64], help='default: 8 64')
    parser.add_argument('--global-batch', type=int, nargs='+', default=[256, 2048], help='images (default: 256 2048)')
    parser.add_argument('--side', type=int, default=224, help='of a view in pixels (default: 224)')
    options = parser.parse_args(arguments)
    kinds = ('gradients', 'images', 'normalisation', 'projections')
    table = Table('recipe', 'processes x images', *kinds, 'all, MB per step', 'collectives of SyncBN')
    for config in options.config:
        model = model_of(config)
        for batch in options.global_batch:
            for processes in options.processes:
                sent = exchanged(model, batch // processes, processes, options.side)
                cells = [f'{sent[kind] / 1e6:.1f}' if kind in sent else '' for kind in kinds]
                total, calls = f'{sum(sent.values()) / 1e6:.0f}', str(2 * len(model.synchronised))
                table.add_row(config.stem, f'{processes} x {batch // processes}', *cells, total, calls)
    Console(width=130).print(table)


if __name__ == '__main__':
    main()
