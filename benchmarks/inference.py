"""Mapping speed and memory against mmseg's slide mode and mmseg's RSInferencer.

    python -m benchmarks.inference CONFIG CHECKPOINT
    python -m benchmarks.inference CONFIG CHECKPOINT --sizes 2048 --overlaps 0.25 --parts speed
    python -m benchmarks.inference CONFIG CHECKPOINT --parts memory

Every side maps the same synthetic GeoTIFF to a GeoTIFF with the same model, windows and stride, blended uniformly, in
a process of its own. CPU time is that of the whole process, so that other load on the machine matters little.
docs/maps.md has the table to expect.
"""

import argparse
import os
import sys
import tempfile
from datetime import date
from pathlib import Path

import rasterio
import torch
from rich.console import Console

from benchmarks.losses.machine import machine_facts
from benchmarks.mapping.flat_memory import peak_of
from benchmarks.mapping.made_scene import write_scene
from benchmarks.mapping.measuring import Cell, in_a_process
from benchmarks.mapping.report import (
    Setting,
    goals,
    memory_lines,
    memory_table,
    seam_table,
    speed_table,
)
from benchmarks.mapping.sides import MIXED, OURS, SIDES, SLIDE, WHOLE
from projects.false.engine.precision import cpu_has_bfloat16

SEAMS = (('uniform', 0), ('uniform', 0.25), ('smooth', 0.25), ('uniform', 0.5), ('smooth', 0.5))


def agreement(path: Path, other: Path) -> float:
    """Return the share of pixels with the same class in two maps."""
    with rasterio.open(path) as first, rasterio.open(other) as second:
        return float((first.read(1) == second.read(1)).mean())


def measure_speed(folder: Path, files: tuple[str, str], device: str, options: argparse.Namespace) -> tuple[dict, dict]:
    """Measure all sides at all sizes and overlaps, and the agreement of their maps with that of slide mode."""
    found, same = {}, {}
    for size in options.sizes:
        source = folder / f'{size}.tif'
        write_scene(source, size)
        for overlap in options.overlaps:
            setting, maps = Setting(size, overlap), {}
            for side in options.sides:
                maps[side] = folder / f'map_{len(maps)}.tif'
                cell = Cell(side, str(source), str(maps[side]), options.window, overlap)
                found[setting, side] = in_a_process(cell, files, device, options.threads)
            if SLIDE in maps:
                same |= {(setting, side): agreement(path, maps[SLIDE]) for side, path in maps.items() if side != SLIDE}
    return found, same


def measure_seams(folder: Path, files: tuple[str, str], device: str, options: argparse.Namespace) -> dict:
    """Measure the share of pixels whose class differs from that of the whole image at once, by blend and overlap."""
    source, whole = folder / 'seams.tif', folder / 'whole.tif'
    write_scene(source, options.seam_size)

    def run(side: str, out: Path, overlap: float, blend: str) -> None:
        in_a_process(Cell(side, str(source), str(out), options.window, overlap, blend), files, device, options.threads)

    run(WHOLE, whole, 0, 'uniform')
    shares = {}
    for blend, overlap in SEAMS:
        out = folder / f'{blend}_{overlap}.tif'
        run(OURS, out, overlap, blend)
        shares[blend, overlap] = 1 - agreement(out, whole)
    return shares


def measure_memory(folder: Path, options: argparse.Namespace) -> dict:
    """Measure peak memory by size of the image."""
    peaks = {}
    for size in options.memory_sizes:
        source = folder / f'memory_{size}.tif'
        write_scene(source, size)
        peaks[size] = peak_of(source, folder / f'memory_{size}', options.window, options.threads)
        source.unlink()
    return peaks


def usable_sides(device: str) -> list[str]:
    """Return the sides that are measured unless some are named: no bfloat16 on a processor that must emulate it."""
    return [side for side in SIDES if side != MIXED or device == 'cuda' or cpu_has_bfloat16()]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a fine-tuning recipe, such as configs/upernet_r18_synthetic.py')
    parser.add_argument('checkpoint', help='the checkpoint of its training')
    parser.add_argument('--parts', nargs='+', choices=['speed', 'seams', 'memory'], help='default: all')
    parser.add_argument('--sizes', type=int, nargs='+', default=[2048, 4096], help='sides of the images (2048 4096)')
    parser.add_argument('--overlaps', type=float, nargs='+', default=[0.25, 0.5], help='0.25 0.5')
    parser.add_argument('--sides', nargs='+', choices=SIDES, help='default: all that the processor is made for')
    parser.add_argument('--window', type=int, default=256, help='side of the windows (256)')
    parser.add_argument('--seam-size', type=int, default=1024, help='side of the image for the seams (1024)')
    parser.add_argument('--memory-sizes', type=int, nargs='+', default=[2000, 8000, 20000], help='2000 8000 20000')
    parser.add_argument('--threads', type=int, default=1, help='of the model (1)')
    parser.add_argument('--folder', help='where images and maps are made and removed (default: the temporary folder)')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print tables and goals."""
    options = parse_arguments(arguments)
    parts = options.parts or ['speed', 'seams', 'memory']
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    options.sides = options.sides or usable_sides(device)
    files = str(Path(options.config).resolve()), str(Path(options.checkpoint).resolve())
    console, lines = Console(width=None if sys.stdout.isatty() else 140), []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        if 'speed' in parts:
            found, same = measure_speed(folder, files, device, options)
            console.print(speed_table(found, same))
            lines += goals(found, same, options.window)
        if 'seams' in parts:
            console.print(seam_table(measure_seams(folder, files, device, options), options.seam_size))
        if 'memory' in parts:
            peaks = measure_memory(folder, options)
            console.print(memory_table(peaks, options.window))
            lines += memory_lines(peaks)
    print('\n'.join(lines))
    facts = machine_facts(device)
    console.print(
        f'windows of {options.window} pixels, {options.threads} thread(s) of the model; {facts["processor"]}, '
        f'{facts["cores"]} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, {date.today().isoformat()}'
    )


if __name__ == '__main__':
    main()
