"""Cross-entropy of a vocabulary's logits, worked out where they are made, on tiles.

Logits of all masked positions are tens of megabytes, and so is their gradient. Each pass over them
takes as long as the product that made them. Here they are written once and read once: their
softmax is summed up, and their gradient made and used, some hundred rows of the matrix at a time.

Shape suffixes: T values, P of them with a label, V rows of the matrix, D hidden.
"""

from typing import Any

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.cross_entropy import check_labels
from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.running import ask, call, empty, quiet
from bertsmith.model.cpu_kernels.vocabulary import check_vocabulary

__all__ = ["vocabulary_cross_entropy"]


def vocabulary_cross_entropy(
    values_TD: Tensor, matrix_VD: Tensor, bias_V: Tensor, labels_P: Tensor
) -> tuple[Tensor, Tensor]:
    """What `cross_entropy_sums` gives for the first P rows of `vocabulary_logits`.

    Args:
        values_TD: bf16 values.
        matrix_VD: float32.
        bias_V: float32.
        labels_P: numbers of rows of the matrix, int64, one at least.

    Returns:
        Sum of the losses, float32, and how many of the P have their highest logit at their label.

    Raises:
        IndexError: a label that is no row.
        TypeError: what `fits_vocabulary` doesn't take, or labels of another type or shape.
        ValueError: a matrix or bias of another width, no labels, or more than values.
    """
    check_vocabulary(values_TD, matrix_VD, bias_V)
    if not 0 < len(labels_P) <= len(values_TD):
        raise ValueError(f"{len(labels_P)} labels for {len(values_TD)} values")
    check_labels(labels_P, len(matrix_VD))
    # Inside of a function autograd is off, and what it needs is said of parameters then, too.
    given = values_TD, matrix_VD, bias_V.float(), labels_P, torch.is_grad_enabled()
    total, hits = _LossSum.apply(*given)  # type: ignore[no-untyped-call]
    return total, hits


class _LossSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        values_TD: Tensor,
        matrix_VD: Tensor,
        bias_V: Tensor,
        labels_P: Tensor,
        has_way_back: bool,
    ) -> tuple[Tensor, Tensor]:
        values_TD, labels_P = values_TD.contiguous(), labels_P.contiguous()
        P, (V, D) = len(labels_P), matrix_VD.shape
        # In blocks that only the kernels know how to read; nowhere if there is no way back.
        logits = None
        if has_way_back and any(ctx.needs_input_grad):
            logits = values_TD.new_empty(ask("vocabulary_logits_room", P, V))
        norms, losses = empty(2, P)
        hits = torch.empty(P, dtype=torch.uint8, device="cpu")
        parts = empty(ask("vocabulary_parts_room", P, V))
        room = values_TD.new_empty(ask("vocabulary_loss_room", D, torch.get_num_threads()))
        given = values_TD, matrix_VD, quiet(bias_V), labels_P
        call("vocabulary_loss", *given, logits, parts, norms, losses, hits, room, P, V, D)
        ctx.save_for_backward(values_TD, matrix_VD, labels_P, logits, norms)
        num_hits = hits.sum(dtype=torch.int64)
        ctx.mark_non_differentiable(num_hits)
        return losses.sum(), num_hits

    @staticmethod
    @first_derivatives
    def backward(ctx: Any, grad_total: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        values_TD, matrix_VD, labels_P, logits, norms = ctx.saved_tensors
        P, (V, D) = len(labels_P), matrix_VD.shape
        of_values, *of_matrix = ctx.needs_input_grad[:3]
        grad_values = None
        if of_values:
            grad_values = torch.empty_like(values_TD)
            grad_values[P:] = 0
        grad_matrix = grad_bias = None
        if any(of_matrix):
            grad_matrix, grad_bias = empty(V, D), empty(V)
        room = values_TD.new_empty(ask("vocabulary_loss_backward_room", P, D))
        given = values_TD, matrix_VD, labels_P, logits, norms, float(grad_total)
        found = grad_values, grad_matrix, grad_bias
        call("vocabulary_loss_backward", *given, *found, room, P, V, D)
        return *found, None, None
