"""Check Python, packages, the project and the machine: pure functions from facts to problems."""

from __future__ import annotations

import os
import re
import shlex
from typing import NamedTuple

from .facts import Facts, broken_bounds, version_key
from .probe import DISTRIBUTIONS, MODULES

LEVELS = ('error', 'warning', 'info')
LOWEST_PYTHON = (3, 10)
# Distributions that install into the same folders: whichever came last has overwritten part of the other.
OVERWRITTEN = {
    'onedl-mmengine': ('mmengine', 'mmengine-lite'),
    'onedl-mmcv': ('mmcv', 'mmcv-lite', 'mmcv-full'),
    'onedl-mmpretrain': ('mmpretrain',),
    'onedl-mmsegmentation': ('mmsegmentation',),
    'onedl-mim': ('openmim',),
}
OBSOLETE = {'mmcls': 'mmpretrain', 'mmselfsup': 'mmpretrain'}
OPENCV = ('opencv-python', 'opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless')
NUMPY_ERRORS = ('multiarray', '_ARRAY_API', 'numpy.dtype size changed', 'NumPy 1.x', 'Numpy is not available')
GIB = 1 << 30


class Problem(NamedTuple):
    """A problem, present or expected.

    Args:
        level: ``'error'``: training will fail; ``'warning'``: training may fail or be slow; ``'info'``: worth knowing.
        what: What is wrong.
        remedy: The command or setting that fixes it.
    """

    level: str
    what: str
    remedy: str = ''


def check_all(facts: Facts) -> list[Problem]:
    """Run every check and return the problems, errors first.

    A failed import is left out where another check knows its cause and quotes it.
    """
    with_cause = (check_python, check_twins, check_opencv, check_bounds, check_numpy, check_torch_pair)
    problems = [problem for check in with_cause for problem in check(facts)]
    quoted = ' '.join(problem.what for problem in problems)
    problems += [problem for problem in check_imports(facts) if problem.what.split(': ', 1)[-1] not in quoted]
    problems += check_project(facts) + check_machine(facts)
    return sorted(problems, key=lambda problem: LEVELS.index(problem.level))


def check_python(facts: Facts) -> list[Problem]:
    """Check that Python is one the project supports."""
    if facts.python >= LOWEST_PYTHON:
        return []
    found = '.'.join(map(str, facts.python))
    return [Problem('error', f'Python {found}; 3.10 or later is needed', 'make setup PYTHON=python3.11')]


def check_twins(facts: Facts) -> list[Problem]:
    """Find OpenMMLab's own distributions beside, or in place of, the maintained ones with the same import names."""
    problems = []
    for ours, theirs in OVERWRITTEN.items():
        rivals = [name for name in theirs if name in facts.distributions]
        if not rivals:
            continue
        both = [name for name in (*rivals, ours) if name in facts.distributions]
        why = 'they overwrite each other' if len(both) > 1 else f'{ours} is needed in its place'
        problems.append(Problem('error', f'{" and ".join(both)} installed: {why}', reinstall(facts, both, ours)))
    for name, successor in OBSOLETE.items():
        if name in facts.distributions:
            remedy = pip(facts, f'uninstall -y {name}')
            problems.append(Problem('warning', f'{name} installed: {successor} has replaced it', remedy))
    return problems


def check_opencv(facts: Facts) -> list[Problem]:
    """Find several builds of OpenCV: they share one folder, so removing one of them breaks the others."""
    found = [name for name in OPENCV if name in facts.distributions]
    if len(found) < 2:
        return []
    outcome = facts.outcomes.get('opencv')
    level = 'warning' if outcome is not None and outcome.ok else 'error'
    what = f'{" and ".join(found)} installed: they overwrite each other'
    return [Problem(level, what, reinstall(facts, found, 'opencv-python'))]


def check_bounds(facts: Facts) -> list[Problem]:
    """Find missing distributions and versions outside the bounds of requirements.txt.

    A version that is too old is an error, since every lower bound has a reason. One that is too new is a warning,
    since nobody has tried it.
    """
    problems, missing = [], []
    label_of = {distribution: label for label, distribution in DISTRIBUTIONS.items()}
    for name, bounds in facts.requirements:
        version = facts.distributions.get(name)
        if version is None:
            outcome = facts.outcomes.get(label_of.get(name, ''))
            if outcome is None or not outcome.ok:  # another build, such as opencv-python-headless, may stand in
                missing.append(name)
            continue
        broken = broken_bounds(version, bounds)
        if broken:
            level = 'error' if any(bound.startswith(('>', '==')) for bound in broken) else 'warning'
            what = f'{name} {version} is installed, {", ".join(broken)} is needed'
            problems.append(Problem(level, what, install(facts, name)))
    if missing:
        problems.insert(0, Problem('error', f'not installed: {", ".join(missing)}', install(facts)))
    return problems


def check_numpy(facts: Facts) -> list[Problem]:
    """Find the first package that was built for another NumPy; later failures follow from it."""
    for label, outcome in facts.outcomes.items():
        if not outcome.ok and any(text in str(outcome.value) for text in NUMPY_ERRORS):
            partner = DISTRIBUTIONS.get(label, 'torch')
            what = f'numpy {facts.distributions.get("numpy", "?")} does not fit {partner}: {outcome.value}'
            return [Problem('error', what, install(facts, f'--force-reinstall --no-deps numpy {partner}'))]
    return []


def check_torch_pair(facts: Facts) -> list[Problem]:
    """Check that torch 2.N has torchvision 0.(N + 15) beside it; other pairs lose the compiled operators."""
    torch, vision = facts.distributions.get('torch'), facts.distributions.get('torchvision')
    loaded = facts.outcomes.get('torch')
    if torch is None or vision is None or loaded is None or not loaded.ok:
        return []  # other checks report a package that is missing or broken
    operator = facts.outcomes.get('torchvision operator') or facts.outcomes.get('torchvision')
    works = operator is not None and operator.ok
    if works and _built_together(torch, vision):
        return []
    what = f'torch {torch} and torchvision {vision} do not fit together'
    if operator is not None and not works:
        what += f': {operator.value}'
    remedy = reinstall(facts, ['torch', 'torchvision'], 'torch torchvision')
    return [Problem('warning' if works else 'error', what, remedy)]


def _built_together(torch: str, vision: str) -> bool:
    torch_numbers = (*version_key(torch)[0], 0, 0)
    vision_numbers = (*version_key(vision)[0], 0, 0)
    return torch_numbers[0] != 2 or vision_numbers[:2] == (0, torch_numbers[1] + 15)


def check_imports(facts: Facts) -> list[Problem]:
    """Find packages that are installed but cannot be imported; those with the same error make one problem."""
    failed: dict[str, list[str]] = {}  # error -> labels
    for label in MODULES:
        outcome = facts.outcomes.get(label)
        if outcome is not None and not outcome.ok and _is_installed(facts, label):
            failed.setdefault(str(outcome.value), []).append(label)
    problems = []
    for error, labels in failed.items():
        absent = re.search(r"No module named '(\w+)", error)
        cause = _label_of(absent.group(1)) if absent else None
        if cause is not None and not _is_installed(facts, cause):
            continue  # check_bounds reports the missing package
        remedy = install(facts) if absent else reinstall(facts, [DISTRIBUTIONS[labels[0]]])
        problems.append(Problem('error', f'import {", ".join(MODULES[label] for label in labels)}: {error}', remedy))
    untried = [label for label in MODULES if label not in facts.outcomes]
    if untried:
        problems.append(Problem('error', f'not reached: {", ".join(untried)}', 'fix the rest, then run this again'))
    return problems


def _label_of(module: str) -> str | None:
    return next((label for label, name in MODULES.items() if name.split('.')[0] == module), None)


def _is_installed(facts: Facts, label: str) -> bool:
    return DISTRIBUTIONS[label] in facts.distributions or bool(facts.providers.get(MODULES[label].split('.')[0]))


def check_project(facts: Facts) -> list[Problem]:
    """Check that this clone is installed, which `mim` and scripts elsewhere need but its own tools do not."""
    installed, here = facts.outcomes.get('projects.false'), facts.outcomes.get('projects.false here')
    remedy = pip(facts, f'install --no-deps -e {shlex.quote(facts.root)} --config-settings editable_mode=compat')
    if here is not None and not here.ok:
        way_out = 'if another projects/__init__.py hides ours, remove it or take a new environment: make setup VENV=...'
        return [Problem('error', f'projects.false cannot be imported: {here.value}', way_out)]
    if installed is None or not installed.ok:
        what = 'projects.false is not installed: `mim train` and scripts in other folders will not find it'
        return [Problem('warning', what, remedy)]
    if os.path.realpath(str(installed.value)) != os.path.realpath(os.path.join(facts.root, 'projects', 'false')):
        return [Problem('warning', f'projects.false is installed from another place: {installed.value}', remedy)]
    return []


def check_machine(facts: Facts) -> list[Problem]:
    """Run the checks of disk, memory, GPU and CPU."""
    checks = (check_writing, check_disk, check_shared_memory, check_gpu, check_cores)
    return [problem for check in checks for problem in check(facts)]


def check_writing(facts: Facts) -> list[Problem]:
    """Check that a run can write ``work_dirs`` in the current folder."""
    return [
        Problem('error', f'{folder}: cannot be written ({reason})', 'change to another folder, or give --work-dir')
        for folder, reason in facts.unwritable.items()
    ]


def check_disk(facts: Facts, least: int = 5 * GIB) -> list[Problem]:
    """Check the disk for room: checkpoints of a ResNet-50 with its optimizer take about 0.4 GB each."""
    if facts.free_disk >= least:
        return []
    what = f'{facts.free_disk / GIB:.1f} GiB free where work_dirs goes; a run keeps several checkpoints'
    return [Problem('warning', what, 'give --work-dir on another disk, or remove old runs from work_dirs')]


def check_shared_memory(facts: Facts, least: int = GIB) -> list[Problem]:
    """Check the shared memory through which loader workers pass batches; a full one kills them with a bus error."""
    if facts.shared_memory is None or facts.shared_memory >= least:
        return []
    return [
        Problem(
            'warning',
            f'{facts.shared_memory / GIB:.2f} GiB free in /dev/shm: data loader workers may die with "bus error"',
            'start the container with --shm-size=8g, or train with --cfg-options train_dataloader.num_workers=0 '
            'train_dataloader.persistent_workers=False',
        )
    ]


def check_gpu(facts: Facts) -> list[Problem]:
    """Check for a GPU: everything runs without one, but only the small recipes finish within a day."""
    gpus = facts.outcomes.get('gpu')
    if gpus is None or (gpus.ok and gpus.value):
        return []
    if not gpus.ok:
        return [Problem('warning', f'GPUs cannot be listed: {gpus.value}', 'nvidia-smi')]
    torch = facts.distributions.get('torch', '')
    if facts.has_driver:
        return [
            Problem(
                'warning',
                f'nvidia-smi is there, but torch {torch} sees no GPU: a CPU build, or a driver older than its CUDA',
                f'{facts.executable} -c "import torch; print(torch.version.cuda); torch.cuda.init()"',
            )
        ]
    return [Problem('warning', 'no GPU: take the small recipes (r18, synthetic or mbrsc)', 'make quickstart')]


def check_cores(facts: Facts, least: int = 4) -> list[Problem]:
    """Check for enough CPU cores to compute the views."""
    if facts.cores >= least:
        return []
    what = f'{facts.cores} CPU cores: computing the views may slow down training'
    return [Problem('info', what, 'train_dataloader.num_workers=1')]


def pip(facts: Facts, arguments: str) -> str:
    """Return a pip command for the Python that was examined."""
    return f'{shlex.quote(facts.executable)} -m pip {arguments}'


def install(facts: Facts, names: str = '-r requirements.txt') -> str:
    """Return the command that installs distributions in their tested versions, from any folder."""
    at_root = os.path.realpath(facts.root) == os.path.realpath(os.getcwd())
    folder = '' if at_root else facts.root
    requirements, constraints = (
        shlex.quote(os.path.join(folder, f'{name}.txt')) for name in ('requirements', 'constraints')
    )
    return pip(facts, f'install {names.replace("requirements.txt", requirements)} -c {constraints}')


def reinstall(facts: Facts, remove: list[str], names: str = '-r requirements.txt') -> str:
    """Return the command that uninstalls some distributions, then installs others in their tested versions."""
    return f'{pip(facts, "uninstall -y " + " ".join(remove))} && {install(facts, names)}'
