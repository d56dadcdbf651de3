"""The pairs that every determination picks in a comparison, and the pairs that share their land cover by the labels."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.losses.comparison import Block, Comparison
from projects.false.losses.determinations import DETERMINATIONS, Determination, build_determination
from projects.false.losses.determinations.base import Pairs
from projects.false.losses.determinations.combined import Combined
from projects.false.losses.determinations.evidence import share_overlap

from .replay import AuditedComparison

CRITERIA = ('dominant', 'overlap')
UNLABELLED = -1
RECIPE, RANDOM, ORACLE, ORACLE_OVERLAP = 'recipe', 'random', 'oracle', 'oracle_overlap'


def audited_rules(
    loss: Any, in_batch: bool, seed: int, names: list[str] | None = None, known: Collection[str] = ()
) -> dict[str, Determination | None]:
    """Collect the rules to audit, by name: the recipe's own, every known one with its defaults, and the controls.

    Args:
        loss: The recipe's loss; ``recipe`` is left out if it determines nothing.
        in_batch: Negatives come from the batch; False leaves out the rules that need that.
        seed: Seed of ``random``.
        names: The rules to keep; None keeps all.
        known: What the loader knows of the views, such as ``evidence``; rules that read more are left out.

    Returns:
        Rules by name; None for ``oracle_overlap``, whose picks are an argument of :func:`pick_pairs`.

    Raises:
        InputError: A name is unknown, or belongs to a rule that has no meaning with a queue.
    """
    rules: dict[str, Determination | None] = {RECIPE: loss.determination} if hasattr(loss, 'determination') else {}
    for name, kind in sorted(DETERMINATIONS.module_dict.items()):
        if name == ORACLE or issubclass(kind, Combined) or not set(kind.reads) <= set(known):
            continue
        if in_batch or not kind.in_batch_only:
            rules[name] = build_determination(name)
    rules |= {RANDOM: RandomPicks(seed=seed), ORACLE: build_determination(ORACLE), ORACLE_OVERLAP: None}
    if names is None:
        return rules
    unknown = [name for name in names if name not in rules]
    if unknown:
        raise InputError(f'--determinations {unknown[0]}: not one of {", ".join(rules)} for this recipe')
    return {name: rules[name] for name in names}


class RandomPicks(Determination):
    """Pick ``k`` random negatives for every anchor: the control whose lift is 1.

    Args:
        k: Number of negatives, at least 1; fewer where fewer exist.
        seed: Seed of the draws, which continue from one comparison to the next.
    """

    def __init__(self, k: int = 20, seed: int = 0) -> None:
        self.k, self.generator = k, torch.Generator().manual_seed(seed)

    def pairs(self, block: Block) -> Pairs:
        """Return F(i) among k random columns, shape (B, min(k, C))."""
        order = torch.rand(block.logits.shape, generator=self.generator).to(block.logits.device)
        order = order.masked_fill_(block.logits == -torch.inf, -1)
        values, columns = order.topk(min(self.k, order.shape[1]), dim=1)
        return Pairs(values >= 0, columns)


class KnownPicks(Determination):
    """Pick the negatives that a matrix marks.

    Args:
        known: True for the pairs to pick, bool, shape (R, C).
    """

    def __init__(self, known: Tensor) -> None:
        self.known = known

    def pairs(self, block: Block) -> Pairs:
        """Return F(i) among all columns, shape (B, C)."""
        return Pairs(self.known[block.anchors] & (block.logits > -torch.inf))


@torch.no_grad()
def pick_pairs(
    audited: AuditedComparison, rules: dict[str, Determination | None], overlapping: Tensor, device: torch.device
) -> dict[str, Tensor]:
    """Apply every rule to a comparison, before the gate.

    Args:
        audited: A comparison and what its views show.
        rules: Rules of :func:`audited_rules`.
        overlapping: Pairs that ``oracle_overlap`` picks, shape (R, C).
        device: Device of the comparison.

    Returns:
        F by the name of the rule, bool, shape (R, C), on the CPU.
    """
    rows, columns = (dominant_class(classes).to(device) for classes in (audited.row_classes, audited.column_classes))
    with_labels = replace(audited.comparison, labels=(rows, columns))
    picks = {}
    for name, rule in rules.items():
        # A recipe whose rule reads labels keeps the labels that it trains with.
        own_labels = name == RECIPE and audited.comparison.labels is not None
        comparison = audited.comparison if own_labels else with_labels
        determine = (rule or KnownPicks(overlapping.to(device))).prepare(comparison)
        picks[name] = determined_matrix(comparison, determine).cpu()
    return picks


def determined_matrix(comparison: Comparison, determine: Callable[[Block], Pairs]) -> Tensor:
    """Return F as a matrix, bool, shape (R, C)."""
    return torch.cat([determine(block).mask(len(comparison.columns)) for block in comparison.blocks()])


def negatives(comparison: Comparison) -> Tensor:
    """Return Neg(i) as a matrix, bool, shape (R, C), on the CPU."""
    return torch.cat([block.logits > -torch.inf for block in comparison.blocks()]).cpu()


def past_gate(comparison: Comparison, threshold: float) -> Tensor:
    """Return True for anchors whose own views agree, c_ip >= T, bool, shape (R, 1), on the CPU."""
    return (comparison.positive_logits.detach() * comparison.temperature >= threshold).cpu()


def cosines(comparison: Comparison) -> Tensor:
    """Return c_ij of all anchors and columns, shape (R, C), on the CPU."""
    with torch.autocast(comparison.rows.device.type, enabled=False):
        return (comparison.rows.detach() @ comparison.columns.detach().T).cpu()


def true_pairs(row_classes: Tensor, column_classes: Tensor, level: float) -> dict[str, Tensor]:
    """Find the pairs that share their land cover, by criterion.

    Args:
        row_classes: Pixels of every class that the anchors show, shape (R, classes).
        column_classes: Pixels of every class that the columns show, shape (C, classes).
        level: Overlap above which criterion ``overlap`` holds, in [0, 1].

    Returns:
        Bool, shape (R, C), for ``dominant`` (the same dominant class) and for ``overlap``.
    """
    return {
        'dominant': same_dominant(row_classes, column_classes),
        'overlap': histogram_overlap(row_classes, column_classes) > level,
    }


def both_labelled(row_classes: Tensor, column_classes: Tensor) -> Tensor:
    """Find the pairs in which both views have labelled pixels; others are not counted. Bool, shape (R, C)."""
    return (row_classes.sum(1) > 0)[:, None] & (column_classes.sum(1) > 0)


def dominant_class(classes: Tensor) -> Tensor:
    """Return the class with the most labelled pixels, the lowest on a tie, or -1 without a labelled pixel, (N,)."""
    return torch.where(classes.sum(1) > 0, classes.argmax(1), UNLABELLED)


def same_dominant(row_classes: Tensor, column_classes: Tensor) -> Tensor:
    """Find the pairs with the same dominant class; views without a label share nothing. Bool, shape (R, C)."""
    rows, columns = dominant_class(row_classes), dominant_class(column_classes)
    return (rows[:, None] == columns) & both_labelled(row_classes, column_classes)


def histogram_overlap(row_classes: Tensor, column_classes: Tensor) -> Tensor:
    """Return the overlap of the label histograms of every two views, sum_c min(h_ic, h_jc).

    Returns:
        Shape (R, C), float32 in [0, 1]; 0 for views without a label.
    """
    rows, columns = (counts / counts.sum(1, keepdim=True).clamp(min=1) for counts in (row_classes, column_classes))
    return share_overlap(rows, columns)
