"""Attention a head of a sequence at a time, by our own products; letters as in attention.py.

Those are of bf16 on tiles, or of float32 where `float_products` are the faster ones.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.float_products import has_float_products
from bertsmith.model.cpu_kernels.running import (
    HashedDropout,
    ask,
    call,
    is_wide,
    quiet,
    thread_sums,
)
from bertsmith.model.cpu_kernels.tiles import has_tiles

__all__ = ["AttendedBatch", "HeadAttention", "fits_attention"]


@dataclass(frozen=True)
class AttendedBatch:
    """What attention has to know of a packed batch.

    Attributes:
        cu_seqlens: cumulative lengths, int32 [B + 1].
        S: length of the longest sequence, rounded up to a multiple of 32.
        num_more_rows: rows behind the last token.
        dropout: of the probabilities.
        causal: whether a token sees only itself and the tokens before it.
    """

    cu_seqlens: Tensor
    S: int
    num_more_rows: int
    dropout: HashedDropout
    causal: bool

    @classmethod
    def of(
        cls,
        num_rows: int,
        cu_seqlens: Tensor,
        max_seqlen: int,
        num_tokens: int,
        dropout: HashedDropout,
        *,
        causal: bool,
    ) -> Self:
        """Checks that the lengths stay within the rows.

        Args:
            num_rows: rows R of the hidden states.
            cu_seqlens: cumulative lengths, int32 [B + 1].
            max_seqlen: length of the longest sequence, or more.
            num_tokens: number of tokens T; rows behind them mean nothing.
            dropout: of the probabilities.
            causal: whether a token sees only itself and the tokens before it.

        Raises:
            TypeError: cumulative lengths that are no int32.
            ValueError: lengths by which a kernel would read or write beyond the tensors.
        """
        if cu_seqlens.dtype != torch.int32:
            raise TypeError(f"cumulative lengths are int32, not {cu_seqlens.dtype}")
        ends = cu_seqlens.tolist()
        if ends[0] != 0 or ends[-1] != num_tokens or num_tokens > num_rows:
            found = f"sequences from {ends[0]} to {ends[-1]}"
            raise ValueError(f"{found} in {num_tokens} of {num_rows} rows")
        if any(not 0 <= end - start <= max_seqlen for start, end in pairwise(ends)):
            raise ValueError(f"a sequence is longer than {max_seqlen}, or shorter than 0")
        # oneDNN compiles its products for every shape; in steps of 32 few shapes recur.
        S = -(-int(max_seqlen) // 32) * 32
        return cls(cu_seqlens, S, num_rows - num_tokens, dropout, causal)

    @property
    def B(self) -> int:  # noqa: N802 - as in shapes
        """How many sequences there are."""
        return len(self.cu_seqlens) - 1


def fits_attention(query_key_value: Tensor) -> bool:
    """Whether our own products take heads, the last dimension, of that type and size."""
    if is_wide(query_key_value):
        return has_float_products()
    return has_tiles() and query_key_value.shape[-1] % 32 == 0


class HeadAttention(torch.autograd.Function):
    """Queries, keys and values [R, 3, N, H], their bias [3 * N * H] → attended values [R, N, H]."""

    @staticmethod
    def forward(ctx: Any, query_key_value: Tensor, bias: Tensor, batch: AttendedBatch) -> Tensor:
        """Keeps the probabilities, [B * N, S, S], in the type of what is given."""
        query_key_value, bias = query_key_value.contiguous(), quiet(bias)
        R, _, N, H = query_key_value.shape
        probabilities = query_key_value.new_empty(batch.B * N, batch.S, batch.S)
        output = query_key_value.new_empty(R, N, H)
        numbers = batch.B, N, batch.S, H, batch.num_more_rows, int(batch.causal), H**-0.5
        ctx.numbers, ctx.batch = (*numbers, *batch.dropout.numbers), batch
        ctx.kind = "float_attention" if is_wide(query_key_value) else "attention"
        room = _room(ctx.kind, batch, H)
        given = query_key_value, bias, probabilities, output, batch.cu_seqlens, room
        call(f"{ctx.kind}_forward", *given, *ctx.numbers)
        ctx.save_for_backward(query_key_value, bias, probabilities)
        return output

    @staticmethod
    @first_derivatives
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        """Returns the gradients of queries, keys and values, and of their bias."""
        query_key_value, bias, probabilities = ctx.saved_tensors
        gradient = torch.empty_like(query_key_value)
        sums = thread_sums(len(bias))
        given = query_key_value, bias, probabilities, grad_output.contiguous(), gradient, sums
        room = _room(ctx.kind, ctx.batch, query_key_value.shape[-1])
        call(f"{ctx.kind}_backward", *given, ctx.batch.cu_seqlens, room, *ctx.numbers)
        return gradient, sums.sum(0), None


def _room(kind: str, batch: AttendedBatch, H: int) -> Tensor:
    """Scratch of all threads."""
    room = torch.get_num_threads() * ask(f"{kind}_room", batch.S, H)
    return torch.empty(room, dtype=torch.uint8, device="cpu")
