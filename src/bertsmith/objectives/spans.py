"""Fine-tuning on answer spans: where in the sequence the answer starts and ends."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.model import BertForQuestionAnswering
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.base import LossSum, Measure
from bertsmith.objectives.labelled import labels_of, wide

__all__ = ["AnswerSpans"]


class AnswerSpans:
    """Cross-entropy of the first and the last token of each sequence's answer.

    loss = ½ (-log softmax(start logits)[start] - log softmax(end logits)[end]), summed over
    sequences; each softmax runs over the tokens of its own sequence

    **Source**: the paper, section 4.2; `run_squad.py` of google-research/bert.

    The batch's labels are the offsets of both tokens in their sequence, int64 [B, 2]; (0, 0), the
    [CLS], where the sequence holds no answer. A sequence is hit if both are.
    """

    def counts(self, batch: PackedSequences) -> dict[str, int]:
        """Sequences, as `spans`."""
        return {"spans": labels_of(batch).shape[0]}

    def __call__(self, model: nn.Module, batch: PackedSequences) -> dict[str, Measure]:
        """Runs `BertForQuestionAnswering` on the batch."""
        labels = labels_of(batch)
        outputs = cast(BertForQuestionAnswering, model).forward_packed(batch)
        starts = _by_sequence(outputs.start_logits, batch)
        ends = _by_sequence(outputs.end_logits, batch)
        total = (
            nn.functional.cross_entropy(starts, labels[:, 0], reduction="sum")
            + nn.functional.cross_entropy(ends, labels[:, 1], reduction="sum")
        ) / 2
        guesses = torch.stack([starts.detach().argmax(dim=-1), ends.detach().argmax(dim=-1)], dim=1)
        num_correct = (guesses == labels).all(dim=1).sum()
        return {"spans": Measure(LossSum(total, labels.shape[0]), num_correct)}


def _by_sequence(logits: Float[Tensor, "T"], batch: PackedSequences) -> Float[Tensor, "B S"]:
    """One row a sequence, -inf where a row has no token, so that nothing is spent on padding."""
    return batch.pad(wide(logits)).masked_fill(~batch.padding_mask(), -torch.inf)
