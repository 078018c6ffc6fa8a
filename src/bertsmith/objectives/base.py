"""What every objective returns: sums and counts, never averages."""

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.model.packing import PackedSequences

__all__ = ["LossSum", "Measure", "Objective"]


@dataclass(frozen=True)
class LossSum:
    """A loss summed over its items, and the number of items.

    The trainer adds the totals of all micro-batches and ranks and divides once, by the global
    count. An average of micro-batch averages would weigh items of small micro-batches more.

    Attributes:
        total: the sum, a float32 scalar tensor that carries gradients.
        count: the number of items (masked positions, sequences, labelled tokens).
    """

    total: Float[Tensor, ""]
    count: int

    @property
    def mean(self) -> Float[Tensor, ""]:
        """`total / count`, and 0 where there is nothing to count."""
        return self.total / max(self.count, 1)


@dataclass(frozen=True)
class Measure:
    """One objective's loss on a batch and, where it has labels to hit, how many were hit.

    Attributes:
        loss: the loss as a sum.
        num_correct: how many of `loss.count` items were predicted correctly (int64 scalar
            tensor), or None where that means nothing, as in regression.
    """

    loss: LossSum
    num_correct: Tensor | None = None


class Objective(Protocol):
    """Turns a model and a packed batch into named loss sums.

    The training loss is the sum over the names of `loss.total / loss.count`: for pre-training
    `mlm` and `nsp`, for fine-tuning one name.
    """

    def counts(self, batch: PackedSequences) -> dict[str, int]:
        """How many items each named loss has in the batch, without running the model."""
        ...

    def __call__(self, model: nn.Module, batch: PackedSequences) -> dict[str, Measure]:
        """Runs the model on the batch and returns a measure for each name."""
        ...
