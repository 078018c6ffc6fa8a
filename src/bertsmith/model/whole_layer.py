"""Encoder layers in one call each, where kernels can do all of it; else modules do it in turn."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
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

__all__ = ["whole_layers"]


def whole_layers(
    layers: Sequence["EncoderLayer"], hidden_TD: Tensor, layout: AttentionLayout
) -> list[Callable[[Tensor], Tensor]] | None:
    """Each layer as a function of hidden states, the same as its modules; None if one can't be.

    The bits are the same, too, but for gradients of biases and LayerNorms with over 16 threads,
    and without a backward, where modules take PyTorch's attention unless its dropout is on.

    It can't where somebody would miss the calls of those modules, see `is_plain`, or where a frozen
    layer follows what is trained. What dropout draws is drawn here, for all layers: between their
    kernels the same costs thrice the time.

    Args:
        layers: layers that follow each other, each with a `SelfAttention` that is plain itself.
        hidden_TD: what the first of them will be given.
        layout: of the packed batch.
    """
    if not (cpu_kernels.has_cpu_kernels(hidden_TD) and isinstance(layout, PaddedLayout)):
        return None
    given = [_weights(layer) for layer in layers]
    weights = [each for each in given if each is not None]
    if (
        len(weights) < len(layers)
        or _freezes_on_the_way(hidden_TD, weights)
        or not all(
            _fits(layer, each, hidden_TD, layout)
            for layer, each in zip(layers, weights, strict=True)
        )
    ):
        return None
    lengths = layout.cu_seqlens, layout.max_seqlen, layout.num_tokens
    nothing = cpu_kernels.HashedDropout.draw(0.0)
    batch = cpu_kernels.AttendedBatch.of(len(hidden_TD), *lengths, nothing, causal=False)
    return [_drawn(layer, each, batch) for layer, each in zip(layers, weights, strict=True)]


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


def _freezes_on_the_way(
    hidden_TD: Tensor, weights: Sequence[cpu_kernels.EncoderLayerWeights]
) -> bool:
    """Whether a gradient would have to go through a layer that is frozen itself."""
    trained = [hidden_TD.requires_grad, *(each.outer.requires_grad for each in weights)]
    return torch.is_grad_enabled() and any(before > after for before, after in pairwise(trained))


def _dropouts(layer: "EncoderLayer") -> tuple[float, float, float]:
    """Of attention's probabilities, and before both sums."""
    steps = layer.attention, layer.attention_layer_norm, layer.output_layer_norm
    of_attention, first, second = (step.dropout_p if step.training else 0.0 for step in steps)
    return of_attention, first, second


def _fits(
    layer: "EncoderLayer",
    weights: cpu_kernels.EncoderLayerWeights,
    hidden_TD: Tensor,
    layout: PaddedLayout,
) -> bool:
    of_attention, first, second = _dropouts(layer)
    is_trained = torch.is_grad_enabled() and weights.outer.requires_grad
    return (
        first == second
        and cpu_kernels.fits_encoder_layer(hidden_TD, weights, layer.attention.num_heads)
        # Without a backward there are no probabilities in memory, however long sequences are.
        and (not is_trained or takes_plain_steps(layout, of_attention, is_trained=True))
    )


def _drawn(
    layer: "EncoderLayer",
    weights: cpu_kernels.EncoderLayerWeights,
    batch: cpu_kernels.AttendedBatch,
) -> Callable[[Tensor], Tensor]:
    of_attention, *others = cpu_kernels.HashedDropout.draw_each(*_dropouts(layer))
    return partial(
        cpu_kernels.encoder_layer,
        weights=weights,
        batch=replace(batch, dropout=of_attention, causal=layer.attention.causal),
        settings=cpu_kernels.EncoderLayerSettings(
            layer.attention.num_heads,
            layer.attention_layer_norm.eps,
            layer.output_layer_norm.eps,
            *others,
        ),
    )
