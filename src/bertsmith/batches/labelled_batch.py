"""Packed batches of fine-tuning tasks."""

from dataclasses import dataclass

from jaxtyping import Num
from torch import Tensor

from bertsmith.model.packing import PackedSequences

__all__ = ["LabelledBatch"]


@dataclass(frozen=True)
class LabelledBatch(PackedSequences):
    """Packed sequences with the labels of a task.

    Attributes:
        labels: what the task's objective expects: class ids int64 [B], values float32 [B], tag ids
            int64 [T], spans int64 [B, 2].

    Example:
        >>> import torch
        >>> batch = LabelledBatch.from_lists([[2, 7, 3], [2, 3]], labels=torch.tensor([1, 0]))
        >>> batch.num_tokens, batch.labels.tolist()
        (5, [1, 0])
    """

    labels: Num[Tensor, "..."]

    @classmethod
    def from_lists(  # type: ignore[override]  # a labelled batch can't be made without labels
        cls,
        input_ids: list[list[int]],
        token_type_ids: list[list[int]] | None = None,
        *,
        labels: Num[Tensor, "..."],
    ) -> "LabelledBatch":
        """Packs lists of ids, one list a sequence; segment ids default to 0."""
        packed = PackedSequences.from_lists(input_ids, token_type_ids)
        return LabelledBatch(
            packed.input_ids,
            packed.token_type_ids,
            packed.position_ids,
            packed.cu_seqlens,
            packed.max_seqlen,
            labels,
        )
