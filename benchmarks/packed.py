"""Opening a large data set, and the memory of its processes: packed patches against a list of files.

    python -m benchmarks.packed
    python -m benchmarks.packed --patches 1000000 --sparse --open-only

Makes patches, packs them (or, sparse, makes an array of nothing but zeros and no files), and opens each form
in a process of its own, which then reads all of it once with two workers. Private memory is what a process wrote for
itself. The rest of its resident memory is shared, or pages of files such as the array, which the system takes back when
memory is short.
"""

import argparse
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from projects.false.datasets.patches import UnlabelledPatches
from projects.false.datasets.seeding import SeededSampler
from projects.false.patch_folder.packed import DESCRIPTION, FORMAT, PackedPatches, write_index
from projects.false.patch_folder.packing import ArrayFile, pack

MEBI = 1 << 20


def make_patches(root: Path, count: int, size: int) -> None:
    """Write patches of smooth noise as PNG, and a list that names them all."""
    (root / 'images').mkdir()
    (root / 'splits').mkdir()
    generator = np.random.default_rng(0)
    with open(root / 'splits' / 'pretrain.txt', 'w') as names:
        for number in range(count):
            low = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            name = f'tile_{number // 576:04d}_{number % 576 // 24 * size}_{number % 24 * size}'
            cv2.imwrite(str(root / 'images' / f'{name}.png'), cv2.resize(low, (size, size)))
            names.write(f'{name}\n')


def make_sparse(root: Path, count: int, size: int) -> PackedPatches:
    """Make packed patches of zeros that take no space, with the names and the list of :func:`make_patches`."""
    out = root / 'packed'
    (root / 'splits').mkdir()
    (out / 'lists').mkdir(parents=True)
    stems = [f'tile_{number // 576:04d}_{number % 576 // 24 * size}_{number % 24 * size}' for number in range(count)]
    (root / 'splits' / 'pretrain.txt').write_text(''.join(f'{stem}\n' for stem in stems))
    with ArrayFile(out / 'images.npy', (count, size, size, 3)):
        pass
    os.truncate(out / 'images.npy', os.path.getsize(out / 'images.npy') + count * size * size * 3)
    write_index(out, sorted(f'{stem}.png' for stem in stems))
    files = {path.name: path.stat().st_size for path in out.glob('*.npy')}
    description = {'format': FORMAT, 'patches': count, 'shape': [size, size, 3], 'files': files, 'sources': {}}
    (out / DESCRIPTION).write_text(json.dumps(description))
    packed = PackedPatches(out)
    np.save(packed.stored_list((root / 'splits' / 'pretrain.txt').read_bytes()), packed.find(stems, root))
    return packed


def memory(process: int | str = 'self') -> tuple[float, float]:
    """Return resident and private memory of a process in MiB, from /proc."""
    fields = {}
    for line in Path('/proc', str(process), 'smaps_rollup').read_text().splitlines()[1:]:
        key, value = line.split(':')
        fields[key] = int(value.split()[0]) / 1024
    return fields['Rss'], fields['Private_Dirty']


def measure(root: str, packed: bool, ann_file: str, read: bool = True) -> dict:
    """Open one form in this process, and read it."""
    resident, before = memory()
    Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew here
    start = time.perf_counter()
    data = UnlabelledPatches(data_root=root, ann_file=ann_file, packed=packed, pipeline=[{'type': 'LoadPatch'}])
    opened = time.perf_counter() - start
    found = {'open': opened, 'private': memory()[1] - before, 'pickle': len(pickle.dumps(data)) / MEBI}
    status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
    found['peak'] = int(status['VmHWM'].split()[0]) / 1024 - resident
    if not read:
        return {**found, 'checksum': 0}
    options = {'num_workers': 2, 'collate_fn': pseudo_collate, 'persistent_workers': True}
    loader = DataLoader(data, 256, sampler=SeededSampler(data, seed=0), **options)
    start, batches = time.perf_counter(), iter(loader)
    checksum = sum(int(image[0, 0, 0]) for batch in batches for image in batch['img'])
    found['read'] = time.perf_counter() - start
    found['workers'] = [memory(worker.pid) for worker in batches._workers]
    return {**found, 'main': memory(), 'checksum': checksum}


def side(*what) -> dict:
    """Call :func:`measure` in a new process."""
    command = [sys.executable, '-m', 'benchmarks.packed', '--measure', json.dumps(what)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments: list[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--patches', type=int, default=100_000, help='number of patches (default: 100000)')
    parser.add_argument('--size', type=int, default=64, help='side in pixels (default: 64)')
    parser.add_argument('--sparse', action='store_true', help='packed only, zeros that take no space on the disk')
    parser.add_argument('--open-only', action='store_true', help='do not read the pixels')
    parser.add_argument('--folder', help='where the patches are made and removed (default: the temporary folder)')
    parser.add_argument('--measure', help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(*json.loads(options.measure))))
        return
    console = Console(width=110)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if not options.sparse:
            make_patches(Path(folder), options.patches, options.size)
        start = time.perf_counter()
        if options.sparse:
            packed = make_sparse(Path(folder), options.patches, options.size)
        else:
            packed, _ = pack(folder)
        seconds = time.perf_counter() - start
        total = sum(packed.description['files'].values()) / MEBI
        sides = {
            f'{form}, {name}': side(folder, form == 'packed', ann_file, not options.open_only)
            for name, ann_file in (('all', ''), ('by list', 'splits/pretrain.txt'))
            for form in (('packed',) if options.sparse else ('files', 'packed'))
        }
    if len({found['checksum'] for found in sides.values()}) != 1:
        raise SystemExit('error: the forms gave different pixels')
    table = Table('', *sides)
    rows = {
        'open, s': lambda found: f'{found["open"]:.3f}',
        'private memory then, MiB': lambda found: f'{found["private"]:.1f}',
        'most memory meanwhile, MiB': lambda found: f'{found["peak"]:.1f}',
        'pickle for a worker, MiB': lambda found: f'{found["pickle"]:.3f}',
    }
    reading = {
        'read all, patches/s': lambda found: f'{options.patches / found["read"]:.0f}',
        'main process, resident (private), MiB': lambda found: '{:.0f} ({:.0f})'.format(*found['main']),
        'one worker, resident (private), MiB': lambda found: '{:.0f} ({:.0f})'.format(*max(found['workers'])),
    }
    for title, show in {**rows, **({} if options.open_only else reading)}.items():
        table.add_row(title, *(show(found) for found in sides.values()))
    console.print(table)
    made = 'made sparse' if options.sparse else 'packed'
    console.print(
        f'{options.patches} patches of {options.size} px, {total:.0f} MiB, {made} in {seconds:.0f} s; '
        f'{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}, {date.today().isoformat()}'
    )


if __name__ == '__main__':
    main()
