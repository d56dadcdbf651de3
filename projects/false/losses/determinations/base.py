"""What a determination is, and how a config names one."""

from collections.abc import Callable

from mmengine.registry import Registry

from projects.false.errors import InputError

from ..comparison import Block, Comparison
from ..pairs import Pairs

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
