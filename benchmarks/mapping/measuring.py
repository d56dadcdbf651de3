"""One side on one image, in a process of its own: time, work of the model, peak memory."""

import ctypes
import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')


class Cell(NamedTuple):
    """Measurement of one side on one image.

    Args:
        side: One of the sides.
        source: The image.
        out: Path of its map.
        window: Side of the windows in pixels.
        overlap: Share that neighbouring windows have in common.
        blend: Blending of our side.
    """

    side: str
    source: str
    out: str
    window: int
    overlap: float
    blend: str = 'uniform'


def in_a_process(cell: Cell, files: tuple[str, str], device: str, threads: int) -> dict:
    """Measure in a new process; see :func:`measure`."""
    command = [sys.executable, '-m', 'benchmarks.mapping.measuring', json.dumps([cell, files, device, threads])]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(cell: Cell, files: tuple[str, str], device: str, threads: int) -> dict:
    """Measure in this process, after one window to warm up.

    Returns:
        ``wall`` and ``cpu`` seconds, ``model wall`` of the model alone, number of ``windows``, and ``peak``, the bytes
        beyond those resident before (on a GPU, beyond those allocated before).
    """
    from .sides import build

    torch.set_num_threads(threads)
    model, run = build(cell.side, files, device, cell.window, cell.overlap, cell.blend)
    inner = model.encode_decode
    with torch.no_grad():
        first = torch.zeros((1, 3, cell.window, cell.window), device=device)
        inner(first, [{'img_shape': first.shape[2:]}])
    spent = {'windows': 0, 'model wall': 0.0}

    def counted(inputs: torch.Tensor, metas: list) -> torch.Tensor:
        started = time.perf_counter()
        logits = inner(inputs, metas)
        if device == 'cuda':
            torch.cuda.synchronize()
        spent['windows'] += len(inputs)
        spent['model wall'] += time.perf_counter() - started
        return logits

    model.encode_decode = counted
    before = reset_peak(device)
    wall, cpu = time.perf_counter(), time.process_time()
    run(Path(cell.source), Path(cell.out))
    return {
        'wall': time.perf_counter() - wall,
        'cpu': time.process_time() - cpu,
        **spent,
        'peak': peak_bytes(device) - before,
    }


def reset_peak(device: str) -> int:
    """Let the peak of memory start anew, and return the memory in use now, in bytes."""
    gc.collect()
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim:
        trim(0)
    if CLEAR.exists():
        CLEAR.write_text('5')  # the peak starts anew from what is resident now
    return peak_bytes(device)


def peak_bytes(device: str) -> int:
    """Return the peak of memory since the last reset, in bytes; 0 where the system does not know it."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated()
    if not STATUS.exists():
        return 0
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith('VmHWM'))
    return int(line.split()[1]) * 1024


if __name__ == '__main__':
    cell, *rest = json.loads(sys.argv[1])
    print(json.dumps(measure(Cell(*cell), *rest)))
