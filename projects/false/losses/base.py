"""What all losses here have in common: from projections to a mean over anchors."""

from torch import Tensor, nn

from projects.false.common.errors import check_count, check_temperature
from projects.false.errors import InputError

from .build_comparison import in_batch_comparison, queue_comparison
from .comparison import Block, Comparison
from .linear_memory import mean_over_anchors
from .observation import Observation


class ContrastiveLoss(nn.Module):
    """Base of losses over two views of a batch, or over queries, keys and a queue.

    A subclass says in :meth:`per_anchor` what an anchor costs. After every call ``seen`` holds what the loss saw, by
    the names of :meth:`.observation.Observation.summary`, for the log.

    Args:
        temperature: tau > 0.
        gather: Compare with the views of all processes of a run, else with this process's own. The mean of the losses
            over processes, and the gradients that DistributedDataParallel averages, are then those of one process with
            the whole batch.
        chunk_size: Anchors that are compared at a time; memory grows with chunk_size times the batch. None chooses a
            size that is fast, which bounds memory as well. The result does not depend on it.

    Shape:
        view1, view2: (N, D) projections, not normalised, row i of both from the same image; with ``queue`` they are
        queries and keys. queue: (K, D), past keys. excluded: (N, K) or (K,), bool, places of the queue that are no
        negatives. labels: (N,), or (2N, classes) for shares of classes of each view; queue_labels: (K,); both for
        determination ``oracle`` alone. Output: scalar, float32 (float64 for float64 input), differentiable once.

    Raises:
        InputError: An argument is out of range, or the shapes do not fit.
    """

    def __init__(self, temperature: float, gather: bool = True, chunk_size: int | None = None) -> None:
        super().__init__()
        check_temperature(type(self).__name__, temperature)
        if chunk_size is not None:
            check_count(f'chunk_size of {type(self).__name__}', chunk_size)
        self.temperature = temperature
        self.gather = gather
        self.chunk_size = chunk_size
        self.seen: dict[str, Tensor] = {}

    def forward(
        self,
        view1: Tensor,
        view2: Tensor,
        queue: Tensor | None = None,
        excluded: Tensor | None = None,
        labels: Tensor | None = None,
        queue_labels: Tensor | None = None,
    ) -> Tensor:
        """Mean of L_i over this process's anchors: 2N rows, or N queries with a queue."""
        comparison = self.compare(view1, view2, queue, excluded, labels, queue_labels)
        observation = Observation(comparison)
        mean = mean_over_anchors(comparison, self.cost(comparison, observation))
        self.seen = observation.summary()
        return mean

    def compare(
        self,
        view1: Tensor,
        view2: Tensor,
        queue: Tensor | None = None,
        excluded: Tensor | None = None,
        labels: Tensor | None = None,
        queue_labels: Tensor | None = None,
    ) -> Comparison:
        """What the inputs of the loss amount to."""
        if queue is None:
            if excluded is not None:
                raise InputError('excluded tells places of a queue and there is no queue; leave it out or give queue=')
            return in_batch_comparison(view1, view2, self.temperature, self.gather, self.chunk_size, labels)
        return queue_comparison(
            view1, view2, queue, self.temperature, excluded, self.gather, self.chunk_size, labels, queue_labels
        )

    def cost(self, comparison: Comparison, observation: Observation):
        """The function from a block to L_i of its anchors, shape (B, 1); it tells the observation what it sees."""

        def cost(block: Block) -> Tensor:
            observation.add(block, None, None)
            return self.per_anchor(block)

        return cost

    def per_anchor(self, block: Block) -> Tensor:
        """L_i, shape (B, 1)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f'temperature={self.temperature}'
