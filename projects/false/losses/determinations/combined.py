"""all_of, any_of and in_turn: rules that combine others."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from projects.false.common.errors import InputError, check_range

from ..comparison import Block, Comparison
from .base import DETERMINATIONS, Determination, Pairs, build_determination


class Combined(Determination):
    """Base of rules that combine others.

    Args:
        rules: Two or more rules, each written as for the loss.

    Raises:
        InputError: There are fewer than two, or one is unknown.
    """

    def __init__(self, rules: Sequence[str | dict[str, Any]]) -> None:
        if not isinstance(rules, list | tuple) or len(rules) < 2:
            raise InputError(f'rules of determination {self.name} is a list of at least two rules, got {rules!r}')
        self.rules = tuple(build_determination(rule) for rule in rules)
        self.graded = any(rule.graded for rule in self.rules)
        self.reads = tuple(dict.fromkeys(name for rule in self.rules for name in rule.reads))
        self.in_batch_only = any(rule.in_batch_only for rule in self.rules)

    def check_queue(self) -> None:
        """Refuse to work with a queue if a rule has no meaning there."""
        for rule in self.rules:
            rule.check_queue()

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Prepare all rules, and return the function that combines their pairs."""
        determine = [rule.prepare(comparison) for rule in self.rules]
        return lambda block: self.combine([pairs(block) for pairs in determine], block.logits.shape[1])

    def combine(self, found: list[Pairs], columns: int) -> Pairs:
        """Combine the F(i) of all rules, over ``columns`` columns."""
        raise NotImplementedError


@DETERMINATIONS.register_module(name='all_of')
class AllOf(Combined):
    r"""Determine the pairs that all rules determine.

    .. math:: F(i) = \bigcap_r F_r(i), \quad \alpha_{ij} = \alpha \prod_r b_{r,ij}

    where :math:`b_{r,ij}` is the confidence of rule r in the pair, 1 without one.

    Example:
        >>> rules = [dict(type='evidence', overlap=0.6), dict(type='nearest_features', k=20)]
        >>> loss = dict(type='FALSELoss', determination=dict(type='all_of', rules=rules))
    """

    def combine(self, found: list[Pairs], columns: int) -> Pairs:
        """Return the intersection, among the candidates of the first rule that names its candidates."""
        base = next((pairs for pairs in found if pairs.columns is not None), found[0])
        chosen, confidence = base.chosen, base.confidence
        for pairs in found:
            if pairs is base:
                continue
            chosen = chosen & base.of(pairs.mask(columns))
            if pairs.confidence is not None:
                own = base.of(confidences(pairs, columns))
                confidence = own if confidence is None else confidence * own
        return Pairs(chosen, base.columns, None if confidence is None else torch.where(chosen, confidence, 0))


@DETERMINATIONS.register_module(name='any_of')
class AnyOf(Combined):
    r"""Determine the pairs that any of the rules determines.

    .. math:: F(i) = \bigcup_r F_r(i), \quad \alpha_{ij} = \alpha \max_{r : j \in F_r(i)} b_{r,ij}

    where :math:`b_{r,ij}` is the confidence of rule r in the pair, 1 without one.
    """

    def combine(self, found: list[Pairs], columns: int) -> Pairs:
        """Return the union among all columns."""
        chosen = torch.stack([pairs.mask(columns) for pairs in found]).any(0)
        if all(pairs.confidence is None for pairs in found):
            return Pairs(chosen)
        return Pairs(chosen, None, torch.stack([confidences(pairs, columns) for pairs in found]).amax(0))


@DETERMINATIONS.register_module(name='in_turn')
class InTurn(Combined):
    """Determine pairs by one rule after another in the course of training.

    ``DeterminationScheduleHook`` among the ``custom_hooks`` tells the rule how far training has progressed.

    Args:
        rules: Two or more rules, in the order of their turns.
        at: Shares of training in (0, 1), ascending, at which the next rule takes over; one fewer than the rules.

    Raises:
        InputError: The shares do not fit, or the hook is missing.

    Attributes:
        progress: Finished share of training, in [0, 1]; None unless the hook sets it.
    """

    progress: float | None = None

    def __init__(self, rules: Sequence[str | dict[str, Any]], at: Sequence[float] = (0.5,)) -> None:
        super().__init__(rules)
        for share in at:
            check_range('at (shares of training) of determination in_turn', share, 0, 1)
        if len(at) != len(rules) - 1 or any(first >= second for first, second in pairwise(at)):
            raise InputError(
                f'at of determination in_turn has {len(rules) - 1} ascending shares for {len(rules)} rules, got '
                f'{list(at)}'
            )
        self.at = tuple(at)

    @property
    def turn(self) -> int:
        """The number of the rule whose turn it is, from 0.

        Raises:
            InputError: :attr:`progress` was not set.
        """
        progress = self.progress
        if progress is None:
            raise InputError(
                'determination in_turn does not know how far training is; add '
                "dict(type='DeterminationScheduleHook') to custom_hooks"
            )
        return sum(progress >= share for share in self.at)

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Prepare the rule whose turn it is."""
        return self.rules[self.turn].prepare(comparison)


def confidences(pairs: Pairs, columns: int) -> Tensor:
    """Return the confidence of every pair as a matrix over that many columns, 0 where it is not chosen."""
    if pairs.confidence is None:
        return pairs.mask(columns).float()
    weighted = torch.where(pairs.chosen, pairs.confidence, 0)
    if pairs.columns is None:
        return weighted
    return weighted.new_zeros(len(weighted), columns).scatter_add_(1, pairs.columns, weighted)


def turns(rule: Determination) -> Iterator[InTurn]:
    """Return the rules that take turns, in a rule and in all that it combines."""
    return (part for part in rule.all_rules() if isinstance(part, InTurn))
