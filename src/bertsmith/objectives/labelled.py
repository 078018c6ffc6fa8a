"""What the fine-tuning objectives share: the labels of a batch, and cross-entropy as a sum."""

from jaxtyping import Float, Int
from torch import Tensor

from bertsmith.batches import LabelledBatch
from bertsmith.model.cross_entropy import chunked_sums, wide
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


def cross_entropy_sum(
    logits: Float[Tensor, "items classes"],
    labels: Int[Tensor, "items"],
) -> Measure:
    """Sums `-log softmax(logits)[label]` over all items, in float32 at least, and counts the hits.

    Args:
        logits: scores of the classes, [items, classes].
        labels: class ids, int64 [items].

    Returns:
        The sum with its count and the number of items whose highest score is their label's.

    Example:
        >>> import torch
        >>> measure = cross_entropy_sum(torch.zeros(3, 4), torch.tensor([0, 1, 1]))
        >>> round(measure.loss.mean.item(), 4), measure.loss.count, measure.num_correct.item()
        (1.3863, 3, 1)
    """
    total, hits = chunked_sums(logits, labels)
    return Measure(LossSum(total, labels.shape[0]), hits)
