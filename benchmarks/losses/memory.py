"""Peak extra memory of one forward and backward pass of `anchor_nearest`, in a process of its own on the CPU.

On a CPU it is VmHWM of Linux, the peak of resident memory, less what is resident after importing, making the
projections and a first small step. On a GPU it is `torch.cuda.max_memory_allocated` less what was allocated before.
"""

import argparse
import ctypes
import gc
import subprocess
import sys
from pathlib import Path

import torch

from .embeddings import make_embeddings
from .sides import false_loss
from .timing import step_seconds

REPOSITORY = Path(__file__).resolve().parents[2]
STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')


def peak_extra_bytes(rows: int, chunk_size: int | None, device: str, threads: int) -> int | None:
    """Measure in a new process; None for a CPU where the system has no /proc."""
    if device == 'cpu' and not STATUS.exists():
        return None
    arguments = ['--rows', str(rows), '--device', device, '--threads', str(threads)]
    if chunk_size is not None:
        arguments += ['--chunk-size', str(chunk_size)]
    command = [sys.executable, '-m', 'benchmarks.losses.memory', *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1])


def measure(rows: int, chunk_size: int | None, device: str) -> int:
    """Measure in this process."""
    dtype = torch.float32 if device == 'cpu' else torch.bfloat16
    loss = false_loss('anchor_nearest', chunk_size)

    def step(values: torch.Tensor) -> None:
        half = len(values) // 2
        step_seconds(lambda: loss(values[:half], values[half:]), values)

    step(make_embeddings('nearest', 64, device=device, dtype=dtype).rows)
    values = make_embeddings('nearest', rows, device=device, dtype=dtype).rows
    if device == 'cpu':
        _return_free_memory()
        CLEAR.write_text('5')  # the peak starts anew from what is resident now
        before = _peak()
        step(values)
        return _peak() - before
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step(values)
    return torch.cuda.max_memory_allocated() - before


def _return_free_memory() -> None:
    """Return freed memory to the system, since the step would reuse what glibc keeps of it."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim:
        trim(0)


def _peak() -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith('VmHWM'))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Print the bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rows', type=int, default=16384)
    parser.add_argument('--chunk-size', type=int)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(measure(options.rows, options.chunk_size, options.device))


if __name__ == '__main__':
    main()
