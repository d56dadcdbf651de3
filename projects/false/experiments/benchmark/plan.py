"""Plan a benchmark: all of its runs, as commands that a user could type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from projects.false.engine.checkpoints.mmengine_loader import is_installed, local_file

from ..commands import fine_tuning_step, pretraining_step, selection_step, testing_step
from ..steps import Step
from .checks import BenchmarkData, check_fine_tuning, check_pretraining
from .recipes import digest, file_digest, files_read, fine_tuning_recipe, pretraining_recipe
from .spec import Recipe, Spec


class RunKey(NamedTuple):
    """The values that identify a run.

    Attributes:
        protocol: Name of the protocol.
        fraction: Share of the training patches that are labelled.
        method: Name of the method.
        seed: Seed of pretraining.
        draw: Seed of the list of labelled patches.
        part: Part of the data that the run is tested on.
    """

    protocol: str
    fraction: float
    method: str
    seed: int
    draw: int
    part: str

    @property
    def place(self) -> str:
        """Return its relative path for folders and logs."""
        return f'{self.protocol}/{100 * self.fraction:g}pct/{self.method}/seed{self.seed}_draw{self.draw}'


@dataclass(frozen=True)
class PlannedRun:
    """One fine-tuning and its test.

    Attributes:
        key: Identifies the run.
        pretraining: Name of the step that pretrains its backbone; None without one.
        fine_tuning: Name of the step that fine-tunes.
        testing: Name of the step that tests.
        fingerprint: Fingerprint of everything that its result depends on.
        labelled: Number of labelled patches.
        predictions: True if its predictions are kept for the pictures of the report.
        step_names: The steps of the run, in their order.
    """

    key: RunKey
    pretraining: str | None
    fine_tuning: str
    testing: str
    fingerprint: str
    labelled: int
    predictions: bool
    step_names: list[str]


@dataclass(frozen=True)
class Plan:
    """The runs of a benchmark.

    Attributes:
        runs: All runs, including those done before.
        steps: Their steps, each after those that it needs.
        fingerprints: By name of the step, the fingerprint of everything that its outcome depends on.
        recipes: The configs that the steps train by, by file name.
        files: By name of a training that reads files beside its patches, their fingerprints as of
            :func:`~projects.false.experiments.benchmark.recipes.files_read`.
        choices: By name of a step that chooses patches to label, the name of its list.
    """

    runs: list[PlannedRun]
    steps: list[Step]
    fingerprints: dict[str, str]
    recipes: dict[str, Config]
    files: dict[str, dict[str, str | None]]
    choices: dict[str, str]


def make_plan(spec: Spec, methods: Sequence[str], part: str, data: BenchmarkData, folder: Path) -> Plan:
    """Plan the runs of some methods.

    Raises:
        InputError: A recipe does not fit the data or the benchmark.
    """
    keys = [
        RunKey(protocol, fraction, method, seed, draw, part)
        for draw in spec.draws
        for seed in spec.seeds
        for fraction in spec.fractions
        for protocol in spec.protocols
        for method in methods
    ]
    owners = dict(found for key in keys if (found := _pretraining_of(key, spec)))
    recipes = {name: recipe for (name, _), recipe in owners.items()}
    pretraining = {name: pretraining_recipe(recipe, spec.epochs) for name, recipe in recipes.items()}
    protocols = {
        _recipe_name(protocol, method, spec): fine_tuning_recipe(
            Recipe(recipe.config, {**recipe.options, **spec.methods[method].fine_tuning}), spec.iterations
        )
        for protocol, recipe in spec.protocols.items()
        for method in methods
    }
    check_pretraining(pretraining, data)
    for name, config in protocols.items():
        check_fine_tuning(name, config, data)
    planner = _Planner(spec, part, data, folder, pretraining, protocols)
    for name, seed in sorted(owners, key=lambda owner: spec.seeds.index(owner[1])):  # of a seed, as the methods stand
        planner.pretrain(name, seed)
    for key in keys:
        planner.run(key)
    files = {f'pretrain_{name}.py': config for name, config in pretraining.items()}
    files |= {f'finetune_{name}.py': config for name, config in protocols.items()}
    return Plan(planner.runs, planner.steps, planner.fingerprints, files, planner.files, planner.choices)


class _Planner:
    """Collects the runs and steps of a plan."""

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
        self.runs: list[PlannedRun] = []
        self.steps: list[Step] = []
        self.fingerprints: dict[str, str] = {}
        self.files: dict[str, dict[str, str | None]] = {}
        self.choices: dict[str, str] = {}
        self.recipe_files = {name: files_read(config, data.root) for name, config in pretraining.items()}
        self.protocol_files = {name: files_read(config, data.root) for name, config in protocols.items()}
        self.recipe_prints = {name: digest(config) for name, config in pretraining.items()}
        self.protocol_prints = {name: digest(config) for name, config in protocols.items()}

    def pretrain(self, owner: str, seed: int) -> None:
        """Plan one pretraining."""
        name, config = _pretraining(owner, seed), self.pretraining[owner]
        recipe, data = self.folder / 'recipes' / f'pretrain_{owner}.py', self.data
        self.fingerprints[name] = digest(self.recipe_prints[owner], data.digest, seed)
        if self.recipe_files[owner]:
            self.files[name] = self.recipe_files[owner]
        epochs = config.train_cfg.max_epochs
        self.steps.append(pretraining_step(name, recipe, self.folder / name, data.root, seed, epochs))

    def run(self, key: RunKey) -> None:
        """Plan one fine-tuning and its test."""
        recipe_name, method = _recipe_name(key.protocol, key.method, self.spec), self.spec.methods[key.method]
        config, owner, given = self.protocols[recipe_name], _pretraining_of(key, self.spec), method.weights
        pretrained = _pretraining(*owner[0]) if owner else None
        tuning, testing = f'finetune/{key.place}', f'scores/{key.part}/{key.place}'
        work, root = self.folder / tuning, self.data.root
        backbone = self.folder / pretrained / 'backbone.pth' if pretrained else given
        origin = self.fingerprints[pretrained] if pretrained else _weights_digest(given)
        labelled, content = self.data.lists[key.fraction, key.draw], self.data.patches[key.fraction, key.draw]
        recipe, needs = self.folder / 'recipes' / f'finetune_{recipe_name}.py', (pretrained,) if pretrained else ()
        selecting = None
        if method.select and backbone is not None:
            selecting, labelled = self.select(key, method.select, backbone, origin, recipe, needs)
            content, needs = [self.fingerprints[selecting]], (*needs, selecting)
        self.steps.append(
            fine_tuning_step(tuning, recipe, work, root, 1000 * key.seed + key.draw, backbone, labelled, needs=needs)
        )
        self.fingerprints[tuning] = digest(
            self.protocol_prints[recipe_name], self.data.digest, origin, content, key.seed, key.draw
        )
        if self.protocol_files[recipe_name]:
            self.files[tuning] = self.protocol_files[recipe_name]
        self.fingerprints[testing] = digest(self.fingerprints[tuning], self.data.part_digest)
        predictions = key.seed == self.spec.seeds[0] and key.draw == self.spec.draws[0]
        weights = work / f'iter_{config.train_cfg.max_iters}.pth'
        out = self.folder / testing
        self.steps.append(testing_step(testing, recipe, weights, out, root, key.part, predictions, (tuning,)))
        count = self.data.labelled[key.fraction, key.draw]
        steps = (pretrained, selecting, tuning, testing)
        self.runs.append(
            PlannedRun(
                key,
                pretrained,
                tuning,
                testing,
                self.fingerprints[testing],
                count,
                predictions,
                [step for step in steps if step],
            )
        )

    def select(
        self, key: RunKey, how: str, backbone: str | Path, origin: str, recipe: Path, needs: tuple[str, ...]
    ) -> tuple[str, str]:
        """Plan the choice of the labelled patches, once for all protocols; return its step and the list."""
        count, name = self.data.labelled[key.fraction, key.draw], f'select/{key.place.partition("/")[2]}'
        if name not in self.fingerprints:
            self.fingerprints[name] = digest(how, count, key.draw, origin, self.data.digest)
            out = self.folder / 'select' / key.method / f'seed{key.seed}'
            self.choices[name] = chosen = f'selected_{self.fingerprints[name]}'
            self.steps.append(
                selection_step(name, backbone, out, self.data.root, how, count, key.draw, chosen, recipe, needs)
            )
        return name, self.choices[name]


def _recipe_name(protocol: str, method: str, spec: Spec) -> str:
    return f'{protocol}@{method}' if spec.methods[method].fine_tuning else protocol  # names have no @


def _pretraining_of(key: RunKey, spec: Spec) -> tuple[tuple[str, int], Recipe] | None:
    """Return the name, seed and recipe of the pretraining that a run starts from; None without one."""
    owner = spec.pretrained_as(key.method)
    recipe = spec.methods[owner].recipe if owner else None
    if recipe is None:
        return None
    marks, filled = recipe.filled_in({'fraction': f'{key.fraction:g}', 'seed': key.seed, 'draw': key.draw})
    return (f'{owner}{marks}', key.seed), filled


def _pretraining(name: str, seed: int) -> str:
    return f'pretrain/{name}/seed{seed}'


def _weights_digest(weights: str | None) -> str:
    if weights is None or ('://' in weights and not is_installed(weights)):
        return str(weights)
    return file_digest(local_file(weights))
