"""Products of bf16 values and a linear layer's weights, on the tiles of AMX where there are some.

PyTorch's own get a third of what the tiles can do, and a sixth where the sum goes over the tokens,
as it does for the weights' gradients. These read the weights as they are, in float32, and give
their gradient in float32.

Shape suffixes: T tokens, N outputs, K inputs; in a feed-forward layer D hidden, F intermediate.
"""

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from bertsmith.model.cpu_kernels.running import ask, call, has_cpu_kernels

__all__ = ["feed_forward", "fits_tiles", "has_tiles", "product"]

_EDGE = 32


def product(values: Tensor, weight: Tensor) -> Tensor:
    """Returns `values @ weight.T`, [..., N], as autocast to bf16 does; sums are float32.

    Args:
        values: bf16 [..., K].
        weight: a linear layer's weights, [N, K].
    """
    if not fits_tiles(values, weight):
        return linear(values, weight)
    output: Tensor = _Product.apply(values, weight)  # type: ignore[no-untyped-call]
    return output


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
        out_weight_DF: of the second layer, which fits as well.
    """
    output: Tensor = _FeedForward.apply(  # type: ignore[no-untyped-call]
        values, weight_FD, bias_F, out_weight_DF
    )
    return output


def fits_tiles(values: Tensor, weight: Tensor) -> bool:
    """Whether there are tiles, and values and a layer's weights are what they can multiply.

    That is bf16 values under autocast to bf16, and float32 weights, [N, K], N and K multiples of
    32.
    """
    return (
        has_cpu_kernels(values)
        and has_tiles()
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
def has_tiles() -> bool:
    """Whether the processor has tiles and the system lets this process use them."""
    return bool(ask("has_tiles"))


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


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight_FD: Tensor, bias_F: Tensor, out_weight_DF: Tensor
    ) -> Tensor:
        F, D = weight_FD.shape
        values_TD, bias_F = values.reshape(-1, D).contiguous(), bias_F.contiguous()
        T = len(values_TD)
        inner_TF, active_TF = values.new_empty(T, F), values.new_empty(T, F)
        scratch = _scratch(values, F, D)
        given = values_TD, weight_FD, bias_F, inner_TF, active_TF, scratch
        call("product_gelu", *given, T, F, D)
        ctx.save_for_backward(values_TD, inner_TF, active_TF, weight_FD, bias_F, out_weight_DF)
        ctx.shape = values.shape
        return _forward(active_TF, out_weight_DF, is_transposed=True).view(values.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        values_TD, inner_TF, active_TF, weight_FD, bias_F, out_weight_DF = ctx.saved_tensors
        (T, D), F = values_TD.shape, len(bias_F)
        above_TD = grad_output.reshape(T, D).contiguous()
        grad_inner_TF = torch.empty_like(inner_TF)
        sums = torch.zeros(torch.get_num_threads(), F)
        given = above_TD, out_weight_DF, bias_F, inner_TF, grad_inner_TF, sums
        call("product_gelu_backward", *given, _scratch(above_TD, F, D), T, F, D)
        wanted = ctx.needs_input_grad
        found: list[Tensor | None] = [None] * 4
        if wanted[0]:
            found[0] = _forward(grad_inner_TF, weight_FD, is_transposed=False).view(ctx.shape)
        if wanted[1]:
            found[1] = _weight_gradient(grad_inner_TF, values_TD)
        if wanted[2]:
            found[2] = sums.sum(0)
        if wanted[3]:
            found[3] = _weight_gradient(above_TD, active_TF)
        return tuple(found)


def _forward(values: Tensor, weight: Tensor, *, is_transposed: bool) -> Tensor:
    T, length = values.shape
    columns = weight.shape[0] if is_transposed else weight.shape[1]
    output = values.new_empty(T, columns)
    numbers = T, columns, length, int(is_transposed)
    call("product_alone", values, weight, output, _scratch(values, columns, length), *numbers)
    return output


def _weight_gradient(above_TN: Tensor, values_TK: Tensor) -> Tensor:
    (T, N), K = above_TN.shape, values_TK.shape[1]
    gradient_NK = torch.empty(N, K)
    scratch = above_TN.new_empty((N + K) * (-(-T // _EDGE) * _EDGE))
    call("product_weight_gradient", above_TN, values_TK, gradient_NK, scratch, T, N, K)
    return gradient_NK


def _scratch(values: Tensor, columns: int, length: int) -> Tensor:
    """Room for packed weights, and for the last rows of the values."""
    return values.new_empty((columns + _EDGE) * length)
