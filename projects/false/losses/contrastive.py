"""What all losses here have in common: from projections to a mean over anchors."""

from torch import Tensor, nn

from .ranges import check_temperature
from .similarity import Similarities, in_batch_similarities, queue_similarities


class ContrastiveLoss(nn.Module):
    """Base of losses over two views of a batch, or over queries, keys and a queue.

    A subclass says in :meth:`per_anchor` what an anchor costs.

    Args:
        temperature: tau > 0.
        gather: Compare with the views of all processes of a run, else with this process's own. The mean of the losses
            over processes, and the gradients that DistributedDataParallel averages, are then those of one process with
            the whole batch.

    Shape:
        view1, view2: (N, D) projections, not normalised, row i of both from the same image; with ``queue`` they are
        queries and keys. queue: (K, D), past keys. excluded: (N, K) or (K,), bool, places of the queue that are no
        negatives. Output: scalar, float32 (float64 for float64 input).

    Raises:
        InputError: The temperature is out of range, or the shapes do not fit.
    """

    def __init__(self, temperature: float, gather: bool = True) -> None:
        super().__init__()
        check_temperature(type(self).__name__, temperature)
        self.temperature = temperature
        self.gather = gather

    def forward(
        self, view1: Tensor, view2: Tensor, queue: Tensor | None = None, excluded: Tensor | None = None
    ) -> Tensor:
        """Mean of L_i over this process's anchors: 2N rows, or N queries with a queue."""
        if queue is None:
            similarities = in_batch_similarities(view1, view2, self.temperature, self.gather)
        else:
            similarities = queue_similarities(view1, view2, queue, self.temperature, excluded, self.gather)
        return self.per_anchor(similarities).mean()

    def per_anchor(self, similarities: Similarities) -> Tensor:
        """L_i, shape (R,)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f'temperature={self.temperature}'
