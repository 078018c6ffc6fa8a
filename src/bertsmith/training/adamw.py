"""AdamW whose pass over memory clips the gradients too, where there are kernels for it."""

from typing import Any

import torch
from torch import Tensor

from bertsmith.model import cpu_kernels
from bertsmith.training.uncompiled import Uncompiled

__all__ = ["AdamW"]


class AdamW(Uncompiled, torch.optim.AdamW):
    """`torch.optim.AdamW`, fused, with the same state; on a CPU faster by kernels of our own.

    Args:
        params: parameters or groups of them.
        uses_kernels: whether to use them where all of a step's tensors are what they take.
        **settings: those of `torch.optim.AdamW`.
    """

    def __init__(self, params: Any, *, uses_kernels: bool = False, **settings: Any) -> None:
        self._uses_kernels = uses_kernels
        self._factor = 1.0
        super().__init__(params, **settings, fused=True)

    def clip(self, largest: float) -> Tensor | None:
        """Lets the next step use gradients scaled down to a global norm; they stay as they are.

        Args:
            largest: the norm; 0 leaves the gradients as long as they are.

        Returns:
            The norm before, float32 []; None where there are no kernels, and nothing is done.
        """
        self._factor = 1.0
        parameters = self._with_gradients()
        if not self._has_kernels(parameters):
            return None
        norm = cpu_kernels.gradient_norm(_gradients(parameters))
        if largest > 0:  # as `clip_grad_norm_` has it
            self._factor = min(1.0, largest / (float(norm) + 1e-6))
        return norm

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Does one update of all parameters that have a gradient."""
        factor, self._factor = self._factor, 1.0
        parameters = self._with_gradients()
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter] = self.fresh_state(parameter)
        if not self._has_kernels(parameters):
            if factor != 1.0:  # what `clip` promised
                torch._foreach_mul_(_gradients(parameters), factor)
            super().step(closure)
            return
        for group in self.param_groups:
            self._update(group, factor)

    def fresh_state(self, parameter: Tensor) -> dict[str, Tensor]:
        """What is kept of a parameter, before its first update."""
        return {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }

    def _with_gradients(self) -> list[Tensor]:
        groups = self.param_groups
        return [p for group in groups for p in group["params"] if p.grad is not None]

    def _has_kernels(self, parameters: list[Tensor]) -> bool:
        """Whether they can do the update of these parameters, and nothing else was asked for."""
        tensors = [tensor for p in parameters for tensor in (p, p.grad) if tensor is not None]
        is_special = any(hasattr(self, name) for name in ("grad_scale", "found_inf"))
        return self._uses_kernels and not is_special and cpu_kernels.is_updatable(*tensors)

    def _update(self, group: dict[str, Any], factor: float) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        if not parameters:
            return
        states = [self.state[parameter] for parameter in parameters]
        numbers = [state["step"] for state in states]
        torch._foreach_add_(numbers, 1)
        cpu_kernels.adamw_update(
            parameters,
            _gradients(parameters),
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            torch.stack(numbers).tolist(),
            factor=factor,
            learning_rate=group["lr"],
            betas=group["betas"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
        )


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
