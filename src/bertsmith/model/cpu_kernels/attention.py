"""Attention of packed sequences: whole, or what stands between PyTorch's products.

Shape suffixes: R rows, of which the first T are tokens, B sequences, S longest length, N heads,
H head size.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.head_attention import (
    AttendedBatch,
    HeadAttention,
    fits_attention,
)
from bertsmith.model.cpu_kernels.running import (
    HashedDropout,
    call,
    is_wide,
    must_agree,
    quiet,
    thread_sums,
)

__all__ = ["padded_attention"]


def padded_attention(
    query_key_value: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    num_tokens: int,
    *,
    dropout_p: float = 0.0,
    causal: bool = False,
    bias: Tensor | None = None,
) -> Tensor:
    """Returns the attended values, [R, N, H], of the same type; rows behind the tokens are zeros.

    Probabilities are worked out in float32 and rounded to that type before they weigh the values.

    Args:
        query_key_value: of every token and head, or the products of the linear layer that gives
            them without its bias, bf16 or float32 [R, 3, N, H].
        cu_seqlens: cumulative lengths, starting at 0 and ending at T, int32 [B + 1].
        max_seqlen: length S of the longest sequence.
        num_tokens: number of tokens T; rows behind them mean nothing.
        dropout_p: share of the probabilities that is dropped, in [0, 1).
        causal: whether a token sees only itself and the tokens before it.
        bias: that layer's bias, [3 * N * H]; None adds nothing.

    Raises:
        TypeError: cumulative lengths that are no int32.
        ValueError: lengths or a bias that don't fit the rows.
    """
    lengths = cu_seqlens, max_seqlen, num_tokens
    dropout = HashedDropout.draw(dropout_p)
    batch = AttendedBatch.of(len(query_key_value), *lengths, dropout, causal=causal)
    columns = query_key_value.shape[1:].numel()
    zeros = query_key_value.new_zeros(columns, dtype=torch.float32)
    added = zeros if bias is None else bias.float()
    must_agree("the bias", added.shape, (columns,))
    kind = HeadAttention if fits_attention(query_key_value) else _Attention
    output: Tensor = kind.apply(query_key_value, added, batch)  # type: ignore[no-untyped-call]
    return output


def _in_their_type(function: Callable[..., Any]) -> Callable[..., Any]:
    """Without autocast, which would change the type of PyTorch's products; kernels go by it."""

    @functools.wraps(function)
    def inner(*arguments: Any) -> Any:
        with torch.autocast("cpu", enabled=False):
            return function(*arguments)

    return inner


class _Attention(torch.autograd.Function):
    @staticmethod
    @_in_their_type
    def forward(ctx: Any, query_key_value: Tensor, bias: Tensor, batch: AttendedBatch) -> Tensor:
        R, _, N, H = query_key_value.shape
        heads = _pad(query_key_value, batch.cu_seqlens, batch.S, quiet(bias))
        query, key, value = heads
        probabilities = torch.bmm(query, key.transpose(1, 2))
        is_one = batch.dropout.threshold == 0
        dropped = probabilities if is_one else torch.empty_like(probabilities)
        ctx.batch = batch
        shape = batch.B, N, batch.S, int(batch.causal)
        ctx.numbers = *shape, *batch.dropout.numbers, is_wide(query_key_value)
        call("softmax_forward", probabilities, dropped, batch.cu_seqlens, *ctx.numbers)
        ctx.save_for_backward(heads, probabilities, dropped)
        output = query_key_value.new_empty(R, N, H)
        _pack(torch.bmm(dropped, value)[None], output, batch)
        return output

    @staticmethod
    @first_derivatives
    @_in_their_type
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        heads, probabilities, dropped = ctx.saved_tensors
        R, N, H = grad_output.shape
        cu_seqlens = ctx.batch.cu_seqlens
        query, key, value = heads
        (above,) = _pad(grad_output[:, None], cu_seqlens, ctx.batch.S)
        gradients = torch.empty_like(heads)
        torch.bmm(dropped.transpose(1, 2), above, out=gradients[2])
        scores = torch.bmm(above, value.transpose(1, 2))
        call("softmax_backward", probabilities, scores, cu_seqlens, *ctx.numbers)
        torch.bmm(scores, key, out=gradients[0])
        torch.bmm(scores.transpose(1, 2), query, out=gradients[1])
        gradient = grad_output.new_empty(R, 3, N, H)
        sums = thread_sums(3 * N * H)
        _pack(gradients, gradient, ctx.batch, sums)
        return gradient, sums.sum(0), None


def _pad(packed: Tensor, cu_seqlens: Tensor, S: int, bias: Tensor | None = None) -> Tensor:
    """Heads one by one, [parts, B * N, S, H], of packed rows [R, parts, N, H].

    With a bias, [parts * N * H], it is added, and the first part, the queries, is scaled.
    """
    _, parts, N, H = packed.shape
    B = len(cu_seqlens) - 1
    padded = packed.new_empty(parts, B * N, S, H)
    numbers = parts, B, N, S, H, H**-0.5, is_wide(packed)
    call("pad_heads", packed.contiguous(), bias, padded, cu_seqlens, *numbers)
    return padded


def _pack(
    padded: Tensor, packed: Tensor, batch: AttendedBatch, bias_sums: Tensor | None = None
) -> None:
    """Writes heads [parts, B * N, S, H] into packed rows.

    With sums, zeros of [threads, parts * N * H], the first part is scaled, and the rows are added
    up there.
    """
    (parts, _, S, H), N = padded.shape, packed.shape[-2]
    numbers = parts, batch.B, N, S, H, batch.num_more_rows, H**-0.5, is_wide(padded)
    call("pack_heads", padded, packed, bias_sums, batch.cu_seqlens, *numbers)
