"""Packed sequences: all tokens of a batch on one axis, without padding."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

__all__ = ["PackedSequences", "rows_at"]


@dataclass(frozen=True)
class PackedSequences:
    """B sequences laid end to end on one token axis T; nothing is padding.

    Sequence `b` occupies tokens `cu_seqlens[b]` up to `cu_seqlens[b + 1]`.

    Attributes:
        input_ids: token ids, int64 [T].
        token_type_ids: 0 for segment A, 1 for segment B, int64 [T].
        position_ids: position in its own sequence, starting at 0, int64 [T].
        cu_seqlens: cumulative lengths, starting at 0 and ending at T, int32 [B + 1].
        max_seqlen: length of the longest sequence, in tokens (kept as a Python int so that no
            device has to be asked for it).

    Example:
        >>> packed = PackedSequences.from_lists([[2, 7, 3], [2, 3]])
        >>> packed.input_ids.tolist(), packed.cu_seqlens.tolist(), packed.position_ids.tolist()
        ([2, 7, 3, 2, 3], [0, 3, 5], [0, 1, 2, 0, 1])
        >>> packed.pad(packed.input_ids).tolist()
        [[2, 7, 3], [2, 3, 0]]
    """

    input_ids: Int[Tensor, "T"]
    token_type_ids: Int[Tensor, "T"]
    position_ids: Int[Tensor, "T"]
    cu_seqlens: Int[Tensor, "B_plus_1"]
    max_seqlen: int

    @classmethod
    def from_lists(
        cls, input_ids: list[list[int]], token_type_ids: list[list[int]] | None = None
    ) -> "PackedSequences":
        """Packs lists of ids, one list a sequence; segment ids default to 0."""
        lengths = torch.tensor([len(ids) for ids in input_ids], dtype=torch.int64)
        flat = torch.tensor([i for ids in input_ids for i in ids], dtype=torch.int64)
        types = (
            torch.zeros_like(flat)
            if token_type_ids is None
            else torch.tensor([t for types in token_type_ids for t in types], dtype=torch.int64)
        )
        return PackedSequences(flat, types, *_layout(lengths))

    @classmethod
    def from_padded(
        cls,
        input_ids: Int[Tensor, "B S"],
        attention_mask: Bool[Tensor, "B S"],
        token_type_ids: Int[Tensor, "B S"],
    ) -> "PackedSequences":
        """Packs a padded batch; tokens keep the position that they have in their row."""
        lengths = attention_mask.sum(dim=1)
        _, cu_seqlens, max_seqlen = _layout(lengths)
        position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)
        return PackedSequences(
            input_ids[attention_mask],
            token_type_ids[attention_mask],
            position_ids.expand_as(input_ids)[attention_mask],
            cu_seqlens,
            max_seqlen,
        )

    @property
    def batch_size(self) -> int:
        """Number of sequences B."""
        return self.cu_seqlens.shape[0] - 1

    @property
    def num_tokens(self) -> int:
        """Number of tokens T."""
        return self.input_ids.shape[0]

    @property
    def lengths(self) -> Int[Tensor, "B"]:
        """Length of every sequence, in tokens."""
        return self.cu_seqlens[1:] - self.cu_seqlens[:-1]

    @property
    def first_token_positions(self) -> Int[Tensor, "B"]:
        """Where every sequence's first token, its [CLS], stands on the token axis."""
        return self.cu_seqlens[:-1].long()

    @property
    def row_index(self) -> Int[Tensor, "T"]:
        """Which sequence every token belongs to."""
        rows = torch.arange(self.batch_size, device=self.cu_seqlens.device)
        return rows.repeat_interleave(self.lengths.long(), output_size=self.num_tokens)

    @property
    def column_index(self) -> Int[Tensor, "T"]:
        """Every token's offset from its sequence's first token (its column when padded)."""
        tokens = torch.arange(self.num_tokens, device=self.cu_seqlens.device)
        return tokens - self.first_token_positions[self.row_index]

    def padding_mask(self) -> Bool[Tensor, "B S"]:
        """True where the padded form [B, max_seqlen] holds a token."""
        columns = torch.arange(self.max_seqlen, device=self.cu_seqlens.device)
        return columns[None, :] < self.lengths[:, None]

    def pad(self, values: Shaped[Tensor, "T *rest"]) -> Shaped[Tensor, "B S *rest"]:
        """Lays packed values [T, ...] out as [B, max_seqlen, ...], zero at padding."""
        padded = values.new_zeros((self.batch_size, self.max_seqlen, *values.shape[1:]))
        padded[self.row_index, self.column_index] = values
        return padded

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """Returns the same batch on another device."""
        return self._mapped(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Returns the batch in memory that a GPU copies from while the program goes on."""
        return self._mapped(lambda value: value.pin_memory())

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Self:
        changed: dict[str, Any] = {
            field.name: change(value)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **changed)


def rows_at(values: Shaped[Tensor, "T *rest"], rows: Int[Tensor, "P"]) -> Shaped[Tensor, "P *rest"]:
    """The rows of those numbers, `values[rows]`.

    On a GPU indexing sorts all rows in the backward pass, in case one stands twice among them; on
    a CPU it is the faster way to take a few of many.
    """
    return values[rows] if values.device.type == "cpu" else values.index_select(0, rows)


def _layout(lengths: Int[Tensor, "B"]) -> tuple[Tensor, Tensor, int]:
    """Positions [T], cumulative lengths [B + 1] and the longest length."""
    cu_seqlens = torch.zeros(len(lengths) + 1, dtype=torch.int32, device=lengths.device)
    cu_seqlens[1:] = lengths.cumsum(0)
    starts = cu_seqlens[:-1].long().repeat_interleave(lengths)
    positions = torch.arange(starts.shape[0], device=lengths.device) - starts
    return positions, cu_seqlens, int(lengths.max()) if len(lengths) else 0
