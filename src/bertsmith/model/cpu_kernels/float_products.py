"""Products of float32 matrices by the processor's vectors, where PyTorch's library is slow.

PyTorch multiplies with Intel's library, which reaches six tenths of what other makers' processors
can do; these reach nine.

Shape suffixes: T rows, N columns, K what is summed over.
"""

import functools

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.library import wants_products
from bertsmith.model.cpu_kernels.running import (
    ask,
    call,
    empty,
    has_cpu_kernels,
    in_rows,
    is_in_rows,
    is_plain_float32,
    must_agree,
)

__all__ = ["fits_floats", "has_float_products", "multiply_into"]

# With fewer rows, laying the weights out for their gradients' products takes longer than it saves.
_FEWEST_TRAINED_ROWS = 64


def fits_floats(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    """Whether these products are the faster ones, and a layer's values, weights and bias fit.

    That is float32 values, [..., K], outside of autocast, of some rows at least where there may be
    a backward, float32 weights, [N, K], and a float32 bias.
    """
    fewest_rows = _FEWEST_TRAINED_ROWS if torch.is_grad_enabled() else 1
    return (
        has_cpu_kernels(values)
        and values.dtype == torch.float32
        and has_float_products()
        and is_plain_float32(weight)
        and (bias is None or is_plain_float32(bias))
        and weight.dim() == 2
        and weight.numel() > 0
        and values.shape[-1] == weight.shape[1]
        and values.numel() >= fewest_rows * weight.shape[1]
    )


def multiply_into(
    output_TN: Tensor, left_TK: Tensor, right_KN: Tensor, start: Tensor | None = None
) -> Tensor:
    """Writes `start + left @ right`, the same bits for any number of threads; returns the output.

    Args:
        output_TN: float32, each row in one piece.
        left_TK: float32, its rows or its columns each in one piece; K is 1 at least.
        right_KN: the same.
        start: a row, float32 [N], or a matrix, [T, N], each row in one piece; None adds nothing.

    Raises:
        TypeError: another type or device, or numbers that lie otherwise.
        ValueError: shapes that don't fit.
    """
    (T, K), N = left_TK.shape, right_KN.shape[1]
    must_agree("the right matrix", right_KN.shape, (K, N))
    must_agree("the output", output_TN.shape, (T, N))
    if K == 0:
        raise ValueError("a kernel takes matrices with something to sum over")
    row = 0
    if start is not None:
        must_agree("the start", start.shape, (T, N)[-start.dim() :])
        row = start.stride(0) if start.dim() == 2 else 0
    for tensor in (output_TN, left_TK, right_KN, *([] if start is None else [start])):
        if tensor.dtype != torch.float32:
            raise TypeError(f"a kernel takes float32, not {tensor.dtype}")
    for tensor in (output_TN, *([] if start is None else [start])):
        if tensor.stride(-1) != 1:
            raise TypeError("a kernel takes rows that are in one piece each")
    room = empty(torch.get_num_threads() * ask("float_product_room", N))
    given = *_placed(left_TK), *_placed(right_KN), start, row, output_TN, output_TN.stride(0)
    call("float_product", *given, T, N, K, room)
    return output_TN


@functools.cache
def has_float_products() -> bool:
    """Whether the processor has vectors for them, and PyTorch's library isn't at its best there."""
    return wants_products() and bool(ask("has_float_products"))


def _placed(matrix: Tensor) -> tuple[Tensor, int, int]:
    """The numbers of a matrix in the order in which they lie, and its two strides."""
    if matrix.stride(1) != 1 and is_in_rows(matrix.T):
        return matrix.T, 1, matrix.stride(1)
    rows = in_rows(matrix)
    return rows, rows.stride(0), 1
