"""Attention over packed sequences: the one place where padding exists, where it must.

Shape suffixes: T packed tokens, B sequences, S longest length, N heads, H head size.
"""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from bertsmith.model.cpu_kernels import has_cpu_kernels, padded_attention
from bertsmith.model.dropout import dropout
from bertsmith.model.linear import with_bias
from bertsmith.model.packing import PackedSequences
from bertsmith.model.precision import compute_dtype
from bertsmith.model.rounding import num_rows_for, with_rows
from bertsmith.model.short_attention import block_for, short_attention
from bertsmith.model.varlen import has_varlen_kernel, varlen_attention

__all__ = [
    "AttentionLayout",
    "PaddedLayout",
    "VarlenLayout",
    "layout_for",
    "num_padded_rows",
    "packed_attention",
    "self_attention",
    "takes_plain_steps",
]


# Longest sequences, in tokens, whose attention is trained in plain steps on a CPU.
_SHORT = 256


@dataclass(frozen=True)
class PaddedLayout:
    """Where packed tokens go when attention pads them; computed once per forward.

    Attributes:
        batch_size: number of sequences B.
        max_seqlen: length S of the longest.
        num_tokens: number of tokens T.
        num_rows: rows of the hidden states: the tokens, and rows of no meaning behind them, see
            `rounding.num_rows_for`.
        slots: place of every token on the flattened [B * S] axis, int64 [T]; None where all
            sequences are equally long and no row is without meaning, so that padding is a reshape.
        key_mask: True where a key is a token, False where it is padding, [B, 1, 1, S]; None where
            nothing is padding.
        cu_seqlens: cumulative lengths, starting at 0 and ending at T, int32 [B + 1].
    """

    batch_size: int
    max_seqlen: int
    num_tokens: int
    num_rows: int
    slots: Int[Tensor, "T"] | None
    key_mask: Bool[Tensor, "B 1 1 S"] | None
    cu_seqlens: Int[Tensor, "B_plus_1"]

    @classmethod
    def of(cls, packed: PackedSequences) -> Self:
        """Computes the layout of a packed batch, without asking the device for a number."""
        batch_size, max_seqlen, T = packed.batch_size, packed.max_seqlen, packed.num_tokens
        num_rows = num_padded_rows(packed)
        if batch_size * max_seqlen == T:
            return cls(batch_size, max_seqlen, T, num_rows, None, None, packed.cu_seqlens)
        slots = packed.row_index * max_seqlen + packed.column_index
        mask = packed.padding_mask()[:, None, None, :]
        return cls(batch_size, max_seqlen, T, num_rows, slots, mask, packed.cu_seqlens)


def num_padded_rows(packed: PackedSequences) -> int:
    """Rows of the hidden states in a `PaddedLayout`: the tokens, and some of no meaning."""
    T = packed.num_tokens
    is_reshape = packed.batch_size * packed.max_seqlen == T
    return T if is_reshape else num_rows_for(T, packed.input_ids.device)


@dataclass(frozen=True)
class VarlenLayout:
    """Where sequences begin and end, for a kernel that needs no padding.

    Attributes:
        cu_seqlens: cumulative lengths, starting at 0 and ending at T, int32 [B + 1].
        max_seqlen: length of the longest sequence, or more.
        num_tokens: number of tokens T.
        num_rows: rows of the hidden states: the tokens.
        block: the block of `short_attention`; None where sequences are too long for it.
    """

    cu_seqlens: Int[Tensor, "B_plus_1"]
    max_seqlen: int
    num_tokens: int
    num_rows: int
    block: int | None


AttentionLayout = PaddedLayout | VarlenLayout


def layout_for(
    packed: PackedSequences, hidden: Float[Tensor, "T D"], head_size: int
) -> AttentionLayout:
    """Chooses how a batch is laid out for attention: as it is where a kernel allows that.

    Args:
        packed: the batch, on the model's device.
        hidden: hidden states, of which only type and device matter.
        head_size: width of one head.

    Example:
        >>> packed = PackedSequences.from_lists([[5, 6, 7], [8]])
        >>> type(layout_for(packed, torch.zeros(4, 64), 64)).__name__
        'PaddedLayout'
    """
    if not has_varlen_kernel(hidden.device, compute_dtype(hidden), head_size):
        return PaddedLayout.of(packed)
    T, S = packed.num_tokens, packed.max_seqlen
    return VarlenLayout(packed.cu_seqlens, S, T, T, block_for(S, head_size, hidden.device))


def self_attention(
    query_key_value: Float[Tensor, "T 3 N H"],
    layout: AttentionLayout,
    *,
    dropout_p: float = 0.0,
    causal: bool = False,
    bias: Float[Tensor, "columns"] | None = None,
) -> Float[Tensor, "T N H"]:
    """`packed_attention` of what one projection gave, by the fastest kernel for the layout.

    Args:
        query_key_value: query, key and value of every token and head.
        layout: the layout of the packed batch.
        dropout_p: share of the probabilities that is dropped, in [0, 1).
        causal: whether a token sees only itself and the tokens before it.
        bias: what is to be added to every token's values first, [3 * N * H], see
            `products_and_bias`.

    Returns:
        The attended values, [T, N, H].
    """
    if (
        isinstance(layout, PaddedLayout)
        and _in_plain_steps(query_key_value, layout, dropout_p)
        and has_cpu_kernels(query_key_value)
    ):
        return padded_attention(
            query_key_value, layout.cu_seqlens, layout.max_seqlen, layout.num_tokens,
            dropout_p=dropout_p, causal=causal, bias=bias,
        )  # fmt: skip
    if bias is not None:
        query_key_value = with_bias(query_key_value, bias.view_as(query_key_value[0]))
    if isinstance(layout, VarlenLayout) and layout.block is not None:
        return short_attention(
            query_key_value, layout.cu_seqlens, layout.block, dropout_p=dropout_p, causal=causal
        )
    query, key, value = query_key_value.unbind(1)
    return packed_attention(query, key, value, layout, dropout_p=dropout_p, causal=causal)


def packed_attention(
    query: Float[Tensor, "T N H"],
    key: Float[Tensor, "T N H"],
    value: Float[Tensor, "T N H"],
    layout: AttentionLayout,
    *,
    dropout_p: float = 0.0,
    causal: bool = False,
) -> Float[Tensor, "T N H"]:
    r"""Scaled dot-product attention of every sequence with itself.

    $\mathrm{softmax}(Q K^\top / \sqrt{H})\,V$, in each sequence and head.

    **Source**: Vaswani et al. 2017, section 3.2.1. **Differs**: masked scores are left out of the
    softmax, not lowered by 10,000 as in google-research/bert.

    Args:
        query: what each token looks for.
        key: what each token is found by.
        value: what each token gives.
        layout: the layout of the packed batch.
        dropout_p: share of the probabilities that is dropped, in [0, 1).
        causal: whether a token sees only itself and the tokens before it.

    Returns:
        The attended values, [T, N, H].

    Example:
        >>> packed = PackedSequences.from_lists([[5, 6, 7], [8]])
        >>> value = torch.tensor([1.0, 2.0, 3.0, 9.0]).view(4, 1, 1)
        >>> zero = torch.zeros(4, 1, 1)
        >>> packed_attention(zero, zero, value, PaddedLayout.of(packed)).flatten().tolist()
        [2.0, 2.0, 2.0, 9.0]
    """
    if isinstance(layout, VarlenLayout):
        cu_seqlens, S = layout.cu_seqlens, layout.max_seqlen
        return varlen_attention(
            query, key, value, cu_seqlens, S, dropout_p=dropout_p, causal=causal
        )
    query_BNSH, key_BNSH, value_BNSH = (_pad(x, layout) for x in (query, key, value))
    # Padding stands behind the tokens, so a causal query never sees a padded key.
    mask = None if causal else layout.key_mask
    plain = _in_plain_steps(query, layout, dropout_p)
    attend = _plain_attention if plain else scaled_dot_product_attention
    output_BNSH = attend(query_BNSH, key_BNSH, value_BNSH, mask, dropout_p, is_causal=causal)
    return _unpad(output_BNSH, layout)


def takes_plain_steps(layout: PaddedLayout, dropout_p: float, *, is_trained: bool) -> bool:
    """Whether a CPU works the probabilities out whole.

    PyTorch's fused kernel for the CPU has no dropout, and its backward is slower than plain steps
    on short sequences; on long ones it saves the memory of the probabilities.

    Args:
        layout: the layout of the packed batch.
        dropout_p: share of the probabilities that is dropped.
        is_trained: whether backward will come.
    """
    return dropout_p > 0 or (is_trained and layout.max_seqlen <= _SHORT)


def _in_plain_steps(query: Tensor, layout: PaddedLayout, dropout_p: float) -> bool:
    is_on_cpu = query.device.type == "cpu"
    return is_on_cpu and takes_plain_steps(layout, dropout_p, is_trained=query.requires_grad)


def _plain_attention(
    query_BNSH: Tensor,
    key_BNSH: Tensor,
    value_BNSH: Tensor,
    mask: Tensor | None,
    dropout_p: float,
    *,
    is_causal: bool,
) -> Tensor:
    S, H = query_BNSH.shape[-2:]
    if is_causal:
        mask = torch.ones(S, S, dtype=torch.bool, device=query_BNSH.device).tril()
    scores_BNSS = (query_BNSH * H**-0.5) @ key_BNSH.transpose(-1, -2)
    if mask is not None:
        scores_BNSS = scores_BNSS.masked_fill(~mask, -torch.inf)
    return dropout(scores_BNSS.softmax(-1), dropout_p) @ value_BNSH


def _pad(x_TNH: Tensor, layout: PaddedLayout) -> Tensor:
    B, S = layout.batch_size, layout.max_seqlen
    if layout.slots is not None:
        padded = x_TNH.new_zeros((B * S, *x_TNH.shape[1:]))
        x_TNH = padded.index_copy(0, layout.slots, x_TNH[: layout.num_tokens])
    return x_TNH.reshape(B, S, *x_TNH.shape[1:]).transpose(1, 2)


def _unpad(x_BNSH: Tensor, layout: PaddedLayout) -> Tensor:
    x_TNH = x_BNSH.transpose(1, 2).flatten(0, 1)
    if layout.slots is None:
        return x_TNH
    # Rows without meaning get the first token's values: they only have to be numbers.
    slots = with_rows(layout.slots, layout.num_rows)
    return x_TNH.index_select(0, slots)
