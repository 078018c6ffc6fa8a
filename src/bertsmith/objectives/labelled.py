"""What the fine-tuning objectives share: the labels of a batch, and cross-entropy as a sum."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bertsmith.batches import LabelledBatch
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.base import LossSum, Measure

__all__ = ["cross_entropy_sum", "labels_of", "wide"]


def labels_of(batch: PackedSequences) -> Tensor:
    """The batch's labels.

    Raises:
        TypeError: the batch is not a `LabelledBatch` (a bug of the caller, not a user's mistake).
    """
    if not isinstance(batch, LabelledBatch):
        raise TypeError(f"expected a LabelledBatch, got {type(batch).__name__}")
    return batch.labels


def wide(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The same numbers in float32 or, where they are float64 already, in that."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def cross_entropy_sum(
    logits: Float[Tensor, "items classes"], labels: Int[Tensor, "items"]
) -> Measure:
    """Sums `-log softmax(logits)[label]` over all items, in float32 at least, and counts the hits.

    Args:
        logits: scores of the classes, [items, classes].
        labels: class ids, int64 [items].

    Returns:
        The sum with its count and the number of items whose highest score is their label's.

    Example:
        >>> measure = cross_entropy_sum(torch.zeros(3, 4), torch.tensor([0, 1, 1]))
        >>> round(measure.loss.mean.item(), 4), measure.loss.count, measure.num_correct.item()
        (1.3863, 3, 1)
    """
    logits = wide(logits)
    total = nn.functional.cross_entropy(logits, labels, reduction="sum")
    return Measure(LossSum(total, labels.shape[0]), _num_hits(logits.detach(), labels))


def _num_hits(logits: Tensor, labels: Tensor) -> Tensor:
    """How many rows have their highest score, the first of equal ones, at their label."""
    if logits.device.type == "cpu":
        # A maximum is ten times faster than its place, which only rows that may hit need.
        may_hit = logits.gather(1, labels[:, None]).squeeze(1) == logits.amax(dim=1)
        logits, labels = logits[may_hit], labels[may_hit]
    return (logits.argmax(dim=1) == labels).sum()
