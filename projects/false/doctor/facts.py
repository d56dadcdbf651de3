"""Collect the facts that the checks need: installed versions, requirements and the machine.

Requirements and versions are parsed here, since the package ``packaging`` may be missing.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from .probe import MODULES, Outcome, run_probe

ROOT = Path(__file__).resolve().parents[3]  # of this repository


class Requirement(NamedTuple):
    """One line of a requirements file.

    Args:
        name: Normalised name of the distribution.
        bounds: Pairs of operator and version, such as ``('>=', '2.6')``.
    """

    name: str
    bounds: tuple


class Facts(NamedTuple):
    """A snapshot of an environment.

    Args:
        python: Version of Python.
        executable: Path of that Python.
        root: Root of this repository.
        distributions: Normalised name -> version of every installed distribution.
        providers: Top-level module -> distributions that provide it.
        outcomes: Label -> :class:`Outcome` of its import.
        requirements: Content of ``requirements.txt``.
        has_driver: True if NVIDIA's tools are on the path.
        unwritable: Folder that a run must write to but cannot -> reason.
        free_disk: Free bytes where a run writes.
        shared_memory: Free bytes in ``/dev/shm``; None where there is no such folder.
        cores: CPU cores this process may use.
    """

    python: tuple
    executable: str
    root: str
    distributions: dict[str, str]
    providers: dict[str, list[str]]
    outcomes: dict[str, Outcome]
    requirements: list[Requirement]
    has_driver: bool = False
    unwritable: dict[str, str] = {}  # noqa: RUF012 - never changed
    free_disk: int = 1 << 40
    shared_memory: int | None = None
    cores: int = 8


def collect(timeout: float = 300.0) -> Facts:
    """Examine the running Python, the current folder and the machine.

    Args:
        timeout: Time limit for all imports together, in seconds.
    """
    installed = installed_distributions()
    here = os.getcwd()
    shared_memory = Path('/dev/shm')
    return Facts(
        python=tuple(sys.version_info[:3]),
        executable=sys.executable,
        root=str(ROOT),
        distributions=installed,
        providers=module_providers(),
        outcomes=run_probe(str(ROOT), timeout),
        requirements=read_requirements(),
        has_driver=shutil.which('nvidia-smi') is not None,
        unwritable=unwritable_folders([here, os.path.join(here, 'work_dirs')]),
        free_disk=shutil.disk_usage(here).free,
        shared_memory=shutil.disk_usage(shared_memory).free if shared_memory.is_dir() else None,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1,
    )


def installed_distributions() -> dict[str, str]:
    """Return name and version of every installed distribution; as for imports, the first one on the path counts."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name, version = distribution.metadata['Name'], distribution.version
        if name and version:  # an interrupted uninstall leaves folders without either
            found.setdefault(normalise(name), version)
    return found


def module_providers() -> dict[str, list[str]]:
    """Return the distributions that provide each module of :data:`.probe.MODULES`."""
    modules = {module.split('.')[0] for module in MODULES.values()}
    try:
        providers = metadata.packages_distributions()
    except AttributeError:  # Python 3.9 and before
        return {}
    return {module: sorted({normalise(name) for name in providers.get(module, ())}) for module in modules}


def read_requirements() -> list[Requirement]:
    """Read the requirements of the repository, or of the installed package where there is no repository."""
    file = ROOT / 'requirements.txt'
    if file.is_file():
        return parse_requirements(file.read_text(encoding='utf-8'))
    try:
        return parse_requirements('\n'.join(metadata.requires('false-rs') or ()))
    except metadata.PackageNotFoundError:
        return []


def unwritable_folders(folders: list[str]) -> dict[str, str]:
    """Try to write into each existing folder and return the failures, as folder -> reason.

    Permissions alone say too little on network and read-only disks.
    """
    failures = {}
    for folder in folders:
        if not os.path.exists(folder):
            continue
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            failures[folder] = error.strerror or str(error)
    return failures


def normalise(name: str) -> str:
    """Return a distribution's name as the package index spells it: ``Foo_Bar`` -> ``foo-bar``."""
    return re.sub(r'[-_.]+', '-', name).lower()


def parse_requirements(text: str) -> list[Requirement]:
    """Parse a requirements file; comments, options and environment markers are ignored."""
    requirements = []
    for line in text.splitlines():
        line = re.split(r'[#;]', line)[0]
        match = re.match(r'\s*([A-Za-z0-9][\w.-]*)(.*)', line)
        if match:
            bounds = tuple(re.findall(r'(==|!=|>=|<=|>|<)\s*([\w.+!]+)', match.group(2)))
            requirements.append(Requirement(normalise(match.group(1)), bounds))
    return requirements


def version_key(version: str) -> tuple:
    """Return a sort key: numbers by value, pre-releases before their release, local parts (``+cpu``) ignored.

    Raises:
        ValueError: The text does not start with a number.
    """
    match = re.match(r'v?(\d+(?:\.\d+)*)(.*)', version.split('+')[0].strip())
    if match is None:
        raise ValueError(f'version is {version!r}; it should start with a number')
    numbers = [int(number) for number in match.group(1).split('.')]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    early = re.match(r'[-_.]?(a|b|c|rc|alpha|beta|pre|dev)', match.group(2)) is not None
    return (tuple(numbers), not early)


def broken_bounds(version: str, bounds: tuple) -> list[str]:
    """Return the bounds that a version violates, as text such as ``'>=2.6'``."""
    found = version_key(version)
    keeps = {
        '==': lambda limit: found == limit,
        '!=': lambda limit: found != limit,
        '>=': lambda limit: found >= limit,
        '<=': lambda limit: found <= limit,
        '>': lambda limit: found > limit,
        '<': lambda limit: found < limit,
    }
    return [operator + limit for operator, limit in bounds if not keeps[operator](version_key(limit))]
