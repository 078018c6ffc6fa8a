"""GELU by its tanh formula, with the bias of the layer before it."""

from typing import Any

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.running import call, is_wide, must_agree, quiet, thread_sums

__all__ = ["gelu"]


def gelu(values: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns GELU of `values + bias`, worked out in float32.

    Args:
        values: what goes in, or the products of a linear layer without its bias, bf16 or float32
            [..., F].
        bias: the layer's bias, [F]; None adds nothing.
    """
    added = values.new_zeros(values.shape[-1:], dtype=torch.float32) if bias is None else bias
    output: Tensor = _Gelu.apply(values, added.float())  # type: ignore[no-untyped-call]
    return output


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, bias: Tensor) -> Tensor:
        must_agree("a bias", bias.shape, values.shape[-1:])
        values, bias = values.contiguous(), quiet(bias)
        output = torch.empty_like(values)
        call("gelu_forward", values, bias, output, *_rows(values), is_wide(values))
        ctx.save_for_backward(values, bias)
        return output

    @staticmethod
    @first_derivatives
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor]:
        values, bias = ctx.saved_tensors
        gradient = torch.empty_like(values)
        sums = thread_sums(len(bias))
        given = grad_output.contiguous(), values, bias, gradient, sums
        call("gelu_backward", *given, *_rows(values), is_wide(values))
        return gradient, sums.sum(0)


def _rows(values: Tensor) -> tuple[int, int]:
    """Rows and columns, T and F."""
    columns = values.shape[-1]
    return values.numel() // max(columns, 1), columns
