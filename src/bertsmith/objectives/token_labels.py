"""Fine-tuning on a label for each word: named entities, parts of speech."""

from typing import cast

from torch import nn

from bertsmith.model import BertForTokenClassification
from bertsmith.model.packing import PackedSequences, rows_at
from bertsmith.objectives.base import Measure
from bertsmith.objectives.labelled import cross_entropy_sum, labels_of

__all__ = ["IGNORED", "TokenLabels"]

#: The label of tokens that count for nothing: [CLS], [SEP] and all pieces of a word but its first.
IGNORED = -100


class TokenLabels:
    """Cross-entropy of the label of each word, from its first piece.

    loss = -log softmax(T_i Wᵀ)[label_i], summed over the tokens whose label is not `IGNORED`

    **Source**: the paper, section 5.3.

    The batch's labels are label ids, int64 [T]. Sequences without any labelled token are allowed;
    they add nothing.
    """

    def counts(self, batch: PackedSequences) -> dict[str, int]:
        """Labelled tokens, as `token_labels`."""
        return {"token_labels": int((labels_of(batch) != IGNORED).sum())}

    def __call__(self, model: nn.Module, batch: PackedSequences) -> dict[str, Measure]:
        """Runs `BertForTokenClassification` on the batch."""
        labels = labels_of(batch)
        outputs = cast(BertForTokenClassification, model).forward_packed(batch)
        # A GPU is waited for here, to learn how many there are: once, not for each of the two.
        labelled = (labels != IGNORED).nonzero().squeeze(1)
        logits = rows_at(outputs.logits, labelled)
        return {"token_labels": cross_entropy_sum(logits, labels[labelled])}
