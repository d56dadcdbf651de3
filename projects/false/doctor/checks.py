"""All checks, and those of Python, versions, imports and the project itself: pure functions from facts to findings."""

from __future__ import annotations

import os
import re
import shlex

from .clashes import check_numpy, check_opencv, check_torch_pair, check_twins
from .facts import Facts
from .findings import Finding, install, pip, reinstall
from .machine import check_machine
from .probe import DISTRIBUTIONS, MODULES
from .versions import broken_bounds

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
