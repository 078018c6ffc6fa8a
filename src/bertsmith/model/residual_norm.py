"""What stands behind every sub-layer: dropout, the sum with its input, LayerNorm.

Between the matrix products of a GPU these move memory and compute next to nothing, so they are one
kernel forward and one backward there: three and five times the hidden states are moved, and
nothing but a mean and a factor of each row is kept.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from bertsmith.model import cpu_kernels
from bertsmith.model.dropout import dropout
from bertsmith.model.dropout_draws import dropout_numbers, dropout_seed
from bertsmith.model.linear import with_bias
from bertsmith.model.triton_ops import has_triton, on_gpu_of

__all__ = ["ResidualNorm"]

_WIDEST = 8192
# Rows are shared among so many programs backward, each of which sums its part of the gradients of
# weight and bias.
_NUM_PROGRAMS = 1024


class ResidualNorm(nn.LayerNorm):
    """`LayerNorm(residual + dropout(values))`, in the type of the residual.

    Args:
        size: columns D.
        eps: added to the variance inside the root.
        dropout_p: share of the values that is dropped while training, in [0, 1).
    """

    def __init__(self, size: int, eps: float, dropout_p: float) -> None:
        super().__init__(size, eps=eps)
        self.dropout_p = dropout_p

    def forward(  # type: ignore[override]  # a LayerNorm by its weights alone
        self,
        values: Float[Tensor, "T D"],
        residual: Float[Tensor, "T D"],
        values_bias: Float[Tensor, "D"] | None = None,
    ) -> Float[Tensor, "T D"]:
        """Returns the normed sums.

        Args:
            values: what the sub-layer made of the residual.
            residual: the sub-layer's input.
            values_bias: what is to be added to the values first, see `products_and_bias`.
        """
        dropout_p = self.dropout_p if self.training else 0.0
        if cpu_kernels.has_cpu_kernels(values, residual):
            norm = self.weight, self.bias, self.eps
            return cpu_kernels.residual_norm(values, residual, *norm, dropout_p, values_bias)
        values = with_bias(values, values_bias)
        if _has_kernel(values, residual):
            seed = dropout_seed(dropout_p, values.device)
            output: Tensor = _residual_norm(
                values, residual, self.weight, self.bias, seed, self.eps, dropout_p
            )[0]
            return output
        summed = residual + dropout(values, dropout_p)
        return layer_norm(summed, self.normalized_shape, self.weight, self.bias, self.eps).to(
            residual.dtype
        )


def _has_kernel(values: Tensor, residual: Tensor) -> bool:
    return (
        values.device.type == "cuda"
        and values.dtype == residual.dtype
        and values.dtype in (torch.bfloat16, torch.float16)
        and values.shape[-1] <= _WIDEST
        and has_triton()
    )


@torch.library.custom_op("bertsmith::residual_norm", mutates_args=())
def _residual_norm(
    values: Tensor,
    residual: Tensor,
    weight: Tensor,
    bias: Tensor,
    seed: Tensor,
    eps: float,
    dropout_p: float,
) -> tuple[Tensor, Tensor, Tensor]:
    from bertsmith.model.residual_norm_kernels import LAUNCH, forward_kernel

    T, D = values.shape
    output = torch.empty_like(residual, memory_format=torch.contiguous_format)
    means, factors = (values.new_empty(T, dtype=torch.float32) for _ in range(2))
    threshold, scale = dropout_numbers(dropout_p)
    with on_gpu_of(values):
        forward_kernel[(T,)](
            values.contiguous(), residual.contiguous(), weight, bias, output, means, factors, seed,
            scale, eps, D=D, W=_width(D), THRESHOLD=threshold, **LAUNCH,
        )  # fmt: skip
    return output, means, factors


@torch.library.custom_op("bertsmith::residual_norm_backward", mutates_args=())
def _residual_norm_backward(
    grad_output: Tensor,
    values: Tensor,
    residual: Tensor,
    weight: Tensor,
    means: Tensor,
    factors: Tensor,
    seed: Tensor,
    dropout_p: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    from bertsmith.model.residual_norm_kernels import LAUNCH, backward_kernel

    T, D = values.shape
    grad_residual = torch.empty_like(residual, memory_format=torch.contiguous_format)
    threshold, scale = dropout_numbers(dropout_p)
    # Without dropout both gradients are the same numbers; the operator must not return one twice.
    grad_values = torch.empty_like(grad_residual if threshold > 0 else grad_residual[:0])
    weight_sums, bias_sums = (
        values.new_empty((_NUM_PROGRAMS, D), dtype=torch.float32) for _ in range(2)
    )
    with on_gpu_of(values):
        backward_kernel[(_NUM_PROGRAMS,)](
            grad_output.contiguous(), values.contiguous(), residual.contiguous(), weight,
            means, factors, grad_values, grad_residual, weight_sums, bias_sums, seed,
            scale, T, D=D, W=_width(D), THRESHOLD=threshold, **LAUNCH,
        )  # fmt: skip
    grad_weight, grad_bias = (sums.sum(0).to(weight.dtype) for sums in (weight_sums, bias_sums))
    return grad_values, grad_residual, grad_weight, grad_bias


@_residual_norm.register_fake
def _(
    values: Tensor,
    residual: Tensor,
    weight: Tensor,
    bias: Tensor,
    seed: Tensor,
    eps: float,
    dropout_p: float,
) -> tuple[Tensor, Tensor, Tensor]:
    means, factors = (values.new_empty(values.shape[0], dtype=torch.float32) for _ in range(2))
    output = torch.empty_like(residual, memory_format=torch.contiguous_format)
    return output, means, factors


@_residual_norm_backward.register_fake
def _(
    grad_output: Tensor,
    values: Tensor,
    residual: Tensor,
    weight: Tensor,
    means: Tensor,
    factors: Tensor,
    seed: Tensor,
    dropout_p: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grad_residual = torch.empty_like(residual, memory_format=torch.contiguous_format)
    drops = dropout_numbers(dropout_p)[0] > 0
    grad_values = torch.empty_like(grad_residual if drops else grad_residual[:0])
    return grad_values, grad_residual, torch.empty_like(weight), torch.empty_like(weight)


def _width(D: int) -> int:
    return 1 << (D - 1).bit_length()


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    values, residual, weight, _, seed, _, ctx.dropout_p = inputs
    _, means, factors = output
    ctx.mark_non_differentiable(means, factors)
    ctx.save_for_backward(values, residual, weight, means, factors, seed)


def _backward(ctx: Any, grad_output: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    grad_values, grad_residual, grad_weight, grad_bias = _residual_norm_backward(
        grad_output, *ctx.saved_tensors, ctx.dropout_p
    )
    if dropout_numbers(ctx.dropout_p)[0] == 0:
        grad_values = grad_residual
    return grad_values, grad_residual, grad_weight, grad_bias, None, None, None


_residual_norm.register_autograd(_backward, setup_context=_setup_context)
