"""`LayerNorm(residual + dropout(values + bias))` row by row, in one pass over memory each way."""

from typing import Any

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.running import (
    HashedDropout,
    call,
    empty,
    is_wide,
    must_agree,
    quiet,
    thread_sums,
)

__all__ = ["residual_norm"]


def residual_norm(
    values: Tensor,
    residual: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    dropout_p: float,
    values_bias: Tensor | None = None,
) -> Tensor:
    """Returns the normed sums, [T, D], bf16 or float32 as they came; what is between is float32.

    Args:
        values: what the sub-layer made of the residual, or the products of its last linear layer
            without the bias, bf16 or float32 [T, D].
        residual: the sub-layer's input, of the same type, [T, D].
        weight: LayerNorm's weight, [D].
        bias: its bias, [D].
        eps: added to the variance inside the root.
        dropout_p: share of the values that is dropped, in [0, 1).
        values_bias: that layer's bias, [D]; None adds nothing.
    """
    # The kernel takes float32, and a whole model may be bf16.
    weight, bias = weight.float(), bias.float()
    added = torch.zeros_like(bias) if values_bias is None else values_bias.float()
    output: Tensor = _ResidualNorm.apply(  # type: ignore[no-untyped-call]
        values, added, residual, weight, bias, float(eps), HashedDropout.draw(dropout_p)
    )
    return output


class _ResidualNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        values_bias: Tensor,
        residual: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        dropout: HashedDropout,
    ) -> Tensor:
        T, D = values.shape
        must_agree("the residual", residual.shape, (T, D))
        for vector in (values_bias, weight, bias):
            must_agree("a bias or weight", vector.shape, (D,))
        if residual.dtype != values.dtype:
            raise TypeError(f"the residual is {residual.dtype}, not {values.dtype}")
        values, residual = values.contiguous(), residual.contiguous()
        values_bias, weight, bias = (quiet(x) for x in (values_bias, weight, bias))
        output = torch.empty_like(residual)
        means, factors = empty(2, T)
        call(
            "residual_norm_forward", values, values_bias, residual, weight, bias,
            output, means, factors, T, D, eps, *dropout.numbers, is_wide(values),
        )  # fmt: skip
        ctx.dropout = dropout
        ctx.save_for_backward(values, values_bias, residual, weight, means, factors)
        return output

    @staticmethod
    @first_derivatives
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        values, values_bias, residual, weight, means, factors = ctx.saved_tensors
        T, D = values.shape
        grad_residual = torch.empty_like(residual)
        is_one = ctx.dropout.threshold == 0
        grad_values = grad_residual if is_one else torch.empty_like(values)
        sums = [thread_sums(D) for _ in range(3)]
        call(
            "residual_norm_backward", grad_output.contiguous(), values, values_bias, residual,
            weight, means, factors, grad_values, grad_residual, *sums, T, D, *ctx.dropout.numbers,
            is_wide(values),
        )  # fmt: skip
        grad_weight, grad_bias, grad_values_bias = (each.sum(0) for each in sums)
        return grad_values, grad_values_bias, grad_residual, grad_weight, grad_bias, None, None
