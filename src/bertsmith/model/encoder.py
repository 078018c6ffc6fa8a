"""Embeddings and encoder layers, on packed tokens.

Shape suffixes: T packed tokens, D hidden, N heads, H head size, F intermediate.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bertsmith.model import cpu_kernels
from bertsmith.model.activations import activation
from bertsmith.model.attention import AttentionLayout, num_padded_rows, self_attention
from bertsmith.model.config import BertConfig
from bertsmith.model.dropout import Dropout
from bertsmith.model.feed_forward import feed_forward
from bertsmith.model.linear import is_plain, products_and_bias, products_and_inputs
from bertsmith.model.packing import PackedSequences
from bertsmith.model.precision import compute_dtype
from bertsmith.model.residual_norm import ResidualNorm
from bertsmith.model.rounding import with_rows
from bertsmith.model.tied_embedding import TiedUse, TiedUses, as_output_weights, look_up
from bertsmith.model.whole_layer import whole_layers

__all__ = ["Embeddings", "Encoder", "EncoderLayer", "SelfAttention"]


class Embeddings(nn.Module):
    """Word + position + segment embeddings, LayerNorm, dropout.

    **Source**: Devlin et al. 2019, figure 2; google-research/bert `embedding_postprocessor`.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word = _table(config.vocab_size, config.hidden_size)
        self.position = _table(config.max_position_embeddings, config.hidden_size)
        self.token_type = _table(config.type_vocab_size, config.hidden_size)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self._uses = TiedUses()

    def forward(self, packed: PackedSequences) -> Tensor:
        """Returns the embedded tokens, [T, D].

        Where a kernel makes them and nobody listens, `num_padded_rows` are there already.
        """
        use = self._uses.latest = TiedUse() if self._adds_rows_alone() else None
        if use is not None and (weights := self._weights_for_kernel()) is not None:
            ids = cpu_kernels.TokenIds(packed.input_ids, packed.token_type_ids, packed.position_ids)
            if cpu_kernels.fits_embeddings(ids, weights):
                dropout_p = self.dropout.p if self.dropout.training else 0.0
                is_heard = not is_plain(self, Embeddings)
                num_rows = packed.num_tokens if is_heard else num_padded_rows(packed)
                numbers = self.layer_norm.eps, dropout_p, num_rows
                return cpu_kernels.embed(ids, weights, *numbers, use)
        if use is None:
            word_TD = self.word(packed.input_ids)
        else:
            word_TD = look_up(self.word.weight, packed.input_ids, use)
        token_type_TD = self.token_type(packed.token_type_ids)
        position_TD = self.position(packed.position_ids)
        embedded_TD = self.layer_norm(word_TD + token_type_TD + position_TD)
        dropped_TD: Tensor = self.dropout(embedded_TD)
        return dropped_TD

    def output_weights(self) -> Tensor:
        """The word embeddings, [V, D], for the head of this thread's latest forward pass.

        On a CPU in training, that head's gradient goes through what `forward` returned.
        """
        if (use := self._uses.latest) is None:
            return self.word.weight
        return as_output_weights(self.word.weight, use)

    def _weights_for_kernel(self) -> cpu_kernels.EmbeddingWeights | None:
        """What the modules have, unless one isn't what it was built as."""
        tables = self.word, self.token_type, self.position
        if not (
            all(map(_is_plain_table, tables))
            and is_plain(self.layer_norm, nn.LayerNorm)
            and is_plain(self.dropout, Dropout)
        ):
            return None
        word, token_type, position = (table.weight for table in tables)
        norm = self.layer_norm.weight, self.layer_norm.bias
        return cpu_kernels.EmbeddingWeights(word, token_type, position, *norm)

    def _adds_rows_alone(self) -> bool:
        """Whether it is worth the trouble: a GPU makes and adds zeros in no time."""
        weight_VD = self.word.weight
        return (
            self.training
            and _is_plain_table(self.word)
            and weight_VD.device.type == "cpu"
            and weight_VD.requires_grad
            and torch.is_grad_enabled()
            and not cpu_kernels.is_looked_at()
        )


def _is_plain_table(module: nn.Embedding) -> bool:
    """Whether looking rows up, and adding to their gradients, is all that a module does."""
    return (
        is_plain(module, nn.Embedding)
        and module.padding_idx is None
        and module.max_norm is None
        and not module.scale_grad_by_freq
        and not module.sparse
    )


def _table(num_rows: int, hidden_size: int) -> nn.Embedding:
    """Embeddings that aren't drawn: `initialize` does it, and on `meta` it imports a compiler."""
    return nn.Embedding(num_rows, hidden_size, _weight=torch.empty(num_rows, hidden_size))


class SelfAttention(nn.Module):
    """Multi-head self-attention with its output projection, without residual and LayerNorm."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.causal = config.attention == "causal"
        self.dropout_p = config.attention_probs_dropout_prob
        # One product instead of three; its rows are query, key and value.
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.output = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self, hidden_TD: Tensor, layout: AttentionLayout
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Returns the attended tokens, [T, D], a bias for them, if any, and what to add them to."""
        products, bias, hidden_TD = products_and_inputs(self.query_key_value, hidden_TD)
        context_TNH = self_attention(
            products.view(len(products), 3, self.num_heads, -1),
            layout,
            dropout_p=self.dropout_p if self.training else 0.0,
            causal=self.causal,
            bias=bias,
        )
        return *products_and_bias(self.output, context_TNH.flatten(1)), hidden_TD


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward; after each the sum with its input and a LayerNorm.

    The sums keep the type that matrix products come out in: under bf16 autocast the hidden states
    between layers are bf16, which is half of what memory has to move. LayerNorm itself computes
    in float32.

    **Source**: google-research/bert `transformer_model` (LayerNorm after the sum).
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        norm = config.hidden_size, config.layer_norm_eps, config.hidden_dropout_prob
        self.attention_layer_norm = ResidualNorm(*norm)
        self.intermediate = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = activation(config.hidden_act)
        self.output = nn.Linear(config.intermediate_size, config.hidden_size)
        self.output_layer_norm = ResidualNorm(*norm)

    def forward(self, hidden_TD: Tensor, layout: AttentionLayout) -> Tensor:
        """Returns the next hidden states, [T, D]."""
        if (steps := _in_one_call([self], hidden_TD, layout)) is not None:
            return steps[0](hidden_TD)
        attended_TD, bias, hidden_TD = self.attention(hidden_TD, layout)
        hidden_TD = self.attention_layer_norm(attended_TD, hidden_TD, bias)
        layers = self.intermediate, self.activation, self.output
        output_TD, bias, hidden_TD = feed_forward(*layers, hidden_TD)
        next_TD: Tensor = self.output_layer_norm(output_TD, hidden_TD, bias)
        return next_TD


def _in_one_call(
    layers: Sequence[EncoderLayer], hidden_TD: Tensor, layout: AttentionLayout
) -> list[Callable[[Tensor], Tensor]] | None:
    """`whole_layers`, unless somebody put another attention into a layer."""
    if not all(is_plain(layer.attention, SelfAttention) for layer in layers):
        return None
    return whole_layers(layers, hidden_TD, layout)


class Encoder(nn.Module):
    """The stack of layers.

    Attributes:
        recomputes: whether a layer's activations are thrown away and computed again, with the same
            dropout, when backward needs them: less memory, a third more work.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.recomputes = False
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))

    def forward(
        self, hidden_TD: Tensor, layout: AttentionLayout, *, keep_all: bool = False
    ) -> tuple[Tensor, tuple[Tensor, ...] | None]:
        """Returns the last hidden states [T, D] and, if asked for, the embeddings and all L."""
        hidden_TD = hidden_TD.to(compute_dtype(hidden_TD))
        states = [hidden_TD[: layout.num_tokens]]
        hidden_TD = with_rows(hidden_TD, layout.num_rows)
        for step in self._steps(hidden_TD, layout):
            hidden_TD = step(hidden_TD)
            if keep_all:
                states.append(hidden_TD[: layout.num_tokens])
        return hidden_TD[: layout.num_tokens], tuple(states) if keep_all else None

    def _steps(
        self, hidden_TD: Tensor, layout: AttentionLayout
    ) -> Sequence[Callable[[Tensor], Tensor]]:
        """The layers as functions of hidden states."""
        if self.recomputes and torch.is_grad_enabled():
            again = partial(checkpoint, use_reentrant=False)
            return [partial(again, layer, layout=layout) for layer in self.layers]
        plain = [
            layer
            for layer in self.layers
            if isinstance(layer, EncoderLayer)
            and is_plain(layer, EncoderLayer)
            and layer._compiled_call_impl is None
        ]
        all_are = len(plain) == len(self.layers)
        steps = _in_one_call(plain, hidden_TD, layout) if all_are else None
        return steps or [partial(layer, layout=layout) for layer in self.layers]
