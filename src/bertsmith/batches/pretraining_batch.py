"""Packed batches of masked sentence pairs."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bertsmith.examples import PackedExamples
from bertsmith.model.packing import PackedSequences

__all__ = ["PretrainingBatch"]


@dataclass(frozen=True)
class PretrainingBatch(PackedSequences):
    """Packed sequences with P tokens to predict and, for pairs, their labels.

    Attributes:
        masked_positions: where on the token axis a token is predicted, ascending, int64 [P].
        masked_labels: the original ids there, int64 [P].
        next_sentence_labels: 0 where B follows A, 1 where it is random or, with
            `pair_labels=order`, where the two are swapped, int64 [B]; None for single segments.
    """

    masked_positions: Int[Tensor, "P"]
    masked_labels: Int[Tensor, "P"]
    next_sentence_labels: Int[Tensor, "B"] | None

    @classmethod
    def from_examples(cls, examples: PackedExamples) -> "PretrainingBatch":
        """Wraps examples as tensors; arrays and tensors share their memory."""
        lengths = np.diff(examples.cu_seqlens)
        starts = np.repeat(examples.cu_seqlens[:-1], lengths)
        position_ids = np.arange(len(examples.input_ids)) - starts
        labels = examples.next_sentence_labels
        return PretrainingBatch(
            torch.from_numpy(examples.input_ids),
            torch.from_numpy(examples.token_type_ids),
            torch.from_numpy(position_ids),
            torch.from_numpy(examples.cu_seqlens),
            int(lengths.max(initial=0)),
            torch.from_numpy(examples.masked_positions),
            torch.from_numpy(examples.masked_labels),
            None if labels is None else torch.from_numpy(labels),
        )

    def unmasked(self) -> "PretrainingBatch":
        """Returns the batch with the original tokens back in place; what to predict stays."""
        input_ids = self.input_ids.clone()
        input_ids[self.masked_positions] = self.masked_labels
        return replace(self, input_ids=input_ids)
