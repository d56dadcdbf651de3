"""Everything a benchmark has to run, as steps that a user could type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from ..commands import fine_tuning_step, pretraining_step, test_step
from ..steps import Step
from .checks import BenchmarkData, check_fine_tuning, check_pretraining
from .recipes import digest, file_digest, fine_tuning_recipe, pretraining_recipe
from .spec import Recipe, Spec


class RunKey(NamedTuple):
    """What tells a run from the others.

    Attributes:
        protocol, fraction, method, seed, draw: As of the spec.
        part: The part of the data it is tested on.
    """

    protocol: str
    fraction: float
    method: str
    seed: int
    draw: int
    part: str

    @property
    def place(self) -> str:
        """Its place in folders and logs."""
        return f'{self.protocol}/{100 * self.fraction:g}pct/{self.method}/seed{self.seed}_draw{self.draw}'


@dataclass(frozen=True)
class Run:
    """One fine-tuning and its test.

    Attributes:
        key: Which.
        names: Its steps: pretraining (None without one), fine-tuning and test.
        fingerprint: Of its test.
        labelled: Number of labelled patches.
        shown: Whether predictions are kept for the pictures of the report.
    """

    key: RunKey
    names: tuple[str | None, str, str]
    fingerprint: str
    labelled: int
    shown: bool


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
        runs: All of them, also those done before.
        steps: In an order in which every step follows what it needs.
        fingerprints: Of every step by its name: of all that its outcome depends on.
        recipes: Configs that the steps train by, by file name.
    """

    runs: list[Run]
    steps: list[Step]
    fingerprints: dict[str, str]
    recipes: dict[str, Config]


def make_plan(spec: Spec, methods: Sequence[str], part: str, data: BenchmarkData, folder: Path) -> Plan:
    """Plan the runs of some methods.

    Raises:
        InputError: A recipe does not fit the data or the benchmark.
    """
    pretraining = {
        name: pretraining_recipe(spec.methods[name], spec.epochs)
        for name in methods
        if isinstance(spec.methods[name], Recipe)
    }
    protocols = {name: fine_tuning_recipe(recipe, spec.iterations) for name, recipe in spec.protocols.items()}
    check_pretraining(pretraining, data)
    for name, config in protocols.items():
        check_fine_tuning(name, config, data)
    planner = _Planner(spec, part, data, folder, pretraining, protocols)
    for seed in spec.seeds:
        for name in pretraining:
            planner.pretrain(name, seed)
    for draw in spec.draws:
        for seed in spec.seeds:
            for fraction in spec.fractions:
                for protocol in protocols:
                    for method in methods:
                        planner.run(RunKey(protocol, fraction, method, seed, draw, part))
    files = {f'pretrain_{name}.py': config for name, config in pretraining.items()}
    files |= {f'finetune_{name}.py': config for name, config in protocols.items()}
    return Plan(planner.runs, planner.steps, planner.fingerprints, files)


class _Planner:
    def __init__(
        self,
        spec: Spec,
        part: str,
        data: BenchmarkData,
        folder: Path,
        pretraining: Mapping[str, Config],
        protocols: Mapping[str, Config],
    ) -> None:
        self.spec, self.part, self.data, self.folder = spec, part, data, folder.resolve()
        self.pretraining, self.protocols = pretraining, protocols
        self.runs: list[Run] = []
        self.steps: list[Step] = []
        self.fingerprints: dict[str, str] = {}
        self.recipe_prints = {name: digest(config) for name, config in pretraining.items()}
        self.protocol_prints = {name: digest(config) for name, config in protocols.items()}

    def pretrain(self, method: str, seed: int) -> None:
        name, config = _pretraining(method, seed), self.pretraining[method]
        recipe, data = self.folder / 'recipes' / f'pretrain_{method}.py', self.data
        self.fingerprints[name] = digest(self.recipe_prints[method], data.digest, seed)
        epochs = config.train_cfg.max_epochs
        self.steps.append(pretraining_step(name, recipe, self.folder / name, data.root, seed, epochs))

    def run(self, key: RunKey) -> None:
        """Plan one fine-tuning and its test."""
        config, start = self.protocols[key.protocol], self.spec.methods[key.method]
        pretrained = _pretraining(key.method, key.seed) if isinstance(start, Recipe) else None
        tuning, testing = f'finetune/{key.place}', f'scores/{key.part}/{key.place}'
        work, root = self.folder / tuning, self.data.root
        file = self.folder / pretrained / 'backbone.pth' if pretrained else start
        labelled = self.data.lists[key.fraction, key.draw]
        recipe, needs = self.folder / 'recipes' / f'finetune_{key.protocol}.py', (pretrained,) if pretrained else ()
        self.steps.append(
            fine_tuning_step(tuning, recipe, work, root, 1000 * key.seed + key.draw, file, labelled, needs=needs)
        )
        origin = self.fingerprints[pretrained] if pretrained else _origin(start)
        content = self.data.patches[key.fraction, key.draw]
        self.fingerprints[tuning] = digest(
            self.protocol_prints[key.protocol], self.data.digest, origin, content, key.seed, key.draw
        )
        self.fingerprints[testing] = digest(self.fingerprints[tuning], self.data.part_digest)
        shown = key.seed == self.spec.seeds[0] and key.draw == self.spec.draws[0]
        weights = work / f'iter_{config.train_cfg.max_iters}.pth'
        self.steps.append(test_step(testing, recipe, weights, self.folder / testing, root, key.part, shown, (tuning,)))
        count = self.data.labelled[key.fraction, key.draw]
        names = (pretrained, tuning, testing)
        self.runs.append(Run(key, names, self.fingerprints[testing], count, shown))


def _pretraining(method: str, seed: int) -> str:
    return f'pretrain/{method}/seed{seed}'


def _origin(start: str | None) -> str:
    return file_digest(start) if start is not None and Path(start).is_file() else str(start)
