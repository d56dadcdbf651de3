"""The pairs that every determination picks on one comparison, and the pairs that are right by their labels."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.losses.comparison import Block, Comparison
from projects.false.losses.determinations import DETERMINATIONS, Determination, build_determination
from projects.false.losses.determinations.base import Pairs
from projects.false.losses.determinations.oracle import share_overlap

from .replay import AuditedComparison

CRITERIA = ('dominant', 'overlap')
UNLABELLED = -1


def dominant_class(classes: Tensor) -> Tensor:
    """The class that most labelled pixels have, shape (N,), the lowest of equal ones; -1 without a labelled pixel."""
    return torch.where(classes.sum(1) > 0, classes.argmax(1), UNLABELLED)


def judged(row_classes: Tensor, column_classes: Tensor) -> Tensor:
    """Pairs of which both views have labelled pixels; the others are not counted."""
    return (row_classes.sum(1) > 0)[:, None] & (column_classes.sum(1) > 0)


def same_dominant(row_classes: Tensor, column_classes: Tensor) -> Tensor:
    """Pairs with one dominant class; views without a label share nothing."""
    rows, columns = dominant_class(row_classes), dominant_class(column_classes)
    return (rows[:, None] == columns) & judged(row_classes, column_classes)


def histogram_overlap(row_classes: Tensor, column_classes: Tensor) -> Tensor:
    """Share of the labelled pixels that two views have in common, class by class: sum_c min(h_ic, h_jc).

    Returns:
        Shape (R, C), float32 in [0, 1]; 0 for views without a label.
    """
    return share_overlap(*(n / n.sum(1, keepdim=True).clamp(min=1) for n in (row_classes, column_classes)))


def truth(row_classes: Tensor, column_classes: Tensor, level: float) -> dict[str, Tensor]:
    """Pairs that share their land cover, by criterion; ``overlap`` is an overlap above ``level``."""
    return {
        'dominant': same_dominant(row_classes, column_classes),
        'overlap': histogram_overlap(row_classes, column_classes) > level,
    }


RECIPE, RANDOM, ORACLE, ORACLE_OVERLAP = 'recipe', 'random', 'oracle', 'oracle_overlap'


class RandomPicks(Determination):
    """For every anchor ``k`` negatives by chance, whatever they look like: the control whose lift is 1.

    Args:
        k: At least 1; fewer where fewer negatives exist.
        seed: Of the draws, which go on from one comparison to the next.
    """

    def __init__(self, k: int = 20, seed: int = 0) -> None:
        self.k, self.generator = k, torch.Generator().manual_seed(seed)

    def pairs(self, block: Block) -> Pairs:
        order = torch.rand(block.logits.shape, generator=self.generator).to(block.logits.device)
        order = order.masked_fill_(block.logits == -torch.inf, -1)
        values, columns = order.topk(min(self.k, order.shape[1]), dim=1)
        return Pairs(values >= 0, columns)


class KnownPicks(Determination):
    """The negatives that a matrix says, shape (R, C), bool."""

    def __init__(self, known: Tensor) -> None:
        self.known = known

    def pairs(self, block: Block) -> Pairs:
        return Pairs(self.known[block.anchors] & (block.logits > -torch.inf))


def determinations(loss, in_batch: bool, seed: int, names: list[str] | None = None) -> dict[str, Determination]:
    """What is audited, by name: the recipe's own rule, every known rule with its defaults, and the controls.

    Args:
        loss: The recipe's loss; ``recipe`` is left out where it determines nothing.
        in_batch: Negatives are from the batch; else rules that need it are left out.
        seed: Of ``random``.
        names: Only these; None is all.

    Raises:
        InputError: A name is unknown, or of a rule that has no meaning with a queue.
    """
    found = {RECIPE: loss.determination} if hasattr(loss, 'determination') else {}
    for name, kind in sorted(DETERMINATIONS.module_dict.items()):
        if name != ORACLE and (in_batch or not kind.in_batch_only):
            found[name] = build_determination(name)
    found |= {RANDOM: RandomPicks(seed=seed), ORACLE: build_determination(ORACLE), ORACLE_OVERLAP: None}
    if names is None:
        return found
    unknown = [name for name in names if name not in found]
    if unknown:
        raise InputError(f'--determinations {unknown[0]}: not one of {", ".join(found)} for this recipe')
    return {name: found[name] for name in names}


def picked(
    audited: AuditedComparison, rules: dict[str, Determination], overlapping: Tensor, device: torch.device
) -> dict[str, Tensor]:
    """F before the gate by every rule, bool, shape (R, C), on the CPU.

    Args:
        audited: A comparison.
        rules: Of :func:`determinations`.
        overlapping: Pairs that ``oracle_overlap`` picks, shape (R, C).
        device: Where the comparison is.
    """
    labels = tuple(dominant_class(classes).to(device) for classes in (audited.row_classes, audited.column_classes))
    dominant = replace(audited.comparison, labels=labels)
    found = {}
    with torch.no_grad():
        for name, rule in rules.items():
            # a recipe that reads labels keeps those that it trains with
            own = name == RECIPE and audited.comparison.labels is not None
            comparison = audited.comparison if own else dominant
            found[name] = choice(comparison, (rule or KnownPicks(overlapping.to(device))).prepare(comparison)).cpu()
    return found


def choice(comparison: Comparison, determine: Callable[[Block], Pairs]) -> Tensor:
    """F as a matrix, bool, shape (R, C)."""
    return torch.cat([determine(block).mask(len(comparison.columns)) for block in comparison.blocks()])


def negatives(comparison: Comparison) -> Tensor:
    """Neg(i) as a matrix, bool, shape (R, C), on the CPU."""
    return torch.cat([block.logits > -torch.inf for block in comparison.blocks()]).cpu()


def gate(comparison: Comparison, threshold: float) -> Tensor:
    """Anchors whose own views agree, c_ip >= T, bool, shape (R, 1), on the CPU."""
    return (comparison.positive_logits.detach() * comparison.temperature >= threshold).cpu()


def cosines(comparison: Comparison) -> Tensor:
    """c_ij of all anchors and columns, shape (R, C), on the CPU."""
    with torch.autocast(comparison.rows.device.type, enabled=False):
        return (comparison.rows.detach() @ comparison.columns.detach().T).cpu()
