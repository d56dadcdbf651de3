"""NT-Xent, the loss of SimCLR: the baseline that knows nothing of false negatives."""

from mmengine.registry import MODELS
from torch import Tensor, nn

from .calibration import calibrated_cross_entropy
from .ranges import check_temperature
from .similarity import in_batch_similarities


@MODELS.register_module()
class NTXentLoss(nn.Module):
    """Normalised temperature-scaled cross entropy (SimCLR, arXiv 2002.05709, equation 1).

    Args:
        temperature: tau > 0.

    Shape:
        view1, view2: (N, D) projections, not normalised. Output: scalar.

    Raises:
        InputError: The temperature is out of range, or the views are not two (N, D) tensors of one shape.
    """

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        check_temperature('NTXentLoss', temperature)
        self.temperature = temperature

    def forward(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Mean over the 2N anchors of logsumexp_{j != i} s_ij - s_ip."""
        similarities = in_batch_similarities(view1, view2, self.temperature)
        return calibrated_cross_entropy(similarities, None, 0.0).mean()

    def extra_repr(self) -> str:
        return f'temperature={self.temperature}'
