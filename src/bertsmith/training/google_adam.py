"""Adam as google-research/bert has it."""

from typing import Any

import torch

__all__ = ["GoogleAdam"]

# Bias correction divides the moments by 1 - beta^t. So late it is 1 in double precision, for every
# beta up to 1 - 1e-7; and adding 1 to it changes nothing in fp32.
_LATE = 1e9


class GoogleAdam(torch.optim.AdamW):
    r"""Adam with decoupled weight decay and without bias correction.

    $m \leftarrow \beta_1 m + (1-\beta_1) g$, $v \leftarrow \beta_2 v + (1-\beta_2) g^2$,
    $\theta \leftarrow \theta - \eta\,(m / (\sqrt v + \epsilon) + \lambda\theta)$.

    The first updates are larger than AdamW's, by up to $(1-\beta_1)/\sqrt{1-\beta_2}$ (3.2 by
    default), which warm-up makes up for. It runs on PyTorch's fused AdamW, whose step counts stand
    so late that nothing is left of the correction.

    **Source**: `AdamWeightDecayOptimizer` in `optimization.py` of google-research/bert.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: decay of the gradient's mean and of its square.
        eps: added to the root of the second moment.
        weight_decay: decoupled weight decay.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> weight.grad = torch.full((1,), 0.5)
        >>> GoogleAdam([weight], lr=0.1, betas=(0.9, 0.999), eps=0.0, weight_decay=0.0).step()
        >>> round((1 - weight.item()) / 0.1, 4)  # 0.1 * 0.5 / (0.001**0.5 * 0.5)
        3.1623
    """

    def __init__(
        self,
        params: Any,
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Does one update of all parameters that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and not self.state[parameter]:
                    self.state[parameter] = {
                        "step": torch.full((), _LATE, device=parameter.device),
                        "exp_avg": torch.zeros_like(parameter),
                        "exp_avg_sq": torch.zeros_like(parameter),
                    }
        super().step(closure)
