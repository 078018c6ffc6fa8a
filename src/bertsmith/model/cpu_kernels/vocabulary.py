"""Logits of a vocabulary, whose matrix has many more rows than there are values, on tiles.

PyTorch's products take the whole matrix in bf16 first, and give its gradient in bf16, to be
widened: as much memory again as the matrix, twice a step. These read and write float32 directly,
for any number of rows.

Shape suffixes: T values, V rows of the matrix, D hidden.
"""

from typing import Any

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.running import ask, call, empty, in_rows, must_agree, quiet
from bertsmith.model.cpu_kernels.tiles import has_tiles, is_packable, takes_values

__all__ = ["check_vocabulary", "fits_vocabulary", "vocabulary_logits"]

_LINE = 32  # bf16 numbers in a line of a cache


def fits_vocabulary(values: Tensor, matrix_VD: Tensor) -> bool:
    """Whether there are tiles, and values and matrix are what they can multiply.

    That is bf16 values under autocast to bf16, and a float32 matrix of D columns, a multiple of 32.
    """
    return takes_values(values) and is_packable(matrix_VD) and values.dim() == 2


def vocabulary_logits(values_TD: Tensor, matrix_VD: Tensor, bias_V: Tensor) -> Tensor:
    """Returns `values @ matrix.T + bias`, bf16 [T, V], sums and bias in float32.

    Each row of the result is in one piece, and starts with a line of the caches.

    Args:
        values_TD: bf16 values.
        matrix_VD: float32.
        bias_V: float32.

    Raises:
        TypeError: what `fits_vocabulary` doesn't take.
        ValueError: a matrix or bias of another width.
    """
    check_vocabulary(values_TD, matrix_VD, bias_V)
    logits: Tensor = _Logits.apply(values_TD, matrix_VD, bias_V.float())  # type: ignore[no-untyped-call]
    return logits


def check_vocabulary(values_TD: Tensor, matrix_VD: Tensor, bias_V: Tensor) -> None:
    """Refuses what a kernel would read wrongly, see `vocabulary_logits`."""
    is_given = values_TD.dtype == torch.bfloat16 and values_TD.dim() == 2 and len(values_TD) > 0
    if not (is_given and is_packable(matrix_VD) and has_tiles()):
        raise TypeError("a kernel takes bf16 values [T, D] and a contiguous float32 matrix")
    must_agree("the matrix", matrix_VD.shape[1:], values_TD.shape[1:])
    must_agree("the bias", bias_V.shape, matrix_VD.shape[:1])


class _Logits(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values_TD: Tensor, matrix_VD: Tensor, bias_V: Tensor) -> Tensor:
        values_TD = values_TD.contiguous()
        (T, D), V = values_TD.shape, len(matrix_VD)
        ctx.save_for_backward(values_TD, matrix_VD)
        stride = -(-V // _LINE) * _LINE
        logits_TV = torch.empty_strided(
            (T, V), (stride, 1), dtype=values_TD.dtype, device=values_TD.device
        )
        given = values_TD, matrix_VD, quiet(bias_V), logits_TV
        room = values_TD.new_empty(ask("vocabulary_forward_room", D, torch.get_num_threads()))
        call("vocabulary_forward", *given, room, T, V, D, stride)
        return logits_TV

    @staticmethod
    @first_derivatives
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        values_TD, matrix_VD = ctx.saved_tensors
        above_TV = in_rows(grad_output)
        (T, V), D, threads = above_TV.shape, values_TD.shape[1], torch.get_num_threads()
        numbers = T, V, D, above_TV.stride(0)
        grad_values = grad_matrix = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_values = torch.empty_like(values_TD)
            room = values_TD.new_empty(ask("vocabulary_backward_room", T, D, threads))
            call("vocabulary_backward", above_TV, matrix_VD, grad_values, room, *numbers)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            grad_matrix, grad_bias = empty(*matrix_VD.shape), empty(len(matrix_VD))
            room = values_TD.new_empty(ask("vocabulary_weight_room", T, D, threads))
            given = above_TV, values_TD, grad_matrix, grad_bias, room
            call("vocabulary_weight_gradient", *given, *numbers)
        return grad_values, grad_matrix, grad_bias
