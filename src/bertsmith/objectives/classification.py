"""Fine-tuning on classes of single sentences and pairs."""

from typing import cast

from torch import nn

from bertsmith.model import BertForSequenceClassification
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.base import Measure
from bertsmith.objectives.labelled import cross_entropy_sum, labels_of

__all__ = ["SequenceClassification"]


class SequenceClassification:
    """Cross-entropy of each sequence's class, from the pooled [CLS].

    loss = -log softmax(C Wᵀ)[label], summed over sequences

    **Source**: the paper, section 4.1; `run_classifier.py` of google-research/bert.

    The batch's labels are class ids, int64 [B].
    """

    def counts(self, batch: PackedSequences) -> dict[str, int]:
        """Sequences, as `classification`."""
        return {"classification": labels_of(batch).shape[0]}

    def __call__(self, model: nn.Module, batch: PackedSequences) -> dict[str, Measure]:
        """Runs `BertForSequenceClassification` on the batch."""
        outputs = cast(BertForSequenceClassification, model).forward_packed(batch)
        return {"classification": cross_entropy_sum(outputs.logits, labels_of(batch))}
