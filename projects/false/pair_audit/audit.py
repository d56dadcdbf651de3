"""The audit: checkpoints of a run, on the same batches, against the labels."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.optim import build_optim_wrapper
from torch import nn
from torch.utils.data import DataLoader

from projects.false.errors import InputError
from projects.false.losses.ranges import check_count, check_range

from .batches import audited_batches, build_loader
from .checkpoints import Stage, build_model, load_stage
from .comparisons import AuditedComparison, audited_comparisons
from .counts import PairCounts
from .examples import Examples
from .picks import cosines, determinations, gate, negatives, picked
from .truth import CRITERIA, histogram_overlap, judged, truth


class Settings(NamedTuple):
    """What is audited, and how.

    Attributes:
        data_root: Labelled data as a converter leaves it.
        split: List of patches, ``splits/<split>.txt``.
        batches: Batches that are judged, of every checkpoint the same.
        scope: ``'view'`` or ``'patch'``: what the labels of a view are those of.
        level: Overlap of label histograms above which a pair shares its land cover, in [0, 1].
        threshold: T of the gate; None is that of the recipe's loss, -1 where it has none.
        seed: Of order, views and draws; None is that of the recipe.
        names: Determinations to audit; None is all.
        examples: Right and wrong pairs of each that are shown.
    """

    data_root: str
    split: str = 'pretrain'
    batches: int = 20
    scope: str = 'view'
    level: float = 0.8
    threshold: float | None = None
    seed: int | None = None
    names: list[str] | None = None
    examples: int = 4


class Finding(NamedTuple):
    """The picks of one rule at one point of training, by one criterion."""

    stage: Stage
    determination: str
    gated: bool
    criterion: str
    counts: list[PairCounts]


class PairAudit(NamedTuple):
    """The result.

    Attributes:
        settings: With the threshold and the seed that were used.
        config: Of the recipe.
        stages: Points of training, in their order.
        open: Share of the anchors past the gate at each of them.
        findings: All counts.
        examples: Rule and whether after the gate -> pairs at the last point of training.
        loader: Makes the views again.
        preprocessor: Of the model, to see the views as the model does.
    """

    settings: Settings
    config: Config
    stages: list[Stage]
    open: list[float]
    findings: list[Finding]
    examples: dict[tuple[str, bool], Examples]
    loader: DataLoader
    preprocessor: nn.Module


def audit_pairs(config: Config, checkpoints: list[str], settings: Settings) -> PairAudit:
    """Audit every determination at every checkpoint.

    Args:
        config: The recipe of the run.
        checkpoints: At least one; ``untrained`` stands for the weights that training begins with.
        settings: What else there is to choose.

    Raises:
        InputError: A setting, the data or a checkpoint is unusable.
    """
    check_count('--batches', settings.batches)
    check_range('--overlap', settings.level, 0, 1)
    if settings.threshold is not None:
        check_range('--gate', settings.threshold, -1, 1)
    seed = settings.seed if settings.seed is not None else config.get('randomness', {}).get('seed') or 0
    loader = build_loader(config, settings.data_root, f'splits/{settings.split}.txt', settings.scope, seed)
    model = build_model(config, seed)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    for path in checkpoints:
        load_stage(model, path)  # an unusable one is told before any work
    threshold = settings.threshold
    if threshold is None:
        threshold = getattr(model.head.loss_module, 'positive_threshold', -1.0)
    settings = settings._replace(threshold=threshold, seed=seed)
    judge = _Judge(model, loader, settings, config)
    stages = []
    for path in checkpoints:
        model.load_state_dict(initial)
        stage = load_stage(model, path)
        stages.append(stage)
        judge.judge(stage)
        print_log(f'audited {stage.name}: {judge.open[stage]:.1%} of the anchors are past the gate', 'current')
    stages.sort(key=lambda stage: stage.iteration)
    return PairAudit(
        settings,
        config,
        stages,
        [judge.open[stage] for stage in stages],
        judge.findings,
        judge.examples[stages[-1]],
        loader,
        model.data_preprocessor,
    )


class _Judge:
    def __init__(self, model: nn.Module, loader: DataLoader, settings: Settings, config: Config) -> None:
        self.model, self.loader, self.settings, self.config = model, loader, settings, config
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        model.to(self.device)
        self.findings: list[Finding] = []
        self.open: dict[Stage, float] = {}
        self.examples: dict[Stage, dict[tuple[str, bool], Examples]] = {}

    def judge(self, stage: Stage) -> None:
        queue, settings = getattr(self.model, 'queue', None), self.settings
        filling = 0 if queue is None else -(-len(queue) // self.loader.batch_size)
        rules = determinations(self.model.head.loss_module, queue is None, settings.seed, settings.names)
        generator = torch.Generator().manual_seed(settings.seed)
        torch.manual_seed(settings.seed)
        kinds = [(name, gated) for name in rules for gated in (False, True)]
        counts = {(*kind, criterion): [] for kind in kinds for criterion in CRITERIA}
        examples = {kind: Examples(settings.examples, generator) for kind in kinds}
        opened = []
        batches = audited_batches(self.loader, settings.batches + filling)
        for audited in audited_comparisons(self.model, batches, precision(self.config, self.model)):
            opened.append(self._count(audited, rules, counts, examples))
        self.open[stage] = sum(opened) / len(opened)
        self.examples[stage] = examples
        self.findings += [Finding(stage, *kind, found) for kind, found in counts.items()]

    def _count(self, audited: AuditedComparison, rules: dict, counts: dict, examples: dict) -> float:
        labels = audited.row_classes, audited.column_classes
        true, overlaps = truth(*labels, self.settings.level), histogram_overlap(*labels)
        every, known = negatives(audited.comparison), judged(*labels)
        pairs, passed = every & known, gate(audited.comparison, self.settings.threshold)
        similarities = cosines(audited.comparison)
        for name, choice in picked(audited, rules, true['overlap'], self.device).items():
            for gated in (False, True):
                found = choice & passed if gated else choice
                for criterion, same in true.items():
                    picks = found & pairs
                    counts[name, gated, criterion].append(
                        PairCounts(
                            int(pairs.sum()),
                            int((same & pairs).sum()),
                            int(picks.sum()),
                            int((picks & same).sum()),
                            int((found & ~known).sum()),
                            len(pairs),
                        )
                    )
                examples[name, gated].add(audited, found & pairs, true['dominant'], similarities, overlaps)
        return float(passed.float().mean())


def precision(config: Config, model: nn.Module) -> Callable[[], AbstractContextManager]:
    """What opens the precision of the recipe's forward pass; AmpOptimWrapper's float16 is for GPUs alone."""
    settings = config.get('optim_wrapper')
    if not settings or (settings.get('type') == 'AmpOptimWrapper' and not torch.cuda.is_available()):
        return nullcontext
    return partial(build_optim_wrapper(model, settings).optim_context, model)


def check_writable(folder: Path) -> None:
    """Make the folder of the results before the work.

    Raises:
        InputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f'--out {folder}: cannot be written ({error.strerror}); choose another folder') from error
