"""Adam as google-research/bert has it."""

import torch
from torch import Tensor

from bertsmith.training.adamw import AdamW

__all__ = ["GoogleAdam"]

# Bias correction divides the moments by 1 - beta^t. So late it is 1 in double precision, for every
# beta up to 1 - 1e-7; and adding 1 to it changes nothing in fp32.
_LATE = 1e9


class GoogleAdam(AdamW):
    r"""Adam with decoupled weight decay and without bias correction.

    $m \leftarrow \beta_1 m + (1-\beta_1) g$, $v \leftarrow \beta_2 v + (1-\beta_2) g^2$,
    $\theta \leftarrow \theta - \eta\,(m / (\sqrt v + \epsilon) + \lambda\theta)$.

    The first updates are larger than AdamW's, by up to $(1-\beta_1)/\sqrt{1-\beta_2}$ (3.2 by
    default), which warm-up makes up for. It is a fused AdamW whose step counts stand
    so late that nothing is left of the correction.

    **Source**: `AdamWeightDecayOptimizer` in `optimization.py` of google-research/bert.

    Args:
        params: parameters or groups of them.
        **settings: those of `AdamW`.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> weight.grad = torch.full((1,), 0.5)
        >>> GoogleAdam([weight], lr=0.1, betas=(0.9, 0.999), eps=0.0, weight_decay=0.0).step()
        >>> round((1 - weight.item()) / 0.1, 4)  # 0.1 * 0.5 / (0.001**0.5 * 0.5)
        3.1623
    """

    def fresh_state(self, parameter: Tensor) -> dict[str, Tensor]:
        """What is kept of a parameter, before its first update."""
        late = torch.full((), _LATE, dtype=torch.float32, device=parameter.device)
        return {**super().fresh_state(parameter), "step": late}
