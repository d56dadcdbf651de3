"""Collect the wheels that a machine without a network lacks, where Python and PyTorch are there already.

    python -m benchmarks.wheels --out wheels
    python -m benchmarks.wheels --out wheels --python 3.12 --there numpy,torch,torchvision,scipy,...

Run it where pip works. Then carry the folder over, and there:

    python -m pip install --no-index --no-deps --target site wheels/*.whl && export PYTHONPATH=site

All but rasterio, which reads the GeoTIFFs of the maps, are pure Python. Versions are those of constraints.txt. The
script follows what the wheels need in turn and names what is neither collected nor there.
"""

import argparse
import os
import re
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WANTED = 'onedl-mmengine onedl-mmcv onedl-mmpretrain onedl-mmsegmentation rasterio ftfy regex lightly'
# What images for training on GPUs usually hold; `--there` replaces the list.
THERE = (
    'attrs certifi click einops filelock fsspec markdown-it-py matplotlib mdurl numpy opencv-python packaging pillow '
    'platformdirs pygments pyparsing pytorch-lightning pyyaml requests rich safetensors scipy setuptools six torch '
    'torchmetrics torchvision tqdm typing-extensions urllib3'
)
# Needed by parts of the libraries that no benchmark imports.
NOT_NEEDED = 'hydra-core importlib-metadata lightly-utils mat4py model-index modelindex openxlab python-dateutil'
PLATFORMS = ('manylinux_2_28_x86_64', 'manylinux_2_27_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64')


def pinned(constraints: Path) -> dict[str, str]:
    """Return the pinned version of every distribution of a file of constraints."""
    lines = (line.split('#')[0].split(';')[0].strip() for line in constraints.read_text().splitlines())
    return {canonical(name): version for name, _, version in (line.partition('==') for line in lines) if version}


def canonical(name: str) -> str:
    """Return the one spelling of the name of a distribution."""
    return re.sub('[-_.]+', '-', name).lower()


def needs(wheel: Path) -> list[str]:
    """List what a wheel requires without extras, by name."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith('.dist-info/METADATA'))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    found = []
    for line in metadata.get_all('Requires-Dist') or ():
        requirement, _, marker = line.partition(';')
        if 'extra' not in marker and 'win32' not in marker and 'python_version <' not in marker.replace('"', ''):
            found.append(canonical(re.split(r'[\s<>=!~(\[]', requirement.strip())[0]))
    return found


def download(name: str, version: str | None, python: str, out: Path) -> Path | None:
    """Get one wheel without what it needs; return None if there is none for that Python."""
    pip, wanted = [sys.executable, '-m', 'pip'], f'{name}=={version}' if version else name
    other = ['--only-binary=:all:', '--python-version', python, '--implementation', 'cp']
    other += [part for platform in PLATFORMS for part in ('--platform', platform)]
    # What is published as source alone is built here, which serves another Python only if nothing was compiled.
    ways = (['download', '-d', str(out), *other], ['wheel', '-w', str(out), '--no-build-isolation'])
    for way in ways:
        before = set(out.glob('*.whl'))
        command = [*pip, *way, '--no-deps', wanted]
        subprocess.run(command, env={**os.environ, 'MMCV_WITH_OPS': '0'}, capture_output=True, check=False)
        for wheel in set(out.glob('*.whl')) - before:
            if way is ways[0] or wheel.name.endswith('-none-any.whl'):
                return wheel
            wheel.unlink()
    return None


def collect(out: Path, python: str, there: set[str]) -> tuple[list[Path], list[str]]:
    """Download all that is wanted and what it needs; return the wheels and the names that are missing."""
    versions = pinned(ROOT / 'constraints.txt')
    waiting, seen, wheels, missing = WANTED.split(), set(), [], []
    while waiting:
        name = waiting.pop(0)
        if name in seen or name in there or name in NOT_NEEDED.split():
            continue
        seen.add(name)
        wheel = download(name, versions.get(name), python, out)
        if wheel is None:
            missing.append(name)
            continue
        wheels.append(wheel)
        waiting += needs(wheel)
    return wheels, missing


def main(arguments: list[str] | None = None) -> int:
    """Collect, and say what is there and what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('wheels'), help='folder of the wheels, empty or new (wheels)')
    parser.add_argument('--python', default='3.12', help='version of Python on the other machine (3.12)')
    parser.add_argument('--there', default=THERE.replace(' ', ','), help='what it has already, separated by commas')
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if any(options.out.glob('*.whl')):
        parser.error(f'{options.out} holds wheels already, and two versions of one stop the installation; empty it')
    wheels, missing = collect(options.out, options.python, {canonical(name) for name in options.there.split(',')})
    for wheel in wheels:
        print(f'{wheel.stat().st_size / 2**20:7.1f} MiB  {wheel.name}')
    print(f'{sum(wheel.stat().st_size for wheel in wheels) / 2**20:7.1f} MiB  in {len(wheels)} wheels')
    for name in missing:
        print(f'missing: {name} has no wheel for Python {options.python}; bring it in another way', file=sys.stderr)
    return int(bool(missing))


if __name__ == '__main__':
    sys.exit(main())
