"""Cross-entropy summed over rows, without a float32 copy of all the logits.

A masked-LM head gives one row of V logits for every masked position, in bf16 mostly. In float32
the same, its softmax and its gradient would take six times that memory. `chunked_sums` goes
through the rows a few at a time, or hands them to the kernel where a CPU has one; `whole_sums` is
the formula as it is written, for compilers that fuse it and for double precision tests.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from bertsmith.model.cpu_kernels import cross_entropy_sums, has_cpu_kernels, is_looked_at

__all__ = ["Sums", "chunked_sums", "whole_sums", "wide"]

# Numbers in a chunk: a few rows of a large vocabulary, in a processor's second-level cache.
_CHUNK_NUMEL = 2**19


# From logits [rows, classes] and class ids int64 [rows] to two scalars: the sum over the rows of
# `-log softmax(logits)[label]`, in float32 at least, with gradients; and how many rows have their
# highest score, the first of equal ones, at their label.
Sums = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def wide(values: Tensor) -> Tensor:
    """The same numbers in float32 or, where they are float64 already, in that."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def whole_sums(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Sum and hits, of all rows at once.

    Example:
        >>> total, hits = whole_sums(torch.zeros(3, 4), torch.tensor([0, 1, 1]))
        >>> round(total.item(), 4), hits.item()
        (4.1589, 1)
    """
    wide_logits = wide(logits)
    total = (wide_logits.logsumexp(1) - _at(wide_logits, labels)).sum()
    return total, (logits.detach().argmax(1) == labels).sum()


def chunked_sums(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Sum and hits, a few rows at a time; the gradient has the type of the logits.

    Example:
        >>> total, hits = chunked_sums(torch.zeros(3, 4), torch.tensor([0, 1, 1]))
        >>> round(total.item(), 4), hits.item()
        (4.1589, 1)
    """
    if has_cpu_kernels(logits):
        return cross_entropy_sums(logits, labels)
    if is_looked_at():
        return whole_sums(logits, labels)
    total, hits = _ChunkedSums.apply(logits, labels)  # type: ignore[no-untyped-call]
    return total, hits


class _ChunkedSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        highest = wide(logits.amax(1))
        log_totals, hits = [], []
        for rows, part_labels in _chunks(logits, labels):
            part = logits[rows]
            log_totals.append((wide(part) - highest[rows, None]).exp_().sum(1).log_())
            hits.append(_num_hits(part, part_labels, highest[rows]))
        # Apart from the highest: of their sum a large logit leaves nothing.
        log_total = torch.cat(log_totals) if log_totals else wide(logits.new_zeros(0))
        ctx.save_for_backward(logits, labels, highest, log_total)
        num_hits = torch.stack(hits).sum() if hits else labels.new_zeros(())
        ctx.mark_non_differentiable(num_hits)
        return (log_total - (wide(_at(logits, labels)) - highest)).sum(), num_hits

    @staticmethod
    def backward(ctx: Any, grad_total: Tensor, _: Tensor) -> tuple[Tensor, None]:
        logits, labels, highest, log_total = ctx.saved_tensors
        if torch.is_grad_enabled():  # what comes out is to be derived once more
            above_label = wide(logits).softmax(1) - one_hot(labels, logits.shape[1])
            return (above_label * grad_total).to(logits.dtype), None
        gradient = torch.empty_like(logits)
        for rows, part_labels in _chunks(logits, labels):
            above = wide(logits[rows]) - highest[rows, None]
            probability = above.sub_(log_total[rows, None]).exp_()
            probability[torch.arange(len(above), device=above.device), part_labels] -= 1
            gradient[rows] = probability.mul_(grad_total)
        return gradient, None


def _chunks(logits: Tensor, labels: Tensor) -> list[tuple[slice, Tensor]]:
    num_rows = max(1, _CHUNK_NUMEL // logits.shape[1])
    if logits.device.type != "cpu":
        num_rows *= 256  # there a launch is dear, and caches are shared
    places = [slice(first, first + num_rows) for first in range(0, len(labels), num_rows)]
    return [(rows, labels[rows]) for rows in places]


def _at(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(1, labels[:, None]).squeeze(1)


def _num_hits(logits: Tensor, labels: Tensor, highest: Tensor) -> Tensor:
    if logits.device.type == "cpu":
        # A maximum is ten times faster than its place, which only rows that may hit need.
        may_hit = _at(logits, labels) == highest
        logits, labels = logits[may_hit], labels[may_hit]
    return (logits.argmax(dim=1) == labels).sum()
