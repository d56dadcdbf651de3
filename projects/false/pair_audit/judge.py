"""Judge the picked pairs of a checkpoint by the labels: counts, precision, recall, lift, and examples."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn
from torch.utils.data import DataLoader

from projects.false.common.errors import type_name
from projects.false.losses.determinations import Determination
from projects.false.losses.determinations.combined import turns

from .picks import (
    CRITERIA,
    audited_rules,
    both_labelled,
    cosines,
    histogram_overlap,
    negatives,
    past_gate,
    pick_pairs,
    true_pairs,
)
from .replay import AuditedComparison, Stage, View, audited_batches, audited_comparisons
from .settings import Settings


class PairCounts(NamedTuple):
    """Pairs of one batch, for one rule and one criterion; a pair is an anchor and a negative, both labelled.

    Attributes:
        pairs: All pairs.
        true: Pairs that share their land cover.
        picked: Pairs that the rule picks.
        right: Picked pairs that share their land cover.
        unlabelled: Picked pairs in which a view has no label; no other count includes them.
        anchors: Anchors of the batch.
    """

    pairs: int
    true: int
    picked: int
    right: int
    unlabelled: int
    anchors: int


class Judgement(NamedTuple):
    """The picks of one rule at one stage of training, counted by one criterion.

    Attributes:
        stage: The stage of training.
        determination: Name of the rule.
        gated: The picks are those after the gate.
        criterion: One of ``CRITERIA``.
        counts: Counts of every batch.
    """

    stage: Stage
    determination: str
    gated: bool
    criterion: str
    counts: list[PairCounts]


class Judge:
    """Count the picks of every determination at several stages of training, and keep examples.

    Args:
        model: A model that holds the weights of the stage whenever :meth:`judge` is called; it is moved to the GPU if
            there is one.
        loader: The loader of :func:`.replay.build_loader`.
        settings: Batches, rules and criteria.
        threshold: T of the gate.
        seed: Seed of the random control and of the examples.
        config: The recipe.

    Attributes:
        judgements: All counts so far.
        past_gate: Share of the anchors past the gate by stage, in [0, 1].
        examples: Pairs by stage, then by the name of the rule and whether they are after the gate.
    """

    def __init__(
        self,
        model: nn.Module,
        loader: DataLoader[Any],
        settings: Settings,
        threshold: float,
        seed: int,
        config: Config,
    ) -> None:
        self.model, self.loader, self.config = model, loader, config
        self.settings, self.threshold, self.seed = settings, threshold, seed
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        model.to(self.device)
        self.judgements: list[Judgement] = []
        self.past_gate: dict[Stage, float] = {}
        self.examples: dict[Stage, dict[tuple[str, bool], Examples]] = {}

    def judge(self, stage: Stage) -> None:
        """Judge the picks in all batches with the model as it is."""
        queue, settings = getattr(self.model, 'queue', None), self.settings
        filling = 0 if queue is None else -(-len(queue) // (self.loader.batch_size or 1))
        rules = audited_rules(
            self.model.get_submodule('head.loss_module'), queue is None, self.seed, settings.names, self._known()
        )
        for rule in rules.values():
            for turn in turns(rule) if rule else ():
                turn.progress = self._progress(stage)
        generator = torch.Generator().manual_seed(self.seed)
        torch.manual_seed(self.seed)
        kinds = [(name, gated) for name in rules for gated in (False, True)]
        counts: dict[tuple[str, bool, str], list[PairCounts]] = {
            (*kind, criterion): [] for kind in kinds for criterion in CRITERIA
        }
        examples = {kind: Examples(settings.examples, generator) for kind in kinds}
        shares = []
        batches = audited_batches(self.loader, settings.batches + filling)
        for audited in audited_comparisons(self.model, batches, forward_precision(self.config, self.model)):
            shares.append(self._count(audited, rules, counts, examples))
        self.past_gate[stage] = sum(shares) / len(shares)
        self.examples[stage] = examples
        self.judgements += [Judgement(stage, *kind, batch_counts) for kind, batch_counts in counts.items()]

    def _progress(self, stage: Stage) -> float:
        """Return the finished share of training at a stage, in [0, 1]."""
        length = self.config.train_cfg
        done, of = (stage.iteration, 'max_iters') if length.get('max_iters') else (stage.epoch, 'max_epochs')
        return min(done / length[of], 1.0)

    def _known(self) -> set[str]:
        """Return what the recipe's pipeline or model knows about the views."""
        dataset: Any = self.loader.dataset
        sample, model = dataset[0]['data_samples'], cast(Any, self.model)
        return {name for name in ('evidence', 'place') if name in sample} | ({'features'} & set(model.reads))

    def _count(
        self,
        audited: AuditedComparison,
        rules: dict[str, Determination | None],
        counts: dict[tuple[str, bool, str], list[PairCounts]],
        examples: dict[tuple[str, bool], 'Examples'],
    ) -> float:
        """Add the counts and examples of a batch; return the share of its anchors that is past the gate."""
        classes = audited.row_classes, audited.column_classes
        true, overlaps = true_pairs(*classes, self.settings.level), histogram_overlap(*classes)
        labelled, passed = both_labelled(*classes), past_gate(audited.comparison, self.threshold)
        pairs, similarities = negatives(audited.comparison) & labelled, cosines(audited.comparison)
        for name, matrix in pick_pairs(audited, rules, true['overlap'], self.device).items():
            for gated in (False, True):
                chosen = matrix & passed if gated else matrix
                picks = chosen & pairs
                for criterion, same in true.items():
                    counts[name, gated, criterion].append(
                        PairCounts(
                            pairs=int(pairs.sum()),
                            true=int((same & pairs).sum()),
                            picked=int(picks.sum()),
                            right=int((picks & same).sum()),
                            unlabelled=int((chosen & ~labelled).sum()),
                            anchors=len(pairs),
                        )
                    )
                examples[name, gated].add(audited, picks, true['dominant'], similarities, overlaps)
        return float(passed.float().mean())


def forward_precision(config: Config, model: nn.Module) -> Callable[[], AbstractContextManager[Any]]:
    """Return a function that opens a context with the precision of the recipe's forward pass; float16 needs a GPU."""
    settings = config.get('optim_wrapper')
    if not settings or (type_name(settings.get('type')) == 'AmpOptimWrapper' and not torch.cuda.is_available()):
        return nullcontext
    return partial(build_optim_wrapper(model, settings).optim_context, model)


class Example(NamedTuple):
    """A picked pair.

    Attributes:
        anchor, other: The two views.
        cosine: c_ij, the cosine of their projections.
        positive_cosine: c_ip, the cosine of the anchor's own two views.
        overlap: Overlap of their label histograms, in [0, 1].
    """

    anchor: View
    other: View
    cosine: float
    positive_cosine: float
    overlap: float


class Examples:
    """A uniform sample of the pairs that one rule picks in all batches.

    Args:
        limit: Number of right pairs, and of wrong pairs, to keep.
        generator: Source of the draws.
    """

    def __init__(self, limit: int, generator: torch.Generator) -> None:
        self.limit, self.generator = limit, generator
        self._kept: dict[bool, dict[frozenset[View], tuple[float, Example]]] = {True: {}, False: {}}

    def add(self, audited: AuditedComparison, picks: Tensor, same: Tensor, cosines: Tensor, overlaps: Tensor) -> None:
        """Sample from the picked pairs of a batch.

        Shape:
            - picks, same, cosines, overlaps: (R, C); pairs without a label are not among ``picks``
        """
        positive = audited.comparison.positive_logits[:, 0].cpu() * audited.comparison.temperature
        for right, kept in self._kept.items():
            pairs = (picks & (same == right)).nonzero()
            lots = torch.rand(len(pairs), generator=self.generator)
            # Twice as many as are kept, since a pair may be picked both ways.
            for lot, index in zip(*lots.topk(min(2 * self.limit, len(lots)), largest=False), strict=True):
                row, column = pairs[index].tolist()
                key = frozenset((audited.rows[row], audited.columns[column]))
                if key not in kept:
                    values = (float(values) for values in (cosines[row, column], positive[row], overlaps[row, column]))
                    kept[key] = float(lot), Example(audited.rows[row], audited.columns[column], *values)
            self._kept[right] = dict(sorted(kept.items(), key=lambda item: item[1][0])[: self.limit])

    def kept(self, right: bool) -> list[Example]:
        """Return the kept pairs that share their land cover, or those that do not."""
        return [example for _, example in self._kept[right].values()]


class Estimate(NamedTuple):
    """A value and the interval that holds 95 % of its bootstrap; NaN where the value is undefined."""

    value: float
    low: float
    high: float


class Quality(NamedTuple):
    """The quality of picks.

    Attributes:
        precision: Share of the picked pairs that share their land cover, in [0, 1].
        recall: Share of picked pairs among those that share their land cover, in [0, 1].
        base_rate: Share of all pairs that share their land cover, in [0, 1]: the precision of random picks.
        lift: Precision divided by base rate; 1 for random picks.
    """

    precision: Estimate
    recall: Estimate
    base_rate: Estimate
    lift: Estimate


def estimate_quality(batches: list[PairCounts], seed: int = 0, draws: int = 2000) -> Quality:
    """Estimate the quality from all batches, and its uncertainty by drawing batches with replacement.

    Args:
        batches: Counts of at least one batch. With one, the interval is the value itself.
        seed: Seed of the draws.
        draws: Number of bootstrap samples.
    """
    counts = np.array([batch[:4] for batch in batches], np.int64)
    values = ratios(counts.sum(0))
    weights = np.random.default_rng(seed).multinomial(len(batches), np.full(len(batches), 1 / len(batches)), draws)
    drawn = ratios(weights @ counts)
    estimates = []
    for value, sample in zip(values, drawn, strict=True):
        sample = sample[np.isfinite(sample)]
        low, high = np.percentile(sample, (2.5, 97.5)) if len(sample) and np.isfinite(value) else (np.nan, np.nan)
        estimates.append(Estimate(float(value), float(low), float(high)))
    return Quality(*estimates)


def ratios(counts: np.ndarray) -> np.ndarray:
    """Return precision, recall, base rate and lift of summed counts.

    Shape:
        - counts: (..., 4), pairs, true, picked and right
        - output: (4, ...), NaN where the denominator is 0
    """
    pairs, true, picked, right = np.moveaxis(counts.astype(float), -1, 0)
    with np.errstate(divide='ignore', invalid='ignore'):
        precision, base_rate = right / picked, true / pairs
        return np.array([precision, right / true, base_rate, precision / base_rate])
