"""LAMB, for batches of tens of thousands of sequences."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from bertsmith.training.uncompiled import Uncompiled

__all__ = ["LAMB"]


class LAMB(Uncompiled):
    r"""Adam whose update of each tensor is scaled to the length of that tensor.

    With Adam's bias-corrected moments $\hat m$ and $\hat v$:
    $u = \hat m / (\sqrt{\hat v} + \epsilon) + \lambda\theta$,
    $\theta \leftarrow \theta - \eta\,\frac{\lVert\theta\rVert}{\lVert u\rVert}\,u$,
    where the ratio is 1 if either length is 0.

    This is algorithm 2 of the paper with $\phi(z) = z$, as NVIDIA's BERT has it. Google's own (in
    ALBERT) is the same without bias correction. In both, tensors that don't decay (biases,
    LayerNorm) have ratio 1: those are the groups with `adapts` false.

    **Source**: You et al. 2020, "Large Batch Optimization for Deep Learning".

    **Differs**: query, key and value weights are one tensor here and share a ratio.

    Args:
        params: parameters or groups of them, a group with or without `adapts`.
        lr: learning rate.
        betas: decay of the gradient's mean and of its square.
        eps: added to the root of the second moment.
        weight_decay: decoupled weight decay.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        >>> weight.grad = torch.tensor([7.0, -7.0])
        >>> LAMB([weight], lr=0.1, betas=(0.9, 0.999), eps=0.0, weight_decay=0.0).step()
        >>> [round(x, 4) for x in weight.tolist()]  # by 0.1 * 5 / 2**0.5 each
        [2.6464, 4.3536]
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
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "adapts": True,
        }
        super().__init__(params, defaults)
        # `GradScaler` then lets us decide on the device whether an update is skipped.
        self._step_supports_amp_scaling = True

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Does one update of all parameters that have a gradient.

        If a tensor `found_inf` was set on the optimizer and is not 0, nothing changes.
        """
        found_inf: Tensor | None = getattr(self, "found_inf", None)
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            weights = [_local(parameter) for parameter in parameters]
            if not group["adapts"]:
                self._adam(group, parameters, weights, group["lr"])
                continue
            # Adam on zeros, at a learning rate of 1, leaves the update itself: -m / (sqrt(v) + eps)
            updates = [torch.zeros_like(weight) for weight in weights]
            self._adam(group, parameters, updates, 1.0)
            if group["weight_decay"]:
                torch._foreach_add_(updates, weights, alpha=-group["weight_decay"])
            weight_norms = _norms(weights, parameters[0])
            update_norms = _norms(updates, parameters[0])
            both = (weight_norms > 0) & (update_norms > 0)
            ratios = torch.where(both, weight_norms / update_norms, 1.0)
            if found_inf is not None:
                ratios = ratios * (found_inf == 0)
            torch._foreach_mul_(updates, ratios.unbind())
            torch._foreach_add_(weights, updates, alpha=group["lr"])

    def _adam(
        self,
        group: dict[str, Any],
        parameters: Sequence[Tensor],
        targets: list[Tensor],
        learning_rate: float,
    ) -> None:
        """Moves the moments on, and `targets` by Adam's update without decay."""
        states = [self._state_of(parameter) for parameter in parameters]
        beta1, beta2 = group["betas"]
        adamw(
            targets,
            [_local(parameter.grad) for parameter in parameters],
            [_local(state["exp_avg"]) for state in states],
            [_local(state["exp_avg_sq"]) for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=learning_rate,
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
            grad_scale=getattr(self, "grad_scale", None),
            found_inf=getattr(self, "found_inf", None),
        )

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        return state


def _local(tensor: Any) -> Tensor:
    """This process's part of a sharded tensor (a `DTensor`); any other tensor as it is."""
    part: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return part


def _norms(tensors: list[Tensor], like: Any) -> Tensor:
    """L2 norms of whole tensors, [number of tensors].

    Args:
        tensors: this process's parts.
        like: a parameter that is sharded as all of them are, or a plain one.
    """
    norms = torch.stack(torch._foreach_norm(tensors))
    if not hasattr(like, "to_local"):
        return norms
    from torch.distributed.tensor import DTensor, Partial, Replicate

    sums = [Partial() if place.is_shard() else Replicate() for place in like.placements]
    squares = DTensor.from_local(norms.square(), like.device_mesh, sums, run_check=False)
    return squares.full_tensor().sqrt()
