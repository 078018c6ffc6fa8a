"""GELU by its tanh formula on bf16 numbers."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bertsmith.model.cpu_kernels.running import call

__all__ = ["gelu"]


def gelu(values: Tensor) -> Tensor:
    """Returns GELU of bf16 values of any shape, worked out in float32."""
    output: Tensor = _Gelu.apply(values)  # type: ignore[no-untyped-call]
    return output


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        values = values.contiguous()
        output = torch.empty_like(values)
        call("gelu_forward", values, output, values.numel())
        ctx.save_for_backward(values)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        (values,) = ctx.saved_tensors
        gradient = torch.empty_like(values)
        call("gelu_backward", grad_output.contiguous(), values, gradient, values.numel())
        return gradient
