"""The objectives that BERT is pre-trained with: masked LM, next sentence, and left to right."""

from typing import cast

import torch
from torch import Tensor, nn

from bertsmith.batches import PretrainingBatch
from bertsmith.model import BertForPreTraining, PreTrainingSums, Sums, chunked_sums
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.base import LossSum, Measure
from bertsmith.objectives.labelled import cross_entropy_sum

__all__ = ["LeftToRight", "MaskedLM"]


class MaskedLM:
    """Masked LM plus next-sentence prediction, the paper's pre-training objective.

    `loss = mean over masked positions of -log p(token) + mean over pairs of -log p(label)`. A
    batch without `next_sentence_labels` has the first term alone.

    Source: the paper, section 3.1 and appendix A.2; `run_pretraining.py` of google-research/bert.

    Args:
        sums: how the masked positions' cross-entropy is worked out.
    """

    def __init__(self, sums: Sums = chunked_sums) -> None:
        self.sums = sums

    def counts(self, batch: PackedSequences) -> dict[str, int]:
        """Masked positions as `mlm`, sequences as `nsp`."""
        batch = _pretraining_batch(batch)
        counts = {"mlm": batch.masked_labels.shape[0]}
        if batch.next_sentence_labels is not None:
            counts["nsp"] = batch.batch_size
        return counts

    def labels(self, batch: PackedSequences) -> Tensor:
        """The tokens that are predicted, int64."""
        return _pretraining_batch(batch).masked_labels

    def __call__(self, model: nn.Module, batch: PackedSequences) -> dict[str, Measure]:
        """Runs `BertForPreTraining` with the MLM head on the masked positions alone."""
        batch = _pretraining_batch(batch)
        outputs = cast(BertForPreTraining, model).forward_sums(
            batch, batch.masked_positions, batch.masked_labels, self.sums
        )
        measures = {"mlm": _measure(outputs, batch.masked_labels)}
        if batch.next_sentence_labels is not None:
            measures["nsp"] = cross_entropy_sum(
                outputs.seq_relationship_logits, batch.next_sentence_labels
            )
        return measures


class LeftToRight:
    """Every token predicts the next one, as GPT does: for `attention: causal`.

    The masked tokens of the batch are put back, so that the same store and batches serve both
    sides of the paper's comparison. There is no next-sentence term: with causal attention [CLS]
    sees only itself.

    Source: the paper, section 5.1, "LTR & No NSP".

    Args:
        sums: how the positions' cross-entropy is worked out.
    """

    def __init__(self, sums: Sums = chunked_sums) -> None:
        self.sums = sums

    def counts(self, batch: PackedSequences) -> dict[str, int]:
        """All tokens but the last of every sequence, as `ltr`."""
        return {"ltr": batch.num_tokens - batch.batch_size}

    def labels(self, batch: PackedSequences) -> Tensor:
        """The tokens that are predicted, int64: all but the first of every sequence."""
        whole = _pretraining_batch(batch).unmasked()
        return whole.input_ids[_positions_before_others(whole) + 1]

    def __call__(self, model: nn.Module, batch: PackedSequences) -> dict[str, Measure]:
        """Runs `BertForPreTraining` with the LM head on all positions but the last ones."""
        whole = _pretraining_batch(batch).unmasked()
        positions = _positions_before_others(whole)
        labels = whole.input_ids[positions + 1]
        outputs = cast(BertForPreTraining, model).forward_sums(whole, positions, labels, self.sums)
        return {"ltr": _measure(outputs, labels)}


def _positions_before_others(batch: PackedSequences) -> Tensor:
    """All positions but the last of every sequence, without asking the device how many they are."""
    number, device = batch.num_tokens - batch.batch_size, batch.cu_seqlens.device
    # Before a position lies the last token of every sequence before its own.
    num_skipped = torch.arange(batch.batch_size, device=device).repeat_interleave(
        batch.lengths.long() - 1, output_size=number
    )
    return torch.arange(number, device=device) + num_skipped


def _measure(outputs: PreTrainingSums, labels: Tensor) -> Measure:
    return Measure(LossSum(outputs.total, labels.shape[0]), outputs.num_correct)


def _pretraining_batch(batch: PackedSequences) -> PretrainingBatch:
    if not isinstance(batch, PretrainingBatch):
        raise TypeError(f"expected a PretrainingBatch, got {type(batch).__name__}")
    return batch
