"""What a benchmark compares: methods, seeds, label draws, fractions, protocols."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from projects.false.errors import InputError

PARTS = ('val', 'test')


@dataclass(frozen=True)
class Recipe:
    """A config of ``configs/`` and what is changed in it.

    Attributes:
        config: Path of the file.
        options: As of ``--cfg-options``, dotted keys; values may be dicts, too.
    """

    config: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """A benchmark.

    Attributes:
        name: Of the file.
        methods: How the backbone starts, by name: a :class:`Recipe` to pretrain by, a file of weights, or None for
            random weights.
        baseline: The method that the others are compared with.
        protocols: How it is fine-tuned and tested, by name.
        seeds: Of pretraining (of the random weights, where there is none), at least one, from 0 to 999999.
        draws: Seeds of the lists of labelled patches, at least one, from 0 to 999.
        fractions: Shares of the training patches that are labelled, in (0, 1].
        data_root: Folder as a converter leaves it; ``{work}`` in it stands for the work folder.
        prepare: Commands that make it where it is missing: a tool and its arguments, with ``{work}`` and, for
            ``data_root``, ``{data}``.
        epochs, iterations: Length of every pretraining and every fine-tuning; None leaves it to the recipes.
        part: The part of the data that is reported on unless the command line says otherwise: ``val`` or ``test``.
        tiers: Names for groups of methods.
        title: Of the report.
    """

    name: str
    methods: Mapping[str, Recipe | str | None]
    baseline: str
    protocols: Mapping[str, Recipe]
    seeds: tuple[int, ...]
    draws: tuple[int, ...]
    fractions: tuple[float, ...]
    data_root: str
    prepare: tuple[tuple[str, ...], ...] = ()
    epochs: int | None = None
    iterations: int | None = None
    part: str = 'test'
    tiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    title: str = ''

    def located(self, folder: Path) -> 'Spec':
        """The spec with its places filled in: ``{work}`` and ``{data}``."""
        root = self.data_root.replace('{work}', str(folder))
        places = {'{work}': str(folder), '{data}': root}
        commands = [
            tuple(re.sub(r'\{work\}|\{data\}', lambda mark: places[mark[0]], part) for part in command)
            for command in self.prepare
        ]
        return replace(self, data_root=root, prepare=tuple(commands))


def choose_methods(spec: Spec, chosen: Sequence[str]) -> tuple[str, ...]:
    """The methods that the command line names, singly or by tier, in the order of the spec; none means all.

    The baseline is always among them.

    Raises:
        InputError: A name is neither a method nor a tier.
    """
    wanted = {spec.baseline}
    for name in chosen or spec.methods:
        if name not in spec.methods and name not in spec.tiers:
            known = ', '.join([*spec.methods, *spec.tiers])
            raise InputError(f'--methods {name}: no method and no tier of {spec.name}; choose from {known}')
        wanted.update(spec.tiers.get(name, (name,)))
    return tuple(name for name in spec.methods if name in wanted)


def choose_protocols(spec: Spec, chosen: Sequence[str]) -> Spec:
    """The spec with the protocols that the command line names, in its own order; none means all.

    Raises:
        InputError: A name is no protocol.
    """
    for name in chosen:
        if name not in spec.protocols:
            known = ', '.join(spec.protocols)
            raise InputError(f'--protocols {name}: no protocol of {spec.name}; choose from {known}')
    wanted = set(chosen or spec.protocols)
    return replace(spec, protocols={name: recipe for name, recipe in spec.protocols.items() if name in wanted})
