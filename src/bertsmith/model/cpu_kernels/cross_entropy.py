"""Cross-entropy summed over rows of logits, in one pass over memory each way."""

from typing import Any

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.running import call, empty, in_rows, is_wide

__all__ = ["check_labels", "cross_entropy_sums"]


def cross_entropy_sums(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the rows' losses, float32, and how many have their highest score at their label.

    Args:
        logits: bf16 or float32 [rows, classes], each row in one piece.
        labels: class ids, int64 [rows].

    Raises:
        IndexError: a label that is no class.
        TypeError: labels of another type or shape.
        ValueError: not as many labels as rows.
    """
    if len(labels) != len(logits):
        raise ValueError(f"{len(labels)} labels for {len(logits)} rows of logits")
    check_labels(labels, logits.shape[1])
    total, hits = _Sums.apply(_with_spare_rows(logits), labels)  # type: ignore[no-untyped-call]
    return total, hits


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Refuses labels that aren't numbers of classes, int64 in a row."""
    if labels.dtype != torch.int64 or labels.dim() != 1:
        raise TypeError(f"labels are int64 in a row, not {labels.dtype} of {list(labels.shape)}")
    if bool(((labels < 0) | (labels >= num_classes)).any()):
        raise IndexError(f"a label is not one of {num_classes} classes")


def _with_spare_rows(logits: Tensor) -> Tensor:
    """The matrix that these are the first rows of, if autograd knows it and nobody else asks.

    Backward, autograd would lay the rows' gradient into zeros for that whole matrix.
    """
    base = logits._base
    if (
        base is not None
        and _comes_straight_from(logits, base)
        and base.dtype == logits.dtype
        and base.dim() == 2
        and base.shape[0] >= logits.shape[0]
        and base.shape[1] == logits.shape[1]
        and in_rows(base) is base
        and base.stride() == logits.stride()
        and base.storage_offset() == logits.storage_offset()
    ):
        return base
    return logits


def _comes_straight_from(logits: Tensor, base: Tensor) -> bool:
    """Whether logits have their gradient from the base alone, and give it to nothing but that.

    A custom function's output can be a view of what autograd never saw, and somebody may have asked
    for the gradient of the logits themselves.
    """
    if logits.grad_fn is None or base.grad_fn is None:
        return False
    from_base = logits.grad_fn.next_functions[0][0] is base.grad_fn
    return from_base and not logits.retains_grad and not logits._backward_hooks


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        rows, num_classes = len(labels), logits.shape[1]
        logits, labels = in_rows(logits), labels.contiguous()
        norms, losses = empty(rows, 2), empty(rows)
        hits = logits.new_empty(rows, dtype=torch.uint8)
        numbers = rows, num_classes, logits.stride(0), is_wide(logits)
        call("cross_entropy_forward", logits, labels, norms, losses, hits, *numbers)
        ctx.save_for_backward(logits, labels, norms)
        num_hits = hits.sum(dtype=torch.int64)
        ctx.mark_non_differentiable(num_hits)
        return losses.sum(), num_hits

    @staticmethod
    @first_derivatives
    def backward(ctx: Any, grad_total: Tensor, _: Tensor) -> tuple[Tensor, None]:
        logits, labels, norms = ctx.saved_tensors
        (_, V), stride = logits.shape, logits.stride(0)
        gradient = torch.empty_strided(
            logits.shape, (stride, 1), dtype=logits.dtype, device=logits.device
        )
        gradient[len(labels) :] = 0
        numbers = len(labels), V, stride, is_wide(logits)
        call("cross_entropy_backward", logits, labels, norms, float(grad_total), gradient, *numbers)
        return gradient, None
