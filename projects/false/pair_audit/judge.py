"""Judge the picked pairs of one checkpoint by the labels: counts, precision, recall, lift, and examples."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn
from torch.utils.data import DataLoader

from .picks import CRITERIA, cosines, determinations, gate, histogram_overlap, judged, negatives, picked, truth
from .replay import AuditedComparison, Stage, View, audited_batches, audited_comparisons
from .settings import Settings


class PairCounts(NamedTuple):
    """Pairs of one batch, of one rule by one criterion; a pair is an anchor and a negative, both labelled.

    Attributes:
        pairs: All pairs.
        true: Those that share their land cover.
        picked: Those that the rule picks.
        right: Those that it picks and that share their land cover.
        unlabelled: Pairs that it picks of which a view has no label; in none of the others.
        anchors: Anchors of the batch.
    """

    pairs: int
    true: int
    picked: int
    right: int
    unlabelled: int
    anchors: int


class Estimate(NamedTuple):
    """A value and the interval that holds 95 % of its bootstrap; NaN where it has no meaning."""

    value: float
    low: float
    high: float


class Quality(NamedTuple):
    """How good picks are.

    Attributes:
        precision: Share of the picked pairs that share their land cover, in [0, 1].
        recall: Share of the pairs that share their land cover that are picked, in [0, 1].
        base_rate: Share of all pairs that share their land cover: the precision of chance.
        lift: Precision divided by base rate; 1 is chance.
    """

    precision: Estimate
    recall: Estimate
    base_rate: Estimate
    lift: Estimate


def ratios(counts: np.ndarray) -> np.ndarray:
    """Precision, recall, base rate and lift of summed counts.

    Shape:
        - counts: (..., 4), pairs, true, picked and right; result: (4, ...), NaN where the denominator is 0.
    """
    pairs, true, picks, right = np.moveaxis(counts.astype(float), -1, 0)
    with np.errstate(divide='ignore', invalid='ignore'):
        precision, base_rate = right / picks, true / pairs
        return np.array([precision, right / true, base_rate, precision / base_rate])


def quality(batches: list[PairCounts], seed: int = 0, draws: int = 2000) -> Quality:
    """Estimate from the batches, whose uncertainty comes from drawing batches with replacement.

    Args:
        batches: At least one. With one, the interval is the value itself.
        seed: Of the draws.
        draws: Bootstrap samples.
    """
    counts = np.array([batch[:4] for batch in batches], np.int64)
    values = ratios(counts.sum(0))
    weights = np.random.default_rng(seed).multinomial(len(batches), np.full(len(batches), 1 / len(batches)), draws)
    drawn = ratios(weights @ counts)
    found = []
    for value, sample in zip(values, drawn, strict=True):
        sample = sample[np.isfinite(sample)]
        low, high = np.percentile(sample, (2.5, 97.5)) if len(sample) and np.isfinite(value) else (np.nan, np.nan)
        found.append(Estimate(float(value), float(low), float(high)))
    return Quality(*found)


class Example(NamedTuple):
    """A picked pair.

    Attributes:
        anchor, other: The two views.
        cosine: c_ij of their projections.
        positive_cosine: c_ip, of the anchor and its own other view.
        overlap: Overlap of their label histograms, in [0, 1].
    """

    anchor: View
    other: View
    cosine: float
    positive_cosine: float
    overlap: float


class Examples:
    """A fair sample of the pairs of one rule: every pair has the same chance, whatever batch it is from.

    Args:
        most: How many right pairs and how many wrong ones are kept.
        generator: Source of the draws.
    """

    def __init__(self, most: int, generator: torch.Generator) -> None:
        self.most, self.generator = most, generator
        self._kept: dict[bool, dict[frozenset, tuple[float, Example]]] = {True: {}, False: {}}

    def add(self, audited: AuditedComparison, picks: Tensor, same: Tensor, cosines: Tensor, overlaps: Tensor) -> None:
        """Take note of the pairs of a batch.

        Shape:
            - picks, same, cosines, overlaps: (R, C); pairs without a label are not among ``picks``.
        """
        positive = audited.comparison.positive_logits[:, 0].cpu() * audited.comparison.temperature
        for right, kept in self._kept.items():
            places = (picks & (same == right)).nonzero()
            lots = torch.rand(len(places), generator=self.generator)
            for lot, place in zip(*lots.topk(min(2 * self.most, len(lots)), largest=False), strict=True):
                row, column = places[place].tolist()
                key = frozenset((audited.rows[row], audited.columns[column]))  # a pair may be picked both ways
                if key not in kept:
                    values = (float(values) for values in (cosines[row, column], positive[row], overlaps[row, column]))
                    kept[key] = float(lot), Example(audited.rows[row], audited.columns[column], *values)
            self._kept[right] = dict(sorted(kept.items(), key=lambda item: item[1][0])[: self.most])

    def kept(self, right: bool) -> list[Example]:
        """The pairs that share their land cover, or those that do not."""
        return [example for _, example in self._kept[right].values()]


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
