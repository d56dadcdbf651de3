"""Pretraining on one process and on several, at one global batch: images per second, and memory where there are GPUs.

    python -m benchmarks.scaling
    python -m benchmarks.scaling --config configs/false_mocov2_r50_potsdam.py --processes 1 8 --global-batch 256

Both sides run tools/train.py on the same synthetic patches, in turns; the median is of the steps after the first fifth.
Without a GPU each side gets all cores, shared out as threads among its processes.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]


def make_patches(folder: Path, count: int, size: int) -> None:
    """Write patches of coloured noise, PNG."""
    (folder / 'images').mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        low = generator.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / 'images' / f'{number}.png'), cv2.resize(low, (size, size)))


def command(config: Path, processes: int, options: dict[str, object], work_dir: Path) -> list[str]:
    """Return the command line of one side, as a user types it."""
    said = ['--work-dir', str(work_dir), '--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    if processes == 1:
        return [sys.executable, str(ROOT / 'tools' / 'train.py'), str(config), *said]
    return ['bash', str(ROOT / 'tools' / 'dist_train.sh'), str(config), str(processes), *said]


def run_side(config: Path, processes: int, options: dict[str, object], work_dir: Path) -> tuple[list[float], float]:
    """Train, and read seconds per step, without the first fifth, and the largest GPU memory in MiB from the log."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    environment = {**os.environ, 'OMP_NUM_THREADS': str(max(1, cores // processes)), 'PYTHON': sys.executable}
    done = subprocess.run(
        command(config, processes, options, work_dir), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f'error: {processes} processes ended with status {done.returncode}:\n{done.stderr[-3000:]}')
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [step for step in steps if 'time' in step]
    kept = steps[len(steps) // 5 :]
    return [step['time'] for step in kept], max((step.get('memory', 0) for step in kept), default=0)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', type=Path, default=ROOT / 'configs' / 'false_simclr_r18_synthetic.py')
    parser.add_argument('--processes', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--global-batch', type=int, default=128, help='images per step, over all processes')
    parser.add_argument('--steps', type=int, default=20, help='steps of each run')
    parser.add_argument('--rounds', type=int, default=3, help='runs of each side, taken in turns')
    parser.add_argument('--size', type=int, default=128, help='side of the synthetic patches in pixels')
    parser.add_argument('--cfg-options', nargs='*', default=[], metavar='KEY=VALUE', help='for both sides')
    options = parser.parse_args(arguments)
    for processes in options.processes:
        if options.global_batch % processes:
            parser.error(f'--global-batch {options.global_batch} is no multiple of {processes} processes')
    seconds: dict[int, list[float]] = {processes: [] for processes in options.processes}
    memory = dict.fromkeys(options.processes, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        make_patches(Path(folder, 'data'), options.global_batch * options.steps, options.size)
        for number in range(options.rounds):
            for processes in options.processes:
                settings = {
                    'train_dataloader.dataset.data_root': Path(folder, 'data'),
                    'train_dataloader.dataset.ann_file': "''",
                    'train_dataloader.batch_size': options.global_batch // processes,
                    'train_cfg.max_epochs': 1,
                    'default_hooks.logger.interval': 1,
                    'log_processor.window_size': 1,
                    **dict(option.split('=', 1) for option in options.cfg_options),
                }
                times, used = run_side(options.config, processes, settings, Path(folder, f'{number}_{processes}'))
                seconds[processes] += times
                memory[processes] = max(memory[processes], used)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f'CPU, {os.cpu_count()} cores'
    table = Table('processes', 'batch of each', 'images/s', 'of the first', 'quartiles', 'GPU MiB')
    first = statistics.median(seconds[options.processes[0]])
    for processes, times in seconds.items():
        low, middle, high = statistics.quantiles(times, n=4)
        table.add_row(
            str(processes),
            str(options.global_batch // processes),
            f'{options.global_batch / middle:.1f}',
            f'{first / middle:.2f}x',
            f'{options.global_batch / high:.1f} to {options.global_batch / low:.1f}',
            f'{memory[processes]:.0f}' if memory[processes] else '-',
        )
    console = Console()
    console.print(table)
    console.print(
        f'{options.config.name}, global batch {options.global_batch}, {options.rounds} x {options.steps} steps; '
        f'{device}, {platform.machine()}, torch {torch.__version__}, {date.today().isoformat()}'
    )


if __name__ == '__main__':
    main()
