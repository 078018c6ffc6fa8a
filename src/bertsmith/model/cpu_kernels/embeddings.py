"""The embeddings of tokens in one pass: three tables, LayerNorm, dropout.

PyTorch's steps are a dozen passes over memory, and add up what a table's rows get on one thread.

Shape suffixes: R rows, of which the first T are tokens, D hidden.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.running import (
    HashedDropout,
    ask,
    call,
    empty,
    has_cpu_kernels,
    is_plain_float32,
    is_wide,
    must_agree,
    thread_sums,
)
from bertsmith.model.tied_embedding import TiedUse

__all__ = ["EmbeddingWeights", "TokenIds", "embed", "fits_embeddings"]


class TokenIds(NamedTuple):
    """What is looked up of each token, int64 [T].

    Attributes:
        words: rows of the word embeddings.
        segments: of the segments'.
        positions: of the positions'.
    """

    words: Tensor
    segments: Tensor
    positions: Tensor


class EmbeddingWeights(NamedTuple):
    """Three tables and a LayerNorm, float32.

    Attributes:
        words: [V, D].
        segments: [segments, D].
        positions: [positions, D].
        norm: LayerNorm's weight, [D].
        norm_bias: its bias, [D].
    """

    words: Tensor
    segments: Tensor
    positions: Tensor
    norm: Tensor
    norm_bias: Tensor


def fits_embeddings(ids: TokenIds, weights: EmbeddingWeights) -> bool:
    """Whether the kernel can take these: plain float32 weights, all in training, and int64 ids."""
    return (
        has_cpu_kernels()
        and all(map(is_plain_float32, weights))
        and all(weight.requires_grad for weight in weights)
        and torch.is_grad_enabled()
        and all(each.dtype == torch.int64 and each.device.type == "cpu" for each in ids)
        and (not torch.is_autocast_enabled("cpu") or _autocast_is_bf16())
    )


def embed(
    ids: TokenIds,
    weights: EmbeddingWeights,
    eps: float,
    dropout_p: float,
    num_rows: int,
    use: TiedUse,
) -> Tensor:
    """Returns `dropout(LayerNorm(word + segment + position))`, [R, D], zeros behind the tokens.

    It is bf16 under autocast to that, else float32; what is between is float32.

    Args:
        ids: what is looked up, which `fits_embeddings` with the weights.
        weights: the tables and the LayerNorm.
        eps: added to the variance inside the root.
        dropout_p: share of the values that is dropped, in [0, 1).
        num_rows: rows R, at least T.
        use: shared with `as_output_weights` of the same forward pass.

    Raises:
        IndexError: ids that are no rows of their table.
        ValueError: tables and vectors that aren't equally wide, or ids not equally many.
    """
    (T,), D = ids.words.shape, weights.words.shape[1]
    for each in ids:
        must_agree("ids", each.shape, (T,))
    for table in weights[:3]:
        must_agree("a row of a table", table.shape[1:], (D,))
    for vector in weights[3:]:
        must_agree("a bias or weight", vector.shape, (D,))
    ids = TokenIds(*(each.contiguous() for each in ids))
    for name, each, table in zip(TokenIds._fields, ids, weights, strict=False):
        if not ask("are_rows", each.data_ptr(), T, len(table)):
            raise IndexError(
                f"{name}: ids from {each.min()} to {each.max()} in a table of {len(table)} rows"
            )
    settings = float(eps), HashedDropout.draw(dropout_p), max(num_rows - T, 0)
    output: Tensor = _Embed.apply(ids, settings, use, *weights)  # type: ignore[no-untyped-call]
    return output


class _Embed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        ids: TokenIds,
        settings: tuple[float, HashedDropout, int],
        use: TiedUse,
        *weights: Tensor,
    ) -> Tensor:
        eps, dropout, more = settings
        T, D = len(ids.words), len(weights[-1])
        dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        output = torch.empty(T + more, D, dtype=dtype, device="cpu")
        means, factors = empty(2, T)
        call(
            "embed_forward", *ids, *weights, output, means, factors, T, D, more, eps,
            *dropout.numbers, is_wide(output),
        )  # fmt: skip
        ctx.use, ctx.dropout = use, dropout
        ctx.save_for_backward(*ids, *weights[:-1], means, factors)
        return output

    @staticmethod
    @first_derivatives
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        *given, means, factors = ctx.saved_tensors
        tables = given[3:6]
        T, D = len(means), tables[0].shape[1]
        of_words, ctx.use.gradient = ctx.use.gradient, None
        if of_words is None or not is_plain_float32(of_words):
            added = 0 if of_words is None else of_words
            of_words = torch.zeros_like(tables[0]) + added
        others = [torch.zeros_like(table) for table in tables[1:]]
        sums, scratch = thread_sums(2, D), empty(T, D)
        call(
            "embed_backward", grad_output.contiguous(), *given, means, factors, of_words, *others,
            sums, scratch, T, D, *ctx.dropout.numbers, is_wide(grad_output),
        )  # fmt: skip
        return None, None, None, of_words, *others, *sums.sum(0)


def _autocast_is_bf16() -> bool:
    return torch.get_autocast_dtype("cpu") == torch.bfloat16
