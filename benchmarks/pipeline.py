"""Views and training images per second, against mmpretrain's stock pipeline and torchvision v2.

    python -m benchmarks.pipeline
    python -m benchmarks.pipeline --parts training --train-size 64

Every side gets the same synthetic patches, crop, batch and workers, in turns. `views a core` counts the CPU time of one
loader worker for reading, views and packing, so that other load on the machine matters little; `loader` and
`training` are wall-clock times. The loader path makes whole views on the CPU; the device path leaves colour, grey and
blur to the training device. docs/pipeline.md has the table to expect.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from datetime import date
from itertools import product
from pathlib import Path
from statistics import median

import cv2
import torch
from rich.console import Console

from benchmarks.pipelines.content import STORAGES, make_content
from benchmarks.pipelines.loading import loader, loader_rate, stamped, worker_cpu
from benchmarks.pipelines.report import loading_goals, loading_table, training_goals, training_table
from benchmarks.pipelines.sides import APPEARANCE, DEVICE, FLOOR, LOADER, STOCK, TORCHVISION, build
from benchmarks.pipelines.training import BASELINE as SIMCLR
from benchmarks.pipelines.training import NETWORK, OURS, THEIRS, NetworkAlone, build_ours, build_theirs
from projects.false.models.preprocessor import ViewPreprocessor

SIDES = (STOCK, TORCHVISION, LOADER, APPEARANCE, DEVICE)
BASELINE = (STOCK, 'JPEG')


def measure_cores(content: Path, options: argparse.Namespace) -> dict[tuple[str, str], list[float]]:
    """Measure views per second of CPU time, by side and storage."""
    rates = defaultdict(list)
    for _ in range(options.rounds):
        for cell in (*product(SIDES, STORAGES), (FLOOR, 'packed')):
            dataset = build(cell[0], content, cell[1], options.size)
            rates[cell].append(1 / worker_cpu(dataset, options.batch, options.batches))
    return rates


def measure_loaders(content: Path, options: argparse.Namespace) -> dict[tuple[str, str], list[float]]:
    """Measure views per second of a whole loader: theirs from their fastest files, ours from packed patches."""
    rates = defaultdict(list)
    for _ in range(options.rounds):
        for cell in (BASELINE, (TORCHVISION, 'JPEG'), (LOADER, 'packed'), (DEVICE, 'packed')):
            dataset = build(cell[0], content, cell[1], options.size)
            rates[cell].append(loader_rate(dataset, options.batch, options.batches, options.workers))
    return rates


def measure_handing_over(content: Path, options: argparse.Namespace) -> float:
    """Measure a worker's CPU seconds per view for collating and handing over: median of the rounds."""
    dataset = build(DEVICE, content, 'packed', options.size)
    setting = (dataset, options.batch, options.batches)
    return median(worker_cpu(*setting, stamped) - worker_cpu(*setting) for _ in range(options.rounds))


def measure_device(content: Path, options: argparse.Namespace, device: str) -> float:
    """Measure milliseconds per view of the device's part of the device path, wall clock: the least of the rounds."""
    (batch, _) = next(iter(loader(build(DEVICE, content, 'packed', options.size), options.batch, 1)))
    preprocessor = ViewPreprocessor([0.0] * 3, [1.0] * 3).to(device)

    def once(inputs: list[torch.Tensor]) -> float:
        start = time.perf_counter()
        preprocessor({'inputs': inputs})['inputs'][0].sum().item()
        return (time.perf_counter() - start) / options.batch / 2 * 1e3

    once(batch['inputs'])
    times = [(once(batch['inputs']), once(batch['inputs'][:2])) for _ in range(max(3, options.rounds))]
    return min(time for time, _ in times) - min(time for _, time in times)


def measure_training(content: Path, options: argparse.Namespace, device: str) -> dict:
    """Measure images per second of all sides, wall clock and CPU time: pipeline, model, both."""
    setting = (options.train_size, options.train_batch, options.train_workers, device)
    sides = {THEIRS: build_theirs(content, 'JPEG', *setting)}
    sides |= {name: build_ours(content, 'packed', *setting, name) for name in (OURS, SIMCLR)}
    network = NetworkAlone(sides[OURS], options.train_size)
    rates, steps = defaultdict(list), options.train_steps
    for _ in range(options.rounds):
        for what in ('pipeline', 'model', 'both'):
            for name, side in sides.items():
                rates[name, what].append(side.model_only(steps) if what == 'model' else side.fed(steps, what == 'both'))
            if what == 'model':
                rates[NETWORK, what].append(network.model_only(steps))
    return rates


def main(arguments: list[str] | None = None) -> None:
    """Measure and print tables and goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--parts', nargs='+', choices=['cores', 'loader', 'training'], default=None, help='default: all'
    )
    parser.add_argument('--patches', type=int, default=256, help='synthetic patches (256)')
    parser.add_argument('--patch-size', type=int, default=256, help='their side in pixels (256)')
    parser.add_argument('--size', type=int, default=224, help='side of a view in pixels (224)')
    parser.add_argument('--batch', type=int, default=32, help='images per batch (32)')
    parser.add_argument('--batches', type=int, default=4, help='batches per measurement (4)')
    parser.add_argument('--rounds', type=int, default=5, help='measurements of each side, in turns (5)')
    parser.add_argument('--workers', type=int, default=2, help='of the whole loader (2)')
    parser.add_argument('--train-size', type=int, default=32, help='side of a view in training (32)')
    parser.add_argument('--train-batch', type=int, default=128, help='images per step (128)')
    parser.add_argument('--train-steps', type=int, default=6, help='steps per measurement (6)')
    parser.add_argument('--train-workers', type=int, default=1, help='of the loader in training (1)')
    options = parser.parse_args(arguments)
    parts = options.parts or ['cores', 'loader', 'training']
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    cv2.setNumThreads(0)
    warnings.filterwarnings('ignore', message="Only use 'alpha'|Fail to import|The image decoding|.*pin_memory")
    console, goals = Console(width=None if sys.stdout.isatty() else 120), []
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder)
        make_content(content, options.patches, options.patch_size)
        if 'cores' in parts:
            rates = measure_cores(content, options)
            console.print(loading_table('views a core', rates, BASELINE))
            extra = 1e3 * measure_handing_over(content, options)
            console.print(f'collating and handing over, the same for every side: {extra:.2f} ms more per view')
            share = measure_device(content, options, device)
            console.print(f'what the device path leaves to the device, here {device}: {share:.2f} ms per view')
            goals += loading_goals(rates)
        if 'loader' in parts:
            rates = measure_loaders(content, options)
            console.print(loading_table(f'loader, {options.workers} workers', rates, BASELINE))
        if 'training' in parts:
            rates = measure_training(content, options, device)
            console.print(training_table(rates))
            goals += training_goals(rates, device)
    for line in goals:
        print(line)
    name = torch.cuda.get_device_name() if device == 'cuda' else f'CPU, {os.cpu_count()} cores'
    console.print(
        f'views of {options.size} from {options.patch_size} px, batch {options.batch}, medians of {options.rounds} '
        f'(range); training: views of {options.train_size}, batch {options.train_batch}, {options.train_workers} '
        f'worker(s), {torch.get_num_threads()} thread(s); {name}, {platform.machine()}, torch {torch.__version__}, '
        f'load {os.getloadavg()[0]:.1f}, {date.today().isoformat()}'
    )


if __name__ == '__main__':
    main()
