"""An encoder layer in one call, where kernels can do all of it; else its modules do it in turn."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bertsmith.model import cpu_kernels
from bertsmith.model.activations import gelu_tanh
from bertsmith.model.attention import AttentionLayout, PaddedLayout, takes_plain_steps
from bertsmith.model.linear import is_plain
from bertsmith.model.residual_norm import ResidualNorm

if TYPE_CHECKING:
    from bertsmith.model.encoder import EncoderLayer

__all__ = ["whole_layer"]


def whole_layer(layer: "EncoderLayer", hidden_TD: Tensor, layout: AttentionLayout) -> Tensor | None:
    """The next hidden states, [T, D], to the bit as from the layer's modules; None if it can't.

    It can't where somebody would miss the calls of those modules, see `is_plain`.

    Args:
        layer: the layer.
        hidden_TD: hidden states.
        layout: of the packed batch.
    """
    if not (cpu_kernels.has_cpu_kernels(hidden_TD) and isinstance(layout, PaddedLayout)):
        return None
    weights = _weights(layer)
    first, second = layer.attention_layer_norm, layer.output_layer_norm
    first_p, second_p = (norm.dropout_p if norm.training else 0.0 for norm in (first, second))
    N = layer.attention.num_heads
    if (
        weights is None
        or first_p != second_p
        or not cpu_kernels.fits_encoder_layer(hidden_TD, weights, N)
    ):
        return None
    attention_p = layer.attention.dropout_p if layer.attention.training else 0.0
    if not takes_plain_steps(
        layout, attention_p, is_trained=torch.is_grad_enabled() and weights.outer.requires_grad
    ):
        return None
    drops = cpu_kernels.HashedDropout.draw_each(attention_p, first_p, second_p)
    lengths = layout.cu_seqlens, layout.max_seqlen, layout.num_tokens
    batch = cpu_kernels.AttendedBatch.of(
        len(hidden_TD), *lengths, drops[0], causal=layer.attention.causal
    )
    settings = cpu_kernels.EncoderLayerSettings(N, first.eps, second.eps, *drops[1:])
    return cpu_kernels.encoder_layer(hidden_TD, weights, batch, settings)


def _weights(layer: "EncoderLayer") -> cpu_kernels.EncoderLayerWeights | None:
    """The layer's parameters; None where a module isn't what it was built as, or lacks a bias."""
    attention = layer.attention
    steps = (
        attention.query_key_value, attention.output, layer.attention_layer_norm,
        layer.intermediate, layer.output, layer.output_layer_norm,
    )  # fmt: skip
    kinds = nn.Linear, nn.Linear, ResidualNorm, nn.Linear, nn.Linear, ResidualNorm
    if (
        layer.activation is not gelu_tanh
        or not all(is_plain(step, kind) for step, kind in zip(steps, kinds, strict=True))
        or any(step.bias is None for step in steps)
    ):
        return None
    return cpu_kernels.EncoderLayerWeights(
        *(weight for step in steps for weight in (step.weight, step.bias))
    )
