"""Fine-tuning on a number for each sentence or pair."""

from typing import cast

from torch import nn

from bertsmith.model import BertForSequenceClassification
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.base import LossSum, Measure
from bertsmith.objectives.labelled import labels_of, wide

__all__ = ["SequenceRegression"]


class SequenceRegression:
    """Squared error of each sequence's number, from the pooled [CLS].

    loss = (prediction - label)², summed over sequences

    The batch's labels are numbers, float32 [B].
    """

    def counts(self, batch: PackedSequences) -> dict[str, int]:
        """Sequences, as `regression`."""
        return {"regression": labels_of(batch).shape[0]}

    def __call__(self, model: nn.Module, batch: PackedSequences) -> dict[str, Measure]:
        """Runs `BertForSequenceClassification` with one output on the batch."""
        labels = labels_of(batch)
        outputs = cast(BertForSequenceClassification, model).forward_packed(batch)
        errors = wide(outputs.logits).squeeze(-1) - labels
        return {"regression": Measure(LossSum(errors.square().sum(), labels.shape[0]))}
