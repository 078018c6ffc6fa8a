"""Both products of a feed-forward layer and GELU between them, of bf16 values.

Shape suffixes: T tokens, D hidden, F intermediate.
"""

from typing import Any

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.multiplying import (
    input_gradient,
    multiply,
    scratch_for,
    weight_gradient,
    whole_blocks,
)
from bertsmith.model.cpu_kernels.running import call, must_agree, quiet, thread_sums

__all__ = ["feed_forward", "feed_forward_and_values"]


def feed_forward(
    values: Tensor, weight_FD: Tensor, bias_F: Tensor, out_weight_DF: Tensor
) -> Tensor:
    """Returns `gelu(values @ weight.T + bias) @ out_weight.T`, bf16 [..., D].

    GELU, by its tanh formula, and its gradient are worked out while the tiles multiply, so that
    what it is taken of goes through memory once less each way.

    Args:
        values: bf16 [..., D].
        weight_FD: of the first layer, which `fits_tiles`.
        bias_F: of that layer, float32.
        out_weight_DF: of the second layer, which fits after the first.

    Raises:
        ValueError: layers that don't follow each other.
    """
    return feed_forward_and_values(values, weight_FD, bias_F, out_weight_DF)[0]


def feed_forward_and_values(
    values: Tensor, weight_FD: Tensor, bias_F: Tensor, out_weight_DF: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns `feed_forward` of the same, and the values; see `product_and_values`."""
    must_agree("the bias", bias_F.shape, weight_FD.shape[:1])
    must_agree("a row of the second layer's weight", out_weight_DF.shape[1:], bias_F.shape)
    both: tuple[Tensor, Tensor] = _FeedForward.apply(  # type: ignore[no-untyped-call]
        values, weight_FD, bias_F, out_weight_DF
    )
    return both


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight_FD: Tensor, bias_F: Tensor, out_weight_DF: Tensor
    ) -> tuple[Tensor, Tensor]:
        F, D = weight_FD.shape
        values_TD, bias_F = values.reshape(-1, D).contiguous(), quiet(bias_F)
        T = len(values_TD)
        # These stand in blocks.
        inner_TF, active_TF = values.new_empty(2, whole_blocks(T), F)
        scratch = scratch_for(values, F, D)
        given = values_TD, weight_FD, bias_F, inner_TF, active_TF, scratch
        call("product_gelu", *given, T, F, D)
        ctx.save_for_backward(values_TD, inner_TF, active_TF, weight_FD, bias_F, out_weight_DF)
        ctx.shape = values.shape
        ctx.set_materialize_grads(False)
        output = multiply(active_TF, out_weight_DF, values.shape[:-1], in_blocks=True)
        return output, values

    @staticmethod
    @first_derivatives
    def backward(
        ctx: Any, grad_output: Tensor | None, grad_beside: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        values_TD, inner_TF, active_TF, weight_FD, bias_F, out_weight_DF = ctx.saved_tensors
        if grad_output is None:
            return grad_beside, None, None, None
        T, (D, F) = len(values_TD), out_weight_DF.shape
        above_TD = grad_output.reshape(T, D).contiguous()
        grad_inner_TF = torch.empty_like(inner_TF)
        sums = thread_sums(F)
        given = above_TD, out_weight_DF, bias_F, inner_TF, grad_inner_TF, sums
        call("product_gelu_backward", *given, scratch_for(above_TD, F, D), T, F, D)
        wanted = ctx.needs_input_grad
        found: list[Tensor | None] = [None] * 4
        if wanted[0]:
            found[0] = input_gradient(
                grad_inner_TF, weight_FD, ctx.shape, grad_beside, in_blocks=True
            )
        if wanted[1]:
            found[1] = weight_gradient(grad_inner_TF, values_TD, above_in_blocks=True)
        if wanted[2]:
            found[2] = sums.sum(0)
        if wanted[3]:
            found[3] = weight_gradient(above_TD, active_TF, values_in_blocks=True)
        return tuple(found)
