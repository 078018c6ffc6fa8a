"""Products of values and a linear layer's weights, where PyTorch's own are slow.

Of bf16 values, on the tiles of AMX, of which PyTorch's get a third of what they can do, and a sixth
where the sum goes over the tokens, as it does for the weights' gradients; on vectors where there is
AVX512-BF16 alone. These read the weights as they are, in float32, and give their gradient in
float32. Of float32 values by `float_products`.

Shape suffixes: T tokens, N outputs, K inputs; in a feed-forward layer D hidden, F intermediate.
"""

import functools
import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from bertsmith.model.cpu_kernels.float_products import fits_floats, multiply_into
from bertsmith.model.cpu_kernels.library import wants_products
from bertsmith.model.cpu_kernels.running import (
    ask,
    call,
    empty,
    has_cpu_kernels,
    in_rows,
    is_plain_float32,
    must_agree,
    quiet,
    thread_sums,
)

__all__ = [
    "biased_product",
    "feed_forward",
    "feed_forward_and_values",
    "fits_tiles",
    "has_tiles",
    "is_packable",
    "product",
    "product_and_values",
    "takes_values",
]

_EDGE = 32


def product(values: Tensor, weight: Tensor) -> Tensor:
    """Returns `values @ weight.T`, [..., N], in the values' type; sums are float32.

    Args:
        values: [..., K], bf16 under autocast to bf16 or float32 without.
        weight: a linear layer's weights, [N, K].
    """
    return product_and_values(values, weight)[0]


def product_and_values(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Returns `product(values, weight)`, and the values.

    Who uses the values once more takes those: then both gradients of the values are added where
    the product's is written, not in a pass over both. They must not be written over.
    """
    if not (fits_tiles(values, weight) or fits_floats(values, weight)):
        return linear(values, weight), values
    both: tuple[Tensor, Tensor] = _Product.apply(values, weight, None)  # type: ignore[no-untyped-call]
    return both


def biased_product(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns `values @ weight.T + bias`, [..., N], of what `fits_floats`.

    Args:
        values: [..., K].
        weight: a linear layer's weights, [N, K].
        bias: its bias, [N].
    """
    must_agree("the bias", bias.shape, weight.shape[:1])
    output: Tensor = _Product.apply(values, weight, bias)[0]  # type: ignore[no-untyped-call]
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


def fits_tiles(values: Tensor, *weights: Tensor) -> bool:
    """Whether there are bf16 products, and values and layers' weights are what they can multiply.

    That is bf16 values, [..., K], under autocast to bf16, and float32 weights, [N, K], N and K
    multiples of 32; each next layer takes what the one before it gives.
    """
    return (
        takes_values(values)
        and all(is_packable(weight) and weight.shape[0] % _EDGE == 0 for weight in weights)
        and [values.shape[-1], *(weight.shape[0] for weight in weights[:-1])]
        == [weight.shape[1] for weight in weights]
    )


def takes_values(values: Tensor) -> bool:
    """Whether there are bf16 products, and values for them under autocast to bf16."""
    return (
        has_cpu_kernels(values)
        and values.dtype == torch.bfloat16
        and has_tiles()
        and values.numel() > 0
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )


def is_packable(weight: Tensor) -> bool:
    """Whether a kernel can pack a matrix for tiles: float32 [N, K], K a multiple of 32."""
    return (
        is_plain_float32(weight)
        and weight.dim() == 2
        and weight.numel() > 0
        and weight.shape[1] % _EDGE == 0
    )


@functools.cache
def has_tiles() -> bool:
    """Whether bf16 products are our own: on tiles that this process may use, or on vectors.

    A tile holds 16 x 16 sums: a register of AMX; with AVX512-BF16 alone a place in the cache.
    """
    return wants_products() and bool(ask("has_tiles"))


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        values_TK = values.reshape(-1, values.shape[-1]).contiguous()
        ctx.save_for_backward(values_TK, weight)
        ctx.shape = values.shape
        ctx.set_materialize_grads(False)
        return _forward(values_TK, weight, values.shape[:-1], bias), values

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_output: Tensor | None, grad_beside: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        values_TK, weight = ctx.saved_tensors
        if grad_output is None:
            return grad_beside, None, None
        above_TN = grad_output.reshape(len(values_TK), -1).contiguous()
        grad_values = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_values = _backward(above_TN, weight, ctx.shape, grad_beside)
        if ctx.needs_input_grad[1]:
            grad_weight = _weight_gradient(above_TN, values_TK)
        return grad_values, grad_weight, above_TN.sum(0) if ctx.needs_input_grad[2] else None


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight_FD: Tensor, bias_F: Tensor, out_weight_DF: Tensor
    ) -> tuple[Tensor, Tensor]:
        F, D = weight_FD.shape
        values_TD, bias_F = values.reshape(-1, D).contiguous(), quiet(bias_F)
        T = len(values_TD)
        # These stand in blocks of 32 x 32, which only the kernels know how to read.
        inner_TF, active_TF = values.new_empty(2, _whole(T), F)
        scratch = _scratch(values, F, D)
        given = values_TD, weight_FD, bias_F, inner_TF, active_TF, scratch
        call("product_gelu", *given, T, F, D)
        ctx.save_for_backward(values_TD, inner_TF, active_TF, weight_FD, bias_F, out_weight_DF)
        ctx.shape = values.shape
        ctx.set_materialize_grads(False)
        output = _forward(active_TF, out_weight_DF, values.shape[:-1], in_blocks=True)
        return output, values

    @staticmethod
    @once_differentiable
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
        call("product_gelu_backward", *given, _scratch(above_TD, F, D), T, F, D)
        wanted = ctx.needs_input_grad
        found: list[Tensor | None] = [None] * 4
        if wanted[0]:
            found[0] = _backward(grad_inner_TF, weight_FD, ctx.shape, grad_beside, in_blocks=True)
        if wanted[1]:
            found[1] = _weight_gradient(grad_inner_TF, values_TD, above_in_blocks=True)
        if wanted[2]:
            found[2] = sums.sum(0)
        if wanted[3]:
            found[3] = _weight_gradient(above_TD, active_TF, values_in_blocks=True)
        return tuple(found)


def _forward(
    values: Tensor,
    weight: Tensor,
    leading: torch.Size,
    bias: Tensor | None = None,
    *,
    in_blocks: bool = False,
) -> Tensor:
    """`values @ weight.T` of [T, K], [*leading, N]: no view, so that one may write over it.

    A bias is added where all are float32.
    """
    T, (N, K) = math.prod(leading), weight.shape
    output = values.new_empty(*leading, N)
    if values.dtype == torch.float32:
        multiply_into(output.view(T, N), values, weight.T, bias)
    else:
        scratch = _scratch(values, N, K)
        call("product_alone", values, weight, output, scratch, T, N, K, int(in_blocks), 1)
    return output


def _backward(
    above: Tensor,
    weight: Tensor,
    shape: torch.Size,
    others: Tensor | None,
    *,
    in_blocks: bool = False,
) -> Tensor:
    """`above @ weight` of [T, N], and others of the result's shape added to it, if any are."""
    T, (N, K) = math.prod(shape[:-1]), weight.shape
    if others is not None and others.dtype != above.dtype:
        return _backward(above, weight, shape, None, in_blocks=in_blocks) + others
    output = above.new_empty(shape)
    if above.dtype == torch.float32:
        start = None if others is None else in_rows(others.reshape(T, K))
        multiply_into(output.view(T, K), above, weight, start)
        return output
    scratch = _scratch(above, K, N)
    if others is None:
        call("product_alone", above, weight, output, scratch, T, K, N, int(in_blocks), 0)
    else:
        given = above, weight, others.contiguous(), output, scratch
        call("product_added", *given, T, K, N, int(in_blocks))
    return output


def _weight_gradient(
    above_TN: Tensor,
    values_TK: Tensor,
    *,
    above_in_blocks: bool = False,
    values_in_blocks: bool = False,
) -> Tensor:
    # What stands in blocks has its rows rounded up.
    T, N, K = min(len(above_TN), len(values_TK)), above_TN.shape[1], values_TK.shape[1]
    gradient_NK = empty(N, K)
    if above_TN.dtype == torch.float32:
        return multiply_into(gradient_NK, above_TN.T, values_TK)
    room = above_TN.new_empty(ask("weight_gradient_room", N, K, torch.get_num_threads()))
    blocks = int(above_in_blocks), int(values_in_blocks)
    call("weight_gradient", above_TN, values_TK, gradient_NK, room, T, N, K, *blocks)
    return gradient_NK


def _whole(rows: int) -> int:
    """Rows rounded up to blocks."""
    return -(-rows // _EDGE) * _EDGE


def _scratch(values: Tensor, columns: int, length: int) -> Tensor:
    """Room for packed weights, and for the last rows of the values."""
    return values.new_empty((columns + _EDGE) * length)
