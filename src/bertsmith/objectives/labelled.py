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
    total = nn.functional.cross_entropy(wide(logits), labels, reduction="sum")
    num_correct = (logits.detach().argmax(dim=-1) == labels).sum()
    return Measure(LossSum(total, labels.shape[0]), num_correct)
