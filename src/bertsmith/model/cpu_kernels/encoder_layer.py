"""A whole encoder layer by our own products, of bf16 or float32, in one call each way.

One by one, called from Python, the same kernels give the same. There the way from each to the next
takes 0.1 to 0.5 ms, the longer the more of the caches a kernel has used, and the other threads fall
asleep meanwhile: a tenth of a small model's step, a twentieth of BERT-base's.

Shape suffixes: R rows, of which the first T are tokens, D hidden, F intermediate.
"""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.float_products import fits_floats
from bertsmith.model.cpu_kernels.head_attention import AttendedBatch
from bertsmith.model.cpu_kernels.running import (
    HashedDropout,
    ask,
    call,
    empty,
    is_plain_float32,
    is_wide,
    must_agree,
    scratch,
)
from bertsmith.model.cpu_kernels.tiles import fits_tiles, is_packable

__all__ = ["EncoderLayerSettings", "EncoderLayerWeights", "encoder_layer", "fits_encoder_layer"]


class EncoderLayerWeights(NamedTuple):
    """A layer's parameters, float32, in the order in which it uses them.

    Attributes:
        query_key_value: weight [3 * D, D] of the projection to queries, keys and values.
        query_key_value_bias: its bias, [3 * D].
        attended: weight [D, D] of the projection behind attention.
        attended_bias: its bias, [D].
        first_norm: weight [D] of the LayerNorm of the sum behind it.
        first_norm_bias: its bias, [D].
        inner: weight [F, D] of the feed-forward block's first layer, before GELU.
        inner_bias: its bias, [F].
        outer: weight [D, F] of its second layer.
        outer_bias: its bias, [D].
        second_norm: weight [D] of the LayerNorm of the sum behind it.
        second_norm_bias: its bias, [D].
    """

    query_key_value: Tensor
    query_key_value_bias: Tensor
    attended: Tensor
    attended_bias: Tensor
    first_norm: Tensor
    first_norm_bias: Tensor
    inner: Tensor
    inner_bias: Tensor
    outer: Tensor
    outer_bias: Tensor
    second_norm: Tensor
    second_norm_bias: Tensor

    @property
    def matrices(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The weights of the four linear layers."""
        query_key_value, attended, inner, outer = (getattr(self, name) for name in _MATRICES)
        return query_key_value, attended, inner, outer

    @property
    def vectors(self) -> list[Tensor]:
        """The others, in the order of their gradients."""
        return [getattr(self, name) for name in _VECTORS]


_MATRICES = "query_key_value", "attended", "inner", "outer"
_VECTORS = [name for name in EncoderLayerWeights._fields if name not in _MATRICES]


@dataclass(frozen=True)
class EncoderLayerSettings:
    """What a layer has to know beside its weights.

    Attributes:
        num_heads: heads N, each D / N wide.
        first_eps: added to the variance in the first LayerNorm.
        second_eps: the same in the second.
        first_dropout: of what attention gives, before the sum.
        second_dropout: of what the feed-forward block gives, before the sum; another seed.
    """

    num_heads: int
    first_eps: float
    second_eps: float
    first_dropout: HashedDropout
    second_dropout: HashedDropout


def fits_encoder_layer(hidden: Tensor, weights: EncoderLayerWeights, num_heads: int) -> bool:
    """Whether there are products for the hidden states, and they and the weights fit.

    That is float32 weights, either all in training or none, and, where there are tiles, bf16 hidden
    states, [R, D], under autocast to bf16, all sizes multiples of 32, as the heads' is; or what
    `fits_floats`.

    Raises:
        ValueError: weights whose sizes don't agree.
    """
    D, F = weights.outer.shape
    fits = (
        (_fit_floats if hidden.dtype == torch.float32 else _fit_tiles)(hidden, weights, num_heads)
        and hidden.dim() == 2
        and hidden.is_contiguous()
        and all(map(is_plain_float32, weights.vectors))
        and len({weight.requires_grad for weight in weights}) == 1
    )
    if fits:
        must_agree("the hidden states' row", hidden.shape[1:], (D,))
        must_agree("the first projection", weights.query_key_value.shape, (3 * D, D))
        must_agree("the second projection", weights.attended.shape, (D, D))
        for vector, length in zip(weights.vectors, (3 * D, D, D, D, F, D, D, D), strict=True):
            must_agree("a bias or weight", vector.shape, (length,))
    return fits


def _fit_tiles(hidden: Tensor, weights: EncoderLayerWeights, num_heads: int) -> bool:
    return (
        fits_tiles(hidden, weights.attended, weights.inner, weights.outer)
        and is_packable(weights.query_key_value)
        and hidden.shape[-1] % (num_heads * 32) == 0
    )


def _fit_floats(hidden: Tensor, weights: EncoderLayerWeights, num_heads: int) -> bool:
    first, second, inner, outer = weights.matrices
    widths = hidden.shape[-1], second.shape[-1], inner.shape[-1]
    return (
        fits_floats(hidden, first)
        and all(is_plain_float32(matrix) and matrix.dim() == 2 for matrix in weights.matrices)
        and len(set(widths)) == 1
        and outer.shape[1] == inner.shape[0]
        and hidden.shape[-1] % num_heads == 0
    )


def encoder_layer(
    hidden: Tensor,
    weights: EncoderLayerWeights,
    batch: AttendedBatch,
    settings: EncoderLayerSettings,
) -> Tensor:
    """Returns the next hidden states, [R, D], of the type of those before.

    Args:
        hidden: bf16 or float32 [R, D], which `fits_encoder_layer` with the weights.
        weights: the layer's parameters.
        batch: the batch, of R rows.
        settings: heads, LayerNorms' eps, dropout.

    Raises:
        RuntimeError: there are no products for hidden states of that type here, or a gradient of
            theirs is wanted and the layer is frozen.
        ValueError: the sums' dropouts have two probabilities.
    """
    first, second = settings.first_dropout, settings.second_dropout
    if (first.threshold, first.scale) != (second.threshold, second.scale):
        raise ValueError("a layer has one probability of dropout before its sums, not two")
    if not (torch.is_grad_enabled() and weights.outer.requires_grad):
        if torch.is_grad_enabled() and hidden.requires_grad:
            raise RuntimeError("a frozen layer in one call has no gradient for what comes before")
        kept_bytes = _bytes(*_sizes(hidden, weights, batch, settings), torch.get_num_threads())[1]
        # Where freed memory goes back to the system, all of it would be cleared again each time.
        return _forward(hidden, weights, batch, settings, scratch(kept_bytes, "kept"), keeps=False)
    output: Tensor = _EncoderLayer.apply(hidden, batch, settings, *weights)  # type: ignore[no-untyped-call]
    return output


def _sizes(
    hidden: Tensor,
    weights: EncoderLayerWeights,
    batch: AttendedBatch,
    settings: EncoderLayerSettings,
) -> tuple[int, ...]:
    """R, D, F, N, B, S, and the kind of numbers."""
    sizes = *hidden.shape, len(weights.inner), settings.num_heads, batch.B, batch.S
    return *sizes, is_wide(hidden)


def _numbers(D: int, batch: AttendedBatch, settings: EncoderLayerSettings) -> tuple[Any, ...]:
    """What follows the sizes, forward and backward."""
    first, second = settings.first_dropout, settings.second_dropout
    return (
        batch.num_more_rows, int(batch.causal), (D // settings.num_heads) ** -0.5,
        *batch.dropout.numbers, first.seed, second.seed, first.threshold, first.scale,
    )  # fmt: skip


def _forward(
    hidden: Tensor,
    weights: EncoderLayerWeights,
    batch: AttendedBatch,
    settings: EncoderLayerSettings,
    kept: Tensor,
    *,
    keeps: bool,
) -> Tensor:
    sizes = _sizes(hidden, weights, batch, settings)
    output = torch.empty_like(hidden)
    call(
        "encoder_layer_forward", hidden, *weights, batch.cu_seqlens, output, kept,
        scratch(_bytes(*sizes, torch.get_num_threads())[2]), *sizes,
        *_numbers(hidden.shape[1], batch, settings), float(settings.first_eps),
        float(settings.second_eps), int(keeps),
    )  # fmt: skip
    return output


class _EncoderLayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        batch: AttendedBatch,
        settings: EncoderLayerSettings,
        *parameters: Tensor,
    ) -> Tensor:
        weights = EncoderLayerWeights(*parameters)
        ctx.sizes = _sizes(hidden, weights, batch, settings)
        ctx.numbers = _numbers(hidden.shape[1], batch, settings)
        kept_bytes = _bytes(*ctx.sizes, torch.get_num_threads())[0]
        kept = torch.empty(kept_bytes, dtype=torch.uint8, device="cpu")
        output = _forward(hidden, weights, batch, settings, kept, keeps=True)
        ctx.lengths = [len(vector) for vector in weights.vectors]
        ctx.save_for_backward(hidden, batch.cu_seqlens, kept, *weights.matrices)
        return output

    @staticmethod
    @first_derivatives
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        hidden, cu_seqlens, kept, *matrices = ctx.saved_tensors
        room = _bytes(*ctx.sizes, torch.get_num_threads())[3]
        grad_hidden = torch.empty_like(hidden)
        of_matrices = [empty(*matrix.shape) for matrix in matrices]
        of_vectors = empty(sum(ctx.lengths))
        call(
            "encoder_layer_backward", grad_output.contiguous(), hidden, *matrices, cu_seqlens,
            kept, scratch(room), grad_hidden, *of_matrices, of_vectors, *ctx.sizes, *ctx.numbers,
            int(ctx.needs_input_grad[0]),
        )  # fmt: skip
        found = dict(zip(_MATRICES, of_matrices, strict=True))
        found |= dict(zip(_VECTORS, torch.split(of_vectors, ctx.lengths), strict=True))
        gradients = [found[name] for name in EncoderLayerWeights._fields]
        return grad_hidden if ctx.needs_input_grad[0] else None, None, None, *gradients


@functools.lru_cache(maxsize=64)
def _bytes(*numbers: int) -> tuple[int, int, int, int]:
    """What is kept for backward, or without one, and the scratch of each, for sizes and threads."""
    *sizes, threads = numbers
    with_backward, without = (ask("encoder_layer_kept", *sizes, i) for i in (1, 0))
    forward, backward = (ask("encoder_layer_scratch", *sizes, i, threads) for i in (0, 1))
    if forward < 0:
        raise RuntimeError("there are no products for a layer; ask fits_encoder_layer first")
    return with_backward, without, forward, backward
