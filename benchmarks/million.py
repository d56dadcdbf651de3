"""Data sets of up to a million patches: packing, opening, splitting, auditing and one epoch's sampling, as they grow.

    python -m benchmarks.million
    python -m benchmarks.million --patches 10000 100000 1000000 --folder /large/disk

Makes labelled patches with planted near duplicates, and does each step in a process of its own. Time is that of the
CPU, so that other load matters little; memory is the peak beyond the start; growth is the exponent of the number of
patches between two sizes, 1 for twice the time at twice the patches.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.mapping.measuring import peak_bytes, reset_peak
from projects.false.patch_folder.description import write_description

CLASSES = ('field', 'forest', 'water', 'building')
TRAINED = 0.8  # share of the patches
PLANTED = 100  # one patch for testing in so many shows a patch for training again
MEBI = 1 << 20
SAME = 1.15  # exponents up to here count as n log n at these sizes


def make_labelled(root: Path, count: int, size: int) -> int:
    """Write patches, masks, lists and dataset.json as a converter does; return the number of planted duplicates."""
    for folder in ('images', 'masks', 'splits'):
        (root / folder).mkdir(parents=True)
    generator, trained, patches = np.random.default_rng(0), round(TRAINED * count), []
    planted = range(trained, count, PLANTED)
    for number in range(count):
        name = f'tile_{number // 576:04d}_{number % 576 // 24 * size}_{number % 24 * size}'
        if number in planted:
            image = cv2.imread(str(root / 'images' / f'{patches[number - trained]["name"]}.png'))
            image = cv2.imdecode(cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR)
        else:
            image = cv2.resize(generator.integers(40, 216, (8, 8, 3), dtype=np.uint8), (size, size))
            grain = generator.integers(-30, 31, (size // 4, size // 4), dtype=np.int16).repeat(4, 0).repeat(4, 1)
            image = np.clip(image + grain[..., None], 0, 255).astype(np.uint8)
        mask = generator.integers(0, len(CLASSES), (2, 2), dtype=np.uint8).repeat(size // 2, 0).repeat(size // 2, 1)
        cv2.imwrite(str(root / 'images' / f'{name}.png'), image)
        cv2.imwrite(str(root / 'masks' / f'{name}.png'), mask)
        pixels = np.bincount(mask.ravel(), minlength=len(CLASSES)).tolist()
        split, place = 'train' if number < trained else 'test', (number % 576 // 24 * size, number % 24 * size)
        source = f'{split}_{number // 576:04d}'  # no tile is cut for both, so that no windows overlap
        patches.append({'name': name, 'split': split, 'source': source, 'row': place[0], 'col': place[1]})
        patches[-1]['pixels'] = [*pixels, 0]
    names = [patch['name'] for patch in patches]
    for split, chosen in {'train': names[:trained], 'test': names[trained:], 'pretrain': names[:trained]}.items():
        (root / 'splits' / f'{split}.txt').write_text(''.join(f'{name}\n' for name in chosen))
    description = {'classes': CLASSES, 'palette': 'made', 'patch_size': size, 'seed': 0, 'patches': patches}
    description['bands'] = {'count': 3, 'names': ['red', 'green', 'blue']}
    write_description(root / 'dataset.json', description)
    return len(planted)


def audit(root: Path) -> dict:
    """Audit the labels, near duplicates included."""
    from projects.false.label_audit.audit import audit_labels

    kinds = [finding.kind for finding in audit_labels(root).findings]
    return {'near duplicates': kinds.count('near duplicate') + kinds.count('identical')}


def pack(root: Path) -> dict:
    """Pack images and masks."""
    from projects.false.patch_folder.packing import pack

    pack(root)
    return {}


def open_packed(root: Path) -> dict:
    """Open the packed patches by a list, as a training does."""
    from projects.false.datasets.patches import UnlabelledPatches

    pipeline = [{'type': 'LoadPatch'}]
    data = UnlabelledPatches(data_root=str(root), ann_file='splits/pretrain.txt', packed=True, pipeline=pipeline)
    return {'patches': len(data)}


def split(root: Path) -> dict:
    """Draw lists of few labelled patches."""
    from projects.false.patch_folder.labelled_lists import write_lists

    return {'lists': len(write_lists(root, [0.01, 0.1], [1, 2, 3]))}


def sample(root: Path) -> dict:
    """Draw the order of one epoch, and every patch's seed."""
    from projects.false.datasets.seeding import SeededSampler

    count = len((root / 'splits' / 'pretrain.txt').read_text().splitlines())
    return {'indices': sum(1 for _ in SeededSampler(range(count), seed=0))}


STEPS: dict[str, Callable[[Path], dict]] = {
    'audit': audit,
    'pack': pack,
    'split': split,
    'open': open_packed,
    'one epoch sampled': sample,
}


def measure(step: str, root: Path) -> dict:
    """Do a step in this process; return CPU and wall seconds, bytes of memory, and what it found."""
    import projects.false.datasets
    import projects.false.label_audit.audit  # noqa: F401  # imports are not part of a step

    before, wall, cpu = reset_peak('cpu'), time.perf_counter(), time.process_time()
    found = STEPS[step](root)
    spent = {'cpu': time.process_time() - cpu, 'wall': time.perf_counter() - wall}
    return {**spent, 'memory': peak_bytes('cpu') - before, **found}


def in_a_process(step: str, root: Path) -> dict:
    """Call :func:`measure` in a new process."""
    command = [sys.executable, '-m', 'benchmarks.million', '--step', step, '--folder', str(root)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    return json.loads(done.stdout.splitlines()[-1])


def disk(root: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(os.stat(os.path.join(path, name)).st_size for path, _, names in os.walk(root) for name in names)


def growth(small: float, large: float, sizes: tuple[int, int]) -> float | None:
    """Return the exponent with which a number grows between two sizes; None where it is too small to say."""
    return math.log(large / small) / math.log(sizes[1] / sizes[0]) if min(small, large) > 0.05 else None


def table_of(found: dict[int, dict[str, dict]]) -> Table:
    """Tabulate all steps and sizes."""
    table = Table('step', 'patches', 'CPU s', 'wall s', 'memory, MiB', 'growth of CPU time', 'of memory', 'found')
    sizes = list(found)
    for step in found[sizes[0]]:
        for before, size in zip([None, *sizes], sizes, strict=False):
            cell, grown = found[size][step], ['', '']
            if before is not None:
                for place, (key, unit) in enumerate((('cpu', 1), ('memory', 20 * MEBI))):
                    exponent = growth(found[before][step][key] / unit, cell[key] / unit, (before, size))
                    grown[place] = '-' if exponent is None else f'{exponent:.2f}'
            more = ', '.join(f'{value} {key}' for key, value in cell.items() if key not in ('cpu', 'wall', 'memory'))
            numbers = f'{cell["cpu"]:.2f}', f'{cell["wall"]:.2f}', f'{cell["memory"] / MEBI:.0f}'
            table.add_row(step, f'{size:,}', *numbers, *grown, more)
    return table


def main(arguments: list[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--patches', type=int, nargs='+', default=[10_000, 100_000], help='default: 10000 100000')
    parser.add_argument('--size', type=int, default=64, help='side in pixels (default: 64)')
    parser.add_argument('--folder', help='where the patches are made and removed (default: the temporary folder)')
    parser.add_argument('--step', choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        print(json.dumps(measure(options.step, Path(options.folder))))
        return
    found: dict[int, dict[str, dict]] = {}
    console, lines = Console(width=130), []
    for count in sorted(options.patches):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            root = Path(folder, 'data')
            planted = make_labelled(root, count, options.size)
            files = disk(root)
            found[count] = {}
            for step in STEPS:
                found[count][step] = in_a_process(step, root)
                print(f'{count:,} patches, {step}: {found[count][step]["wall"]:.1f} s', file=sys.stderr)
            packed = disk(root / 'packed')
        lines.append(f'{count:,} patches: {files / MEBI:,.0f} MiB as files, {packed / MEBI:,.0f} packed, ')
        lines[-1] += f'{planted} near duplicates planted'
    console.print(table_of(found))
    sizes = sorted(found)
    for before, size in pairwise(sizes):
        for step, cell in found[size].items():
            exponent = growth(found[before][step]['cpu'], cell['cpu'], (before, size))
            if exponent is not None and exponent > SAME:
                lines.append(f'MISSED {step}: grows by n^{exponent:.2f} from {before:,} to {size:,} patches')
    lines.append(
        f'{options.size} px; {os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}, '
        f'{date.today().isoformat()}'
    )
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
