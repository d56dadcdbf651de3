"""Everything that only a GPU can answer, in one call: is it right, is it fast, what waits.

    python -m benchmarks.gpu --out work_dirs/gpu
    python -m benchmarks.gpu --out work_dirs/gpu --parts losses views training --minutes 4
    python -m benchmarks.gpu --size tiny --out /tmp/gpu          # on any CPU: do the parts run?

Every part runs in a process of its own, with a share of the time, and writes its results one by one: a part that fails,
hangs or runs out of memory loses only what it had not measured yet. OUT gets `report.json`, `report.md` and what each
part printed. docs/benchmarks.md describes the parts; `python -m benchmarks.wheels` collects what a machine without
a network lacks.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Part(NamedTuple):
    """A part of the benchmark.

    Args:
        question: The heading that it is reported under.
        module, function: Where it is, below ``benchmarks.device``.
        seconds: Its share of eight minutes.
    """

    question: str
    module: str
    function: str
    seconds: int


PARTS = {  # in the order of what would be missed most
    'losses': Part('right', 'right', 'losses', 30),
    'views': Part('right', 'right', 'views', 20),
    'training': Part('right', 'right', 'training', 75),
    'speed': Part('fast', 'fast', 'training', 95),
    'loss speed': Part('fast', 'fast', 'loss', 35),
    'waits': Part('what waits', 'fast', 'waiting', 50),
    'map': Part('right', 'right', 'maps', 25),
    'map speed': Part('fast', 'fast', 'maps', 55),
    'processes': Part('right', 'right', 'processes', 25),
    'resume': Part('right', 'right', 'resume', 40),
    'segmentation speed': Part('fast', 'fast', 'segmentation', 25),
    'compile': Part('right', 'right', 'compiled', 60),
}
EIGHT_MINUTES = 480


def measure(name: str, size: str, folder: Path, seconds: float) -> Iterator[Any]:
    """Measure one part in this process and yield its rows."""
    import importlib

    import cv2
    import torch

    from benchmarks.device.made import Setting

    cv2.setNumThreads(0)  # this and the next line as the recipes have them
    torch.backends.cudnn.benchmark = True
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    part = PARTS[name]
    function: Callable[[Any], Iterator[Any]] = getattr(
        importlib.import_module(f'benchmarks.device.{part.module}'), part.function
    )
    yield from function(Setting(folder, device, size == 'tiny', seconds))


def in_a_process(name: str, options: argparse.Namespace, scratch: Path, seconds: float, limit: float) -> dict:
    """Measure one part in a process of its own, and end it with all of its children when its time is over."""
    folder, rows, log = scratch / name.replace(' ', '_'), scratch / f'{name}.jsonl', options.out / f'{name}.log'
    folder.mkdir()
    command = [
        sys.executable,
        '-m',
        'benchmarks.gpu',
        '--part',
        name,
        '--size',
        options.size,
        '--out',
        str(options.out),
    ]
    command += ['--scratch', str(folder), '--rows', str(rows), '--seconds', str(seconds)]
    start, end = time.monotonic(), 'done'
    with log.open('w') as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, start_new_session=True)
        try:
            if process.wait(limit):
                last = [line for line in log.read_text(errors='replace').splitlines() if line.strip()][-1:]
                end = f'failed: {last[0][:300] if last else f"status {process.returncode}"}'
        except subprocess.TimeoutExpired:
            end = f'stopped after {limit:.0f} s'
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    found = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    return dict(part=name, question=PARTS[name].question, end=end, seconds=time.monotonic() - start, rows=found)


def facts() -> dict[str, Any]:
    """Return the machine, the versions, and the settings on which numbers depend."""
    import torch

    from benchmarks.losses.machine import machine_facts
    from projects.false.engine.precision import gpu_has_bfloat16

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return {
        **machine_facts(device),
        'device': device,
        'cuda': str(torch.version.cuda),
        'bfloat16': gpu_has_bfloat16(),
        'TF32 in convolutions': torch.backends.cudnn.allow_tf32,
        'TF32 in matrix products': torch.backends.cuda.matmul.allow_tf32,
    }


def markdown(report: dict) -> str:
    """Write the report as tables."""
    machine = report['machine']
    lines = [
        f'{machine.get("processor", "unknown")}, {machine.get("cores", "?")} cores, {machine.get("versions", "")}, '
        f'size {report["size"]}, {report["seconds"]:.0f} s in all, {machine.get("date", "")}',
        '',
    ]
    for question in dict.fromkeys(part['question'] for part in report['parts']):
        lines += [f'**{question}**', '', '| part | measured | found | goal | |', '| --- | --- | --- | --- | --- |']
        for part in report['parts']:
            if part['question'] != question:
                continue
            for row in part['rows']:
                met = {True: 'met', False: 'MISSED', None: ''}[row['met']]
                cells = (part['part'], row['what'], row['found'], row['goal'], met)
                lines.append('| ' + ' | '.join(cell.replace('|', '/').replace('\n', ' ') for cell in cells) + ' |')
            if part['end'] != 'done':
                end = part['end'].replace('|', '/')
                lines.append(f'| {part["part"]} | the part itself | {end} | | NOT DONE |')
        lines.append('')
    return '\n'.join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure all parts, print and write the report; return 0 if every part came to its end."""
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.part:
        from benchmarks.device.made import write_rows

        try:
            write_rows(options.rows, measure(options.part, options.size, options.scratch, options.seconds))
        except Exception as error:
            traceback.print_exc()
            print(f'{type(error).__name__}: {error}'.replace('\n', ' '))  # the last line is what the report quotes
            return 1
        return 0
    start, whole = time.monotonic(), 60 * options.minutes
    report: dict[str, Any] = dict(size=options.size, minutes=options.minutes, machine={}, parts=[], seconds=0)
    try:
        report['machine'] = facts()
    except Exception as error:
        report['machine'] = dict(processor=f'unknown ({error})')
    with tempfile.TemporaryDirectory() as name:
        for part in options.parts:
            left = whole - (time.monotonic() - start) - 2
            seconds = PARTS[part].seconds * whole / EIGHT_MINUTES
            if left < min(10, seconds):
                found = dict(
                    part=part, question=PARTS[part].question, end='not started: no time left', seconds=0, rows=[]
                )
            else:
                # A part may take half as long again as its share, which others that end early leave.
                found = in_a_process(part, options, Path(name), seconds, min(1.5 * seconds, left))
            report['parts'].append(found)
            report['seconds'] = time.monotonic() - start
            print(f'{part}: {found["end"]}, {found["seconds"]:.0f} s', file=sys.stderr, flush=True)
            (options.out / 'report.json').write_text(json.dumps(report, indent=1))
            (options.out / 'report.md').write_text(markdown(report))
    print(markdown(report))
    return int(any(part['end'] != 'done' for part in report['parts']))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/gpu'), help='folder of the report (work_dirs/gpu)')
    parser.add_argument('--parts', nargs='+', choices=list(PARTS), default=list(PARTS), help='default: all')
    parser.add_argument('--minutes', type=float, default=8, help='limit of the whole run, which the parts share (8)')
    parser.add_argument('--size', choices=['full', 'tiny'], default='full', help='tiny: to see that all parts run')
    for hidden, kind in (('--part', str), ('--scratch', Path), ('--rows', Path), ('--seconds', float)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.minutes <= 0:
        parser.error(f'--minutes is above 0, got {options.minutes:g}')
    options.out = options.out.resolve()
    return options


if __name__ == '__main__':
    sys.exit(main())
