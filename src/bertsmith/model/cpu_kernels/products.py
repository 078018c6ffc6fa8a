"""Products of bf16 values and a linear layer's weights, on the tiles of AMX where there are some.

PyTorch's own get a third of what the tiles can do, and a sixth where the sum goes over the tokens,
as it does for the weights' gradients. These read the weights as they are, in float32, and give
their gradient in float32.

Shape suffixes: T tokens, N outputs, K inputs.
"""

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from bertsmith.model.cpu_kernels.library import kernels
from bertsmith.model.cpu_kernels.running import call, has_cpu_kernels

__all__ = ["product"]

_EDGE = 32


def product(values: Tensor, weight: Tensor) -> Tensor:
    """Returns `values @ weight.T`, [..., N], as autocast to bf16 does; sums are float32.

    Args:
        values: bf16 [..., K].
        weight: a linear layer's weights, [N, K].
    """
    if not _fits_tiles(values, weight):
        return linear(values, weight)
    output: Tensor = _Product.apply(values, weight)  # type: ignore[no-untyped-call]
    return output


def _fits_tiles(values: Tensor, weight: Tensor) -> bool:
    return (
        has_cpu_kernels(values)
        and _has_tiles()
        and values.numel() > 0
        and type(weight) in (Tensor, nn.Parameter)
        and weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and weight.is_contiguous()
        and all(length % _EDGE == 0 for length in weight.shape)
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )


@functools.cache
def _has_tiles() -> bool:
    library = kernels()
    return library is not None and bool(library.has_tiles())


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor) -> Tensor:
        values_TK = values.reshape(-1, values.shape[-1]).contiguous()
        ctx.save_for_backward(values_TK, weight)
        ctx.shape = values.shape
        output_TN = _forward(values_TK, weight, is_transposed=True)
        return output_TN.view(*values.shape[:-1], weight.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, Tensor | None]:
        values_TK, weight = ctx.saved_tensors
        above_TN = grad_output.reshape(len(values_TK), -1).contiguous()
        grad_values = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_values = _forward(above_TN, weight, is_transposed=False).view(ctx.shape)
        if ctx.needs_input_grad[1]:
            grad_weight = _weight_gradient(above_TN, values_TK)
        return grad_values, grad_weight


def _forward(values: Tensor, weight: Tensor, *, is_transposed: bool) -> Tensor:
    T, length = values.shape
    columns = weight.shape[0] if is_transposed else weight.shape[1]
    output = values.new_empty(T, columns)
    scratch = values.new_empty((columns + _EDGE) * length)
    numbers = T, columns, length, int(is_transposed)
    call("product_forward", values, weight, output, scratch, *numbers)
    return output


def _weight_gradient(above_TN: Tensor, values_TK: Tensor) -> Tensor:
    (T, N), K = above_TN.shape, values_TK.shape[1]
    gradient_NK = torch.empty(N, K)
    scratch = above_TN.new_empty((N + K) * (-(-T // _EDGE) * _EDGE))
    call("product_weight_gradient", above_TN, values_TK, gradient_NK, scratch, T, N, K)
    return gradient_NK
