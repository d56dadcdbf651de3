"""One point of training against the labels."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn
from torch.utils.data import DataLoader

from .checkpoints import Stage
from .comparisons import AuditedComparison, audited_comparisons
from .counts import PairCounts
from .examples import Examples
from .picks import cosines, determinations, gate, negatives, picked
from .replay import audited_batches
from .settings import Settings
from .truth import CRITERIA, histogram_overlap, judged, truth


class Finding(NamedTuple):
    """The picks of one rule at one point of training, by one criterion."""

    stage: Stage
    determination: str
    gated: bool
    criterion: str
    counts: list[PairCounts]


class Judge:
    """Counts what every determination picks at a point of training, and keeps examples.

    Args:
        model: With the weights of that point whenever :meth:`judge` is called; it is moved to the GPU if there is one.
        loader: Of :func:`.batches.build_loader`.
        settings: With a threshold and a seed.
        config: Of the recipe.

    Attributes:
        findings: All counts so far.
        open: Share of the anchors past the gate at every point.
        examples: Of every point: rule and whether after the gate -> pairs.
    """

    def __init__(self, model: nn.Module, loader: DataLoader, settings: Settings, config: Config) -> None:
        self.model, self.loader, self.settings, self.config = model, loader, settings, config
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        model.to(self.device)
        self.findings: list[Finding] = []
        self.open: dict[Stage, float] = {}
        self.examples: dict[Stage, dict[tuple[str, bool], Examples]] = {}

    def judge(self, stage: Stage) -> None:
        """Go through the batches."""
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
