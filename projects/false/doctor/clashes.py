"""Checks of distributions that do not go together."""

from __future__ import annotations

from .facts import Facts
from .findings import Finding, install, pip, reinstall
from .probe import DISTRIBUTIONS
from .versions import version_key

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
