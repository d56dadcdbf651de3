"""What a determination is, the pairs that it yields, and how a config names one."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.registry import Registry
from torch import Tensor

from projects.false.common.errors import InputError

from ..comparison import Block, Comparison


class Pairs(NamedTuple):
    """F(i) of a block of anchors, as k columns an anchor of which some are chosen, or as a choice among all columns.

    Attributes:
        chosen: True where the pair is determined, bool, shape (B, k), or (B, C) if ``columns`` is None.
        columns: The k columns of every anchor, those chosen all different, shape (B, k); None for all columns.
    """

    chosen: Tensor
    columns: Tensor | None = None

    def gated(self, gate: Tensor) -> 'Pairs':
        """The pairs of anchors where ``gate``, bool, shape (B, 1), is True."""
        return self._replace(chosen=(self.chosen.view(torch.uint8) * gate.view(torch.uint8)).view(torch.bool))

    def of(self, values: Tensor) -> Tensor:
        """The values, shape (B, C), of the k columns of every anchor, chosen or not."""
        return values if self.columns is None else values.gather(1, self.columns)

    def among(self, logits: Tensor, spread: float) -> Tensor:
        """The logits, shape of ``chosen``, where a pair is chosen, and less by so much that they vanish elsewhere.

        A sum, which takes a fraction of the time of a choice. -inf, or any number far beyond what vanishes, would slow
        the exponential down by ten.

        Args:
            logits: Of the k columns, or of all.
            spread: The largest difference of two logits, 2 / tau.
        """
        # e^-80 of 2^40 terms is still nothing beside the last bit of a float64.
        return logits + self.weights(logits.dtype).sub_(1).mul_(spread + 80)

    def weights(self, dtype: torch.dtype) -> Tensor:
        """1 where a pair is chosen, 0 elsewhere, shape of ``chosen``."""
        return self.chosen.view(torch.uint8).to(dtype)  # bytes are converted seven times faster than bool

    def mask(self, columns: int) -> Tensor:
        """F as a matrix, bool, shape (B, ``columns``)."""
        if self.columns is None:
            return self.chosen
        counts = torch.zeros(len(self.chosen), columns, dtype=torch.uint8, device=self.chosen.device)
        return counts.scatter_add_(1, self.columns, self.chosen.to(torch.uint8)).bool()

    @classmethod
    def none(cls, logits: Tensor, k: int = 0) -> 'Pairs':
        """No pair at all, for anchors of these logits, in k columns."""
        columns = torch.zeros(len(logits), k, dtype=torch.long, device=logits.device)
        return cls(columns.bool(), columns)


DETERMINATIONS = Registry('determination', scope='mmengine')


class Determination:
    """False-negative self-determination (FNSD): which negatives of an anchor are probably views of the same land cover.

    A rule that looks at one anchor at a time implements :meth:`pairs`. One that looks at the whole batch implements
    :meth:`prepare`. The gate c_ip >= T is not its business: the loss applies it last. Nothing here is differentiated.
    Source: FALSE (arXiv 2211.07928).

    Attributes:
        in_batch_only: The rule has no meaning with a queue, and :func:`refuse_queue` says so.
    """

    in_batch_only = False

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Look at all blocks first where that is needed; gives the function that determines the pairs of a block."""
        return self.pairs

    def pairs(self, block: Block) -> Pairs:
        """F(i) of the anchors of a block, a subset of Neg(i)."""
        raise NotImplementedError


def refuse_queue(name: str, comparison: Comparison, reason: str) -> None:
    """Refuse a comparison with a queue.

    Raises:
        InputError: The columns are a queue.
    """
    if comparison.images is None:
        raise InputError(
            f'determination {name} {reason}, which a queue does not have; choose anchor_nearest for FALSEMoCo'
        )


def build_determination(spec: str | dict) -> Determination:
    """Build a determination from its name or ``dict(type=name, ...)``.

    Raises:
        InputError: The name is unknown or an argument does not belong to it.
    """
    if not isinstance(spec, str | dict):
        raise InputError(f'determination is a name or a dict(type=name, ...), got {spec!r}')
    arguments = {'type': spec} if isinstance(spec, str) else dict(spec)
    name = arguments.pop('type', None)
    known = sorted(DETERMINATIONS.module_dict)
    if name not in known:
        raise InputError(f'unknown determination {name!r}; choose one of {", ".join(known)}')
    try:
        return DETERMINATIONS.module_dict[name](**arguments)
    except TypeError as error:
        raise InputError(f'determination {name!r} does not take these arguments: {arguments} ({error})') from error
