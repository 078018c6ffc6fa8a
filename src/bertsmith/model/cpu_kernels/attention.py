"""Attention of packed bf16 sequences: what stands between PyTorch's products.

Shape suffixes: R rows, of which the first T are tokens, B sequences, S longest length, N heads,
H head size.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bertsmith.model.cpu_kernels.products import has_tiles
from bertsmith.model.cpu_kernels.running import HashedDropout, call

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
    """Returns the attended values, bf16 [R, N, H]; rows behind the tokens are zeros.

    Probabilities are worked out in float32 and rounded to bf16 before they weigh the values.

    Args:
        query_key_value: of every token and head, or the products of the linear layer that gives
            them without its bias, bf16 [R, 3, N, H].
        cu_seqlens: cumulative lengths, starting at 0 and ending at T, int32 [B + 1].
        max_seqlen: length S of the longest sequence.
        num_tokens: number of tokens T; rows behind them mean nothing.
        dropout_p: share of the probabilities that is dropped, in [0, 1).
        causal: whether a token sees only itself and the tokens before it.
        bias: that layer's bias, [3 * N * H]; None adds nothing.
    """
    # oneDNN compiles its products for every shape; in steps of 32 few shapes recur.
    S = -(-max_seqlen // 32) * 32
    layout = cu_seqlens, S, query_key_value.shape[0] - num_tokens
    columns = query_key_value[0].numel()
    added = torch.zeros(columns) if bias is None else bias.float().contiguous()
    on_tiles = has_tiles() and query_key_value.shape[3] % 32 == 0
    kind = _TiledAttention if on_tiles else _Attention
    output: Tensor = kind.apply(  # type: ignore[no-untyped-call]
        query_key_value, added, *layout, HashedDropout.draw(dropout_p), causal
    )
    return output


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query_key_value: Tensor,
        bias: Tensor,
        cu_seqlens: Tensor,
        S: int,
        num_more_rows: int,
        dropout: HashedDropout,
        causal: bool,
    ) -> Tensor:
        R, _, N, H = query_key_value.shape
        heads = _pad(query_key_value, cu_seqlens, S, bias)
        query, key, value = heads
        probabilities = torch.bmm(query, key.transpose(1, 2))
        is_one = dropout.threshold == 0
        dropped = probabilities if is_one else torch.empty_like(probabilities)
        ctx.numbers = (len(cu_seqlens) - 1, N, S, int(causal), *dropout.numbers)
        call("softmax_forward", probabilities, dropped, cu_seqlens, *ctx.numbers)
        ctx.num_more_rows = num_more_rows
        ctx.save_for_backward(heads, probabilities, dropped, cu_seqlens)
        output = query_key_value.new_empty(R, N, H)
        _pack(torch.bmm(dropped, value)[None], output, cu_seqlens, num_more_rows)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        heads, probabilities, dropped, cu_seqlens = ctx.saved_tensors
        R, N, H = grad_output.shape
        S = heads.shape[2]
        query, key, value = heads
        (above,) = _pad(grad_output[:, None], cu_seqlens, S)
        gradients = torch.empty_like(heads)
        torch.bmm(dropped.transpose(1, 2), above, out=gradients[2])
        scores = torch.bmm(above, value.transpose(1, 2))
        call("softmax_backward", probabilities, scores, cu_seqlens, *ctx.numbers)
        torch.bmm(scores, key, out=gradients[0])
        torch.bmm(scores.transpose(1, 2), query, out=gradients[1])
        gradient = grad_output.new_empty(R, 3, N, H)
        sums = torch.zeros(torch.get_num_threads(), 3 * N * H)
        _pack(gradients, gradient, cu_seqlens, ctx.num_more_rows, sums)
        return gradient, sums.sum(0), None, None, None, None, None


class _TiledAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query_key_value: Tensor,
        bias: Tensor,
        cu_seqlens: Tensor,
        S: int,
        num_more_rows: int,
        dropout: HashedDropout,
        causal: bool,
    ) -> Tensor:
        query_key_value = query_key_value.contiguous()
        R, _, N, H = query_key_value.shape
        B = len(cu_seqlens) - 1
        probabilities = query_key_value.new_empty(B * N, S, S)
        output = query_key_value.new_empty(R, N, H)
        ctx.numbers = B, N, S, H, num_more_rows, int(causal), H**-0.5, *dropout.numbers
        given = query_key_value, bias, probabilities, output, cu_seqlens, _room(S, H)
        call("attention_forward", *given, *ctx.numbers)
        ctx.save_for_backward(query_key_value, bias, probabilities, cu_seqlens)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        query_key_value, bias, probabilities, cu_seqlens = ctx.saved_tensors
        _, _, S, H, *_ = ctx.numbers
        gradient = torch.empty_like(query_key_value)
        sums = torch.zeros(torch.get_num_threads(), len(bias))
        given = query_key_value, bias, probabilities, grad_output.contiguous(), gradient, sums
        call("attention_backward", *given, cu_seqlens, _room(S, H), *ctx.numbers)
        return gradient, sums.sum(0), None, None, None, None, None


def _room(S: int, H: int) -> Tensor:
    """Scratch of all threads: what `attention_room` in tiled_attention.c says, for each."""
    bytes_of_thread = 2 * (8 * S * H + 2 * S * S + 32 * S) + 4 * 32 * (S + H) + 64
    return torch.empty(torch.get_num_threads() * bytes_of_thread, dtype=torch.uint8)


def _pad(packed: Tensor, cu_seqlens: Tensor, S: int, bias: Tensor | None = None) -> Tensor:
    """Heads one by one, [parts, B * N, S, H], of packed rows [R, parts, N, H].

    With a bias, [parts * N * H], it is added, and the first part, the queries, is scaled.
    """
    _, parts, N, H = packed.shape
    B = len(cu_seqlens) - 1
    padded = packed.new_empty(parts, B * N, S, H)
    call("pad_heads", packed.contiguous(), bias, padded, cu_seqlens, parts, B, N, S, H, H**-0.5)
    return padded


def _pack(
    padded: Tensor,
    packed: Tensor,
    cu_seqlens: Tensor,
    num_more_rows: int,
    bias_sums: Tensor | None = None,
) -> None:
    """Writes heads [parts, B * N, S, H] into packed rows.

    With sums, zeros of [threads, parts * N * H], the first part is scaled, and the rows are added
    up there.
    """
    (parts, _, S, H), B = padded.shape, len(cu_seqlens) - 1
    numbers = parts, B, padded.shape[1] // B, S, H, num_more_rows, H**-0.5
    call("pack_heads", padded, packed, bias_sums, cu_seqlens, *numbers)
