"""Speed and memory of the losses, beside the released procedure and three libraries, all in one run.

    python -m benchmarks.loss --out work_dirs/loss.json --out work_dirs/loss.md

Two libraries of the comparison are not needed otherwise: pip install -r requirements-bench.txt. Without them the notes
below the tables say so. docs/benchmarks.md explains the measurements and shows the table to expect. Leave the machine
alone meanwhile, since several threads on busy cores take ten times as long.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

from benchmarks.losses.embeddings import REGIMES, Embeddings, make_embeddings
from benchmarks.losses.goals import judge
from benchmarks.losses.machine import machine_facts
from benchmarks.losses.memory import peak_extra_bytes
from benchmarks.losses.sides import RENDERING, Side, all_sides
from benchmarks.losses.tables import markdown
from benchmarks.losses.timing import CLOCKS, interleaved
from projects.false.common.errors import InputError

HOW = {
    'cpu': 'VmHWM of a process of its own, less what was resident before the step',
    'cuda': 'torch.cuda.max_memory_allocated, less what was allocated before the step',
}


def compare(batch: Embeddings, regime: str, sides: list[Side], options: argparse.Namespace) -> list[dict]:
    """Time all sides on one batch."""
    losses, entries = {}, []
    for side in sides:
        note = side.refuse(batch)
        if not note:
            try:
                losses[side.name] = side.prepare(batch), batch.rows
            except InputError as error:
                note = f'{side.name}: {error}'
        entries.append(dict(side=side.name, kind=side.kind, note=note))
    taken = interleaved(losses, options.repeats, options.budget, options.clock)
    more = dict(regime=regime, rows=len(batch.rows), pairs=batch.pairs)
    return [{**entry, **more, 'seconds': taken.get(entry['side'], [])} for entry in entries]


def scaling(options: argparse.Namespace) -> list[dict]:
    """Time `anchor_nearest` in three forms, all sizes in turns."""
    losses = {}
    for rows in options.scaling_rows:
        batch = _embeddings('nearest', rows, options)
        for form, chunk in chunk_sizes(rows, options).items():
            losses[form, rows] = all_sides(chunk)[0].prepare(batch), batch.rows
    taken = interleaved(losses, options.repeats, options.budget, options.clock)
    return [dict(form=form, rows=rows, seconds=seconds) for (form, rows), seconds in taken.items()]


def chunk_sizes(rows: int, options: argparse.Namespace) -> dict[str, int | None]:
    """Return the block size of every form; dense is one block, with all similarities in memory at once."""
    return {'dense': rows, 'chunked': options.chunk_size, 'default': None}


def run(options: argparse.Namespace) -> dict:
    """Measure everything that was asked for, and return a report."""
    torch.set_num_threads(options.threads)
    report = dict(machine=machine_facts(options.device), settings=_settings(options), times=[], scaling=[], memory={})
    for rows in options.rows:
        for regime in options.regimes:
            report['times'] += compare(_embeddings(regime, rows, options), regime, all_sides(), options)
            print(f'{regime}, {rows:,} rows: done', file=sys.stderr)
    report['scaling'] = scaling(options)
    if options.memory_rows:
        forms = chunk_sizes(options.memory_rows, options)
        report['memory'] = {
            form: peak_extra_bytes(options.memory_rows, chunk, options.device, options.threads)
            for form, chunk in forms.items()
        } | dict(rows=options.memory_rows, how=HOW[options.device])
    report['goals'] = [goal._asdict() for goal in judge(report)]
    return report


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=_even, nargs='+', help='2N; default 256 512 1024 4096, on a GPU 16384 65536 too')
    parser.add_argument('--regimes', nargs='+', choices=REGIMES, default=list(REGIMES))
    parser.add_argument('--repeats', type=int, default=9, help='rounds; default 9')
    parser.add_argument('--budget', type=float, default=60, help='seconds for one side at one size; default 60')
    parser.add_argument('--clock', choices=list(CLOCKS), default='wall', help='cpu: of the process, for a busy machine')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help='of PyTorch')
    parser.add_argument('--device', choices=list(HOW), default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--dimension', type=int, default=128)
    parser.add_argument('--chunk-size', type=int, default=512, help='of the chunked form; default 512')
    parser.add_argument('--scaling-rows', type=_even, nargs='*', default=[1024, 2048, 4096, 8192, 16384])
    parser.add_argument('--memory-rows', type=_even, default=16384, help='0 for none; default 16384')
    parser.add_argument('--out', type=Path, action='append', default=[], help='FILE.json or FILE.md; may be repeated')
    options = parser.parse_args(arguments)
    if options.rows is None:
        options.rows = [256, 512, 1024, 4096] + ([16384, 65536] if options.device == 'cuda' else [])
    if wrong := [path for path in options.out if path.suffix not in ('.json', '.md')]:
        parser.error(f'--out takes FILE.json or FILE.md, got {wrong[0]}')
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    options = parse(arguments)
    report = run(options)
    for path in options.out:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) if path.suffix == '.json' else markdown(report))
    print(markdown(report))


def _settings(options: argparse.Namespace) -> dict:
    names = ('rows', 'regimes', 'repeats', 'budget', 'clock', 'threads', 'device', 'dimension', 'chunk_size')
    dtype = str(_dtype(options.device)).removeprefix('torch.')
    return {name: getattr(options, name) for name in names} | dict(dtype=dtype, rendering=RENDERING)


def _embeddings(regime: str, rows: int, options: argparse.Namespace) -> Embeddings:
    return make_embeddings(regime, rows, options.dimension, options.device, _dtype(options.device))


def _dtype(device: str) -> torch.dtype:
    return torch.bfloat16 if device == 'cuda' else torch.float32


def _even(text: str) -> int:
    value = int(text)
    if value < 0 or value % 2:
        raise argparse.ArgumentTypeError(f'rows are two views each, an even number, got {text}')
    return value


if __name__ == '__main__':
    main()
