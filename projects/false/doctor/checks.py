"""Check Python, packages, the machine and the project: pure functions from facts to findings."""

from __future__ import annotations

import os
import re
import shlex

from .facts import Facts, broken_bounds, version_key
from .probe import DISTRIBUTIONS, MODULES
from .report import Finding, install, pip, reinstall

OVERWRITTEN = {  # they install into the same folders, so whichever came last has overwritten half of the other
    'onedl-mmengine': ('mmengine', 'mmengine-lite'),
    'onedl-mmcv': ('mmcv', 'mmcv-lite', 'mmcv-full'),
    'onedl-mmpretrain': ('mmpretrain',),
    'onedl-mmsegmentation': ('mmsegmentation',),
    'onedl-mim': ('openmim',),
}
OBSOLETE = {'mmcls': 'mmpretrain', 'mmselfsup': 'mmpretrain'}
OPENCV = ('opencv-python', 'opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless')
NUMPY_TROUBLE = ('multiarray', '_ARRAY_API', 'numpy.dtype size changed', 'NumPy 1.x', 'Numpy is not available')


def check_twins(facts: Facts) -> list[Finding]:
    """OpenMMLab's own distributions beside, or in place of, the maintained ones of the same import names."""
    findings = []
    for ours, theirs in OVERWRITTEN.items():
        rivals = [name for name in theirs if name in facts.distributions]
        if not rivals:
            continue
        both = [name for name in (*rivals, ours) if name in facts.distributions]
        why = 'they overwrite each other' if len(both) > 1 else f'{ours} is needed in its place'
        findings.append(Finding('error', f'{" and ".join(both)} installed: {why}', reinstall(facts, both, ours)))
    for name, successor in OBSOLETE.items():
        if name in facts.distributions:
            remedy = pip(facts, f'uninstall -y {name}')
            findings.append(Finding('warning', f'{name} installed: {successor} took its place', remedy))
    return findings


def check_opencv(facts: Facts) -> list[Finding]:
    """Several builds of OpenCV share one folder; removing one of them breaks the others."""
    found = [name for name in OPENCV if name in facts.distributions]
    if len(found) < 2:
        return []
    outcome = facts.outcomes.get('opencv')
    level = 'warning' if outcome is not None and outcome.ok else 'error'
    what = f'{" and ".join(found)} installed: they overwrite each other'
    return [Finding(level, what, reinstall(facts, found, 'opencv-python'))]


def check_torch_pair(facts: Facts) -> list[Finding]:
    """torch 2.N and torchvision 0.(N + 15) are built together; other pairs lose the compiled operators."""
    torch, vision = facts.distributions.get('torch'), facts.distributions.get('torchvision')
    loaded = facts.outcomes.get('torch')
    if torch is None or vision is None or loaded is None or not loaded.ok:
        return []  # missing or broken by itself, which other checks say
    operator = facts.outcomes.get('torchvision operator') or facts.outcomes.get('torchvision')
    works = operator is not None and operator.ok
    if works and _built_together(torch, vision):
        return []
    what = f'torch {torch} and torchvision {vision} do not fit together'
    if operator is not None and not works:
        what += f': {operator.value}'
    remedy = reinstall(facts, ['torch', 'torchvision'], 'torch torchvision')
    return [Finding('warning' if works else 'error', what, remedy)]


def _built_together(torch: str, vision: str) -> bool:
    torch_numbers = (*version_key(torch)[0], 0, 0)
    vision_numbers = (*version_key(vision)[0], 0, 0)
    return torch_numbers[0] != 2 or vision_numbers[:2] == (0, torch_numbers[1] + 15)


def check_numpy(facts: Facts) -> list[Finding]:
    """Packages built for another NumPy: the first that fails of it; the others follow from it."""
    for label, outcome in facts.outcomes.items():
        if not outcome.ok and any(trouble in str(outcome.value) for trouble in NUMPY_TROUBLE):
            partner = DISTRIBUTIONS.get(label, 'torch')
            what = f'numpy {facts.distributions.get("numpy", "?")} does not fit {partner}: {outcome.value}'
            return [Finding('error', what, install(facts, f'--force-reinstall --no-deps numpy {partner}'))]
    return []


GIB = 1 << 30


def check_writing(facts: Facts) -> list[Finding]:
    """A run writes ``work_dirs`` in the current folder."""
    return [
        Finding('error', f'{folder}: cannot be written ({reason})', 'change to another folder, or give --work-dir')
        for folder, reason in facts.unwritable.items()
    ]


def check_disk(facts: Facts, least: int = 5 * GIB) -> list[Finding]:
    """Checkpoints of a ResNet-50 with its optimizer are about 0.4 GB each."""
    if facts.free_disk >= least:
        return []
    return [
        Finding(
            'warning',
            f'{facts.free_disk / GIB:.1f} GiB free where work_dirs goes; a run keeps several checkpoints',
            'give --work-dir on another disk, or remove old runs from work_dirs',
        )
    ]


def check_shared_memory(facts: Facts, least: int = GIB) -> list[Finding]:
    """Loader workers hand batches over in shared memory; a full one kills them with a bus error."""
    if facts.shared_memory is None or facts.shared_memory >= least:
        return []
    return [
        Finding(
            'warning',
            f'{facts.shared_memory / GIB:.2f} GiB free in /dev/shm: data loader workers may die with "bus error"',
            'start the container with --shm-size=8g, or train with --cfg-options train_dataloader.num_workers=0 '
            'train_dataloader.persistent_workers=False',
        )
    ]


def check_gpu(facts: Facts) -> list[Finding]:
    """Without a GPU everything runs, but only the small recipes end today."""
    gpus = facts.outcomes.get('gpu')
    if gpus is None or (gpus.ok and gpus.value):
        return []
    if not gpus.ok:
        return [Finding('warning', f'GPUs cannot be listed: {gpus.value}', 'nvidia-smi')]
    torch = facts.distributions.get('torch', '')
    if facts.has_driver:
        return [
            Finding(
                'warning',
                f'nvidia-smi is there, but torch {torch} sees no GPU: a CPU build, or a driver older than its CUDA',
                f'{facts.executable} -c "import torch; print(torch.version.cuda); torch.cuda.init()"',
            )
        ]
    return [Finding('warning', 'no GPU: take the small recipes (r18, synthetic or mbrsc)', 'make quickstart')]


def check_cores(facts: Facts) -> list[Finding]:
    """Views are made on the CPU."""
    if facts.cores >= 4:
        return []
    return [
        Finding(
            'info', f'{facts.cores} CPU cores: making views may hold up the training', 'train_dataloader.num_workers=1'
        )
    ]


def check_machine(facts: Facts) -> list[Finding]:
    """All of the above."""
    checks = (check_writing, check_disk, check_shared_memory, check_gpu, check_cores)
    return [finding for check in checks for finding in check(facts)]


LEVELS = ('error', 'warning', 'info')


def check_python(facts: Facts) -> list[Finding]:
    """The lowest Python that the project supports."""
    if facts.python >= (3, 10):
        return []
    found = '.'.join(map(str, facts.python))
    return [Finding('error', f'Python {found}; 3.10 or later is needed', 'make setup PYTHON=python3.11')]


def check_bounds(facts: Facts) -> list[Finding]:
    """Missing distributions and versions outside the bounds of requirements.txt.

    Too old is an error, each lower bound has its reason; too new is a warning, nobody has tried.
    """
    findings, missing = [], []
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
            findings.append(Finding(level, f'{name} {version}: {", ".join(broken)} is wanted', install(facts, name)))
    if missing:
        findings.insert(0, Finding('error', f'not installed: {", ".join(missing)}', install(facts)))
    return findings


def check_imports(facts: Facts) -> list[Finding]:
    """What is installed and yet cannot be imported; packages that fail of one cause are named together."""
    failed: dict[str, list[str]] = {}
    for label, module in MODULES.items():
        outcome = facts.outcomes.get(label)
        if outcome is not None and not outcome.ok and _is_installed(facts, label):
            failed.setdefault(str(outcome.value), []).append(module)
    findings = []
    for error, modules in failed.items():
        absent = re.search(r"No module named '(\w+)", error)
        if absent and _label_of(absent.group(1)) and not _is_installed(facts, _label_of(absent.group(1))):
            continue  # named as not installed already
        remedy = install(facts) if absent else reinstall(facts, [DISTRIBUTIONS[_label_of(modules[0].split('.')[0])]])
        findings.append(Finding('error', f'import {", ".join(modules)}: {error}', remedy))
    untried = [label for label in MODULES if label not in facts.outcomes]
    if untried:
        findings.append(Finding('error', f'not reached: {", ".join(untried)}', 'mend the rest, then ask again'))
    return findings


def _label_of(module: str) -> str | None:
    return next((label for label, name in MODULES.items() if name.split('.')[0] == module), None)


def _is_installed(facts: Facts, label: str) -> bool:
    return DISTRIBUTIONS[label] in facts.distributions or bool(facts.providers.get(MODULES[label].split('.')[0]))


def check_project(facts: Facts) -> list[Finding]:
    """`mim` and other folders need the package installed; the tools of this clone find it themselves."""
    installed, here = facts.outcomes.get('projects.false'), facts.outcomes.get('projects.false here')
    remedy = pip(facts, f'install --no-deps -e {shlex.quote(facts.root)} --config-settings editable_mode=compat')
    if here is not None and not here.ok:
        way_out = 'if another projects/__init__.py hides ours, remove it or take a new environment: make setup VENV=...'
        return [Finding('error', f'projects.false cannot be imported: {here.value}', way_out)]
    if installed is None or not installed.ok:
        what = 'projects.false is not installed: `mim train` will not find it, nor will scripts in other folders'
        return [Finding('warning', what, remedy)]
    if os.path.realpath(str(installed.value)) != os.path.realpath(os.path.join(facts.root, 'projects', 'false')):
        return [Finding('warning', f'projects.false is installed from another place: {installed.value}', remedy)]
    return []


def check_all(facts: Facts) -> list[Finding]:
    """Every check; errors first. A failed import is left out where a check that knows its cause has quoted it."""
    known = (check_python, check_twins, check_opencv, check_bounds, check_numpy, check_torch_pair)
    findings = [finding for check in known for finding in check(facts)]
    quoted = ' '.join(finding.what for finding in findings)
    findings += [finding for finding in check_imports(facts) if finding.what.split(': ', 1)[-1] not in quoted]
    findings += check_project(facts) + check_machine(facts)
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))
