"""Fine-tuning on multiple choice: which of several continuations is the right one."""

from typing import cast

from torch import nn

from bertsmith.model import BertForMultipleChoice
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.base import Measure
from bertsmith.objectives.labelled import cross_entropy_sum, labels_of

__all__ = ["MultipleChoice"]


class MultipleChoice:
    """Cross-entropy of the right choice, one score for each choice from its pooled [CLS].

    loss = -log softmax over the choices (C_i · v)[right choice], summed over examples

    **Source**: the paper, section 4.4.

    The choices of an example are sequences that follow each other, the same number for every
    example. The batch's labels are the right choices, counted from 0, int64 [examples].
    """

    def counts(self, batch: PackedSequences) -> dict[str, int]:
        """Examples, as `choices`."""
        return {"choices": labels_of(batch).shape[0]}

    def __call__(self, model: nn.Module, batch: PackedSequences) -> dict[str, Measure]:
        """Runs `BertForMultipleChoice` on the batch."""
        labels = labels_of(batch)
        num_choices = batch.batch_size // labels.shape[0]
        outputs = cast(BertForMultipleChoice, model).forward_packed(batch, num_choices=num_choices)
        return {"choices": cross_entropy_sum(outputs.logits, labels)}
