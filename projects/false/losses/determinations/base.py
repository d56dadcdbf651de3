"""The interface of a determination, the pairs that it returns, and the registry that builds one from a config."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from mmengine.registry import Registry
from torch import Tensor

from projects.false.common.errors import InputError

from ..comparison import Block, Comparison

DETERMINATIONS = Registry('determination', scope='mmengine')


class Pairs(NamedTuple):
    """F(i) for a block of anchors: a choice among k candidate columns per anchor, or among all columns.

    Attributes:
        chosen: True where the pair is determined, bool, shape (B, k), or (B, C) if ``columns`` is None.
        columns: The k candidate columns of every anchor, shape (B, k). Those that are chosen differ from one another.
            None for all columns in order.
        confidence: alpha_ij / alpha, in (0, 1] where a pair is chosen and 0 elsewhere, shape of ``chosen``. None gives
            every pair the full alpha.
    """

    chosen: Tensor
    columns: Tensor | None = None
    confidence: Tensor | None = None

    def gated(self, gate: Tensor) -> 'Pairs':
        """Keep the pairs of anchors whose ``gate``, bool, shape (B, 1), is True."""
        # Multiplying bytes is faster than a logical and.
        return self._replace(chosen=(self.chosen.view(torch.uint8) * gate.view(torch.uint8)).view(torch.bool))

    def of(self, values: Tensor) -> Tensor:
        """Return the values, shape (B, C), at the candidate columns, chosen or not: shape of ``chosen``."""
        return values if self.columns is None else values.gather(1, self.columns)

    def among(self, logits: Tensor, largest_gap: float) -> Tensor:
        """Keep the logits of chosen pairs and lower all others until their exponentials vanish.

        Adding a constant takes a fraction of the time of ``torch.where``. The constant is no larger than it must be,
        because -inf, or a number far beyond what vanishes, makes the exponential ten times slower.

        Args:
            logits: Logits at the candidate columns, shape of ``chosen``.
            largest_gap: Largest possible difference of two logits, 2 / tau.

        Returns:
            Shape of ``chosen``.
        """
        # 2^33 terms of e^-40 stay below the last bit of a float32, and 2^62 of e^-80 below that of a float64.
        return logits + self.weights(logits.dtype).sub_(1).mul_(
            largest_gap + (80 if logits.dtype == torch.float64 else 40)
        )

    def weights(self, dtype: torch.dtype) -> Tensor:
        """Return 1 where a pair is chosen and 0 elsewhere, shape of ``chosen``."""
        return self.chosen.view(torch.uint8).to(dtype)  # bytes convert seven times faster than bool

    def mask(self, columns: int) -> Tensor:
        """Return F as a matrix over that many columns, bool, shape (B, ``columns``)."""
        if self.columns is None:
            return self.chosen
        counts = torch.zeros(len(self.chosen), columns, dtype=torch.uint8, device=self.chosen.device)
        return counts.scatter_add_(1, self.columns, self.chosen.to(torch.uint8)).bool()

    @classmethod
    def none(cls, logits: Tensor) -> 'Pairs':
        """Return an empty F for anchors with these logits, shape (B, C): no candidate columns at all."""
        columns = torch.zeros(len(logits), 0, dtype=torch.long, device=logits.device)
        return cls(columns.bool(), columns)


class Determination:
    """Base of the rules of false-negative self-determination (FNSD), which pick an anchor's probable false negatives.

    A rule that looks at one anchor at a time implements :meth:`pairs`. A rule that looks at the whole batch implements
    :meth:`prepare`. The loss applies the gate c_ip >= T afterwards, and runs every rule without gradient: F is a
    constant. Source: FALSE (arXiv 2211.07928).

    Attributes:
        in_batch_only: True if the rule has no meaning with a queue; :meth:`check_queue` then refuses one.
        graded: True if the pairs of the rule have a confidence.
        reads: What the rule reads besides projections, by names in :data:`~projects.false.losses.comparison.KNOWN`.
        rules: The rules that this one combines.
    """

    in_batch_only = False
    graded = False
    reads: tuple[str, ...] = ()
    rules: 'tuple[Determination, ...]' = ()

    @property
    def name(self) -> str:
        """The name by which a config calls the rule."""
        return next(
            (name for name, kind in DETERMINATIONS.module_dict.items() if kind is type(self)), type(self).__name__
        )

    def all_rules(self) -> 'Iterator[Determination]':
        """Yield the rule itself and all that it combines, directly or through others."""
        yield self
        for rule in self.rules:
            yield from rule.all_rules()

    def read(self, comparison: Comparison, field: str, way_out: str) -> tuple[Tensor, Tensor]:
        """Return a field of the comparison for its rows and for its columns.

        Args:
            comparison: The comparison.
            field: One of :attr:`reads`.
            way_out: For the error message: how to pass the field to the loss.

        Raises:
            InputError: The loss did not get it.
        """
        known: tuple[Tensor, Tensor] | None = getattr(comparison, field)
        if known is None:
            needed = field if comparison.images is not None else f'{field} and queue_{field}'
            raise InputError(f'determination {self.name} needs {needed}: call the loss with them, or {way_out}')
        return known

    def check_queue(self) -> None:
        """Refuse to work with a queue if the rule has no meaning there.

        Raises:
            InputError: :attr:`in_batch_only` is set.
        """
        if self.in_batch_only:
            raise InputError(
                f'determination {self.name} compares the rows of a batch with one '
                'another, which has no meaning with a queue; choose anchor_nearest for FALSEMoCo'
            )

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Look at the whole comparison if the rule needs to, and return a function that maps a block to its pairs."""
        return self.pairs

    def pairs(self, block: Block) -> Pairs:
        """Return F(i), a subset of Neg(i), for the anchors of a block."""
        raise NotImplementedError


def build_determination(spec: str | type[Determination] | dict[str, Any]) -> Determination:
    """Build a determination from its name or class, or from ``dict(type=name or class, ...)``.

    Raises:
        InputError: The name is unknown, or the rule does not take these arguments.
    """
    arguments = dict(spec) if isinstance(spec, dict) else {'type': spec}
    name = arguments.pop('type', None)
    known = sorted(DETERMINATIONS.module_dict)
    if isinstance(name, type) and issubclass(name, Determination):
        kind = name
    elif isinstance(name, str) and name in known:
        kind = DETERMINATIONS.module_dict[name]
    else:
        raise InputError(f'unknown determination {name!r}; choose one of {", ".join(known)}')
    try:
        determination: Determination = kind(**arguments)
    except TypeError as error:
        raise InputError(f'determination {name!r} does not take these arguments: {arguments} ({error})') from error
    return determination
