"""What a linear layer multiplies, forward and backward, by the kernels.

Shape suffixes: T tokens, N outputs, K inputs. Values are bf16 that `fits_tiles`, or float32 that
`fits_floats`; weights and their gradients are float32.
"""

import math

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.float_products import multiply_into
from bertsmith.model.cpu_kernels.running import ask, call, empty, in_rows
from bertsmith.model.cpu_kernels.tiles import EDGE

__all__ = ["input_gradient", "multiply", "scratch_for", "weight_gradient", "whole_blocks"]


def multiply(
    values: Tensor,
    weight: Tensor,
    leading: torch.Size,
    bias: Tensor | None = None,
    *,
    in_blocks: bool = False,
) -> Tensor:
    """Returns `values @ weight.T`, [*leading, N]: no view, so that one may write over it.

    Args:
        values: [T, K].
        weight: [N, K].
        leading: the dimensions that T stands for.
        bias: is added, [N]; where all are float32 alone.
        in_blocks: whether the values stand in blocks, see `whole_blocks`.
    """
    T, (N, K) = math.prod(leading), weight.shape
    output = values.new_empty(*leading, N)
    if values.dtype == torch.float32:
        multiply_into(output.view(T, N), values, weight.T, bias)
    else:
        scratch = scratch_for(values, N, K)
        call("product_alone", values, weight, output, scratch, T, N, K, int(in_blocks), 1)
    return output


def input_gradient(
    above: Tensor,
    weight: Tensor,
    shape: torch.Size,
    others: Tensor | None,
    *,
    in_blocks: bool = False,
) -> Tensor:
    """Returns `above @ weight`, the gradient of the values, of their shape.

    Args:
        above: the gradient of the product, [T, N].
        weight: [N, K].
        shape: the values' shape, [..., K].
        others: other gradients of the values, which are added; None where there are none.
        in_blocks: whether `above` stands in blocks, see `whole_blocks`.
    """
    T, (N, K) = math.prod(shape[:-1]), weight.shape
    if others is not None and others.dtype != above.dtype:
        return input_gradient(above, weight, shape, None, in_blocks=in_blocks) + others
    output = above.new_empty(shape)
    if above.dtype == torch.float32:
        start = None if others is None else in_rows(others.reshape(T, K))
        multiply_into(output.view(T, K), above, weight, start)
        return output
    scratch = scratch_for(above, K, N)
    if others is None:
        call("product_alone", above, weight, output, scratch, T, K, N, int(in_blocks), 0)
    else:
        given = above, weight, others.contiguous(), output, scratch
        call("product_added", *given, T, K, N, int(in_blocks))
    return output


def weight_gradient(
    above_TN: Tensor,
    values_TK: Tensor,
    *,
    above_in_blocks: bool = False,
    values_in_blocks: bool = False,
) -> Tensor:
    """Returns `above.T @ values`, the gradient of the weights, float32 [N, K].

    Args:
        above_TN: the gradient of the product.
        values_TK: what was multiplied.
        above_in_blocks: whether the first stands in blocks, see `whole_blocks`.
        values_in_blocks: whether the second does.
    """
    # What stands in blocks has its rows rounded up.
    T, N, K = min(len(above_TN), len(values_TK)), above_TN.shape[1], values_TK.shape[1]
    gradient_NK = empty(N, K)
    if above_TN.dtype == torch.float32:
        return multiply_into(gradient_NK, above_TN.T, values_TK)
    room = above_TN.new_empty(ask("weight_gradient_room", N, K, torch.get_num_threads()))
    blocks = int(above_in_blocks), int(values_in_blocks)
    call("weight_gradient", above_TN, values_TK, gradient_NK, room, T, N, K, *blocks)
    return gradient_NK


def whole_blocks(rows: int) -> int:
    """Rows rounded up to blocks of 32 x 32 numbers, which only the kernels read and write."""
    return -(-rows // EDGE) * EDGE


def scratch_for(values: Tensor, columns: int, length: int) -> Tensor:
    """Room for packed weights, and for the last rows of the values."""
    return values.new_empty((columns + EDGE) * length)
