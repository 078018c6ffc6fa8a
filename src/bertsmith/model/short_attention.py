"""Attention over packed sequences of up to 128 tokens, in one kernel forward and one backward.

BERT's pre-training runs at length 128 nine tenths of the time. There FlashAttention is far from
what the memory allows: made for long rows, its backward pass is three kernels with sums in
between. Here a head's scores fit on the chip whole.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertsmith.model.dropout_draws import dropout_numbers, dropout_seed
from bertsmith.model.triton_ops import has_triton, on_gpu_of

__all__ = ["block_for", "short_attention"]

_BLOCKS = (32, 64, 128)
_HEAD_SIZES = (16, 32, 64, 128)
# What the backward kernel takes of a chip's own memory for a head and a block of 128, with some
# room; everything smaller fits into the 99 KiB that GPUs for games and for inference have.
_LARGEST_SHARED_BYTES = 132 * 1024


def block_for(max_seqlen: int, head_size: int, device: torch.device) -> int | None:
    """The block in which the kernels take a batch, on a device that has `has_varlen_kernel`.

    Args:
        max_seqlen: length of the longest sequence.
        head_size: width of one head.
        device: the GPU.

    Returns:
        The least of 32, 64 and 128 that is as long, or None where the kernels can't be used.
    """
    if head_size not in _HEAD_SIZES or not has_triton():
        return None
    block = next((block for block in _BLOCKS if max_seqlen <= block), None)
    if block == head_size == 128:
        properties = torch.cuda.get_device_properties(device)
        shared: int = properties.shared_memory_per_block_optin  # type: ignore[attr-defined]
        return block if shared >= _LARGEST_SHARED_BYTES else None
    return block


def short_attention(
    query_key_value: Float[Tensor, "T 3 N H"],
    cu_seqlens: Int[Tensor, "B_plus_1"],
    block: int,
    *,
    dropout_p: float = 0.0,
    causal: bool = False,
) -> Float[Tensor, "T N H"]:
    """Attention of every packed sequence with itself.

    The probabilities are summed in float32 and rounded to the inputs' type before they weigh the
    values. Dropout draws one number from the device's generator and hashes the rest from it.

    Args:
        query_key_value: of every token and head, contiguous.
        cu_seqlens: cumulative lengths, int32.
        block: what `block_for` returned; no sequence is longer.
        dropout_p: share of the probabilities that is dropped, in [0, 1).
        causal: whether a token sees only itself and the tokens before it.

    Returns:
        The attended values, [T, N, H].
    """
    seed = dropout_seed(dropout_p, query_key_value.device)
    output: Tensor = _attend(query_key_value, cu_seqlens, seed, block, dropout_p, causal)
    return output


@torch.library.custom_op("bertsmith::short_attention", mutates_args=())
def _attend(
    query_key_value: Tensor,
    cu_seqlens: Tensor,
    seed: Tensor,
    block: int,
    dropout_p: float,
    causal: bool,
) -> Tensor:
    from bertsmith.model.short_attention_kernels import LAUNCH, forward_kernel

    T, _, N, H = query_key_value.shape
    output = query_key_value.new_empty((T, N, H))
    threshold, scale = dropout_numbers(dropout_p)
    with on_gpu_of(query_key_value):
        forward_kernel[(cu_seqlens.shape[0] - 1, N)](
            query_key_value.contiguous(), output, cu_seqlens, seed,
            scale, H**-0.5,
            N=N, H=H, S=block, CAUSAL=causal, THRESHOLD=threshold, **LAUNCH,
        )  # fmt: skip
    return output


@torch.library.custom_op("bertsmith::short_attention_backward", mutates_args=())
def _attend_backward(
    grad_output: Tensor,
    query_key_value: Tensor,
    cu_seqlens: Tensor,
    seed: Tensor,
    block: int,
    dropout_p: float,
    causal: bool,
) -> Tensor:
    from bertsmith.model.short_attention_kernels import LAUNCH, backward_kernel

    _, _, N, H = query_key_value.shape
    gradient = torch.empty_like(query_key_value, memory_format=torch.contiguous_format)
    threshold, scale = dropout_numbers(dropout_p)
    with on_gpu_of(query_key_value):
        backward_kernel[(cu_seqlens.shape[0] - 1, N)](
            query_key_value.contiguous(), grad_output.contiguous(), gradient, cu_seqlens, seed,
            scale, H**-0.5,
            N=N, H=H, S=block, CAUSAL=causal, THRESHOLD=threshold, **LAUNCH,
        )  # fmt: skip
    return gradient


@_attend.register_fake
def _(
    query_key_value: Tensor,
    cu_seqlens: Tensor,
    seed: Tensor,
    block: int,
    dropout_p: float,
    causal: bool,
) -> Tensor:
    T, _, N, H = query_key_value.shape
    return query_key_value.new_empty((T, N, H))


@_attend_backward.register_fake
def _(
    grad_output: Tensor,
    query_key_value: Tensor,
    cu_seqlens: Tensor,
    seed: Tensor,
    block: int,
    dropout_p: float,
    causal: bool,
) -> Tensor:
    return torch.empty_like(query_key_value, memory_format=torch.contiguous_format)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    query_key_value, cu_seqlens, seed, ctx.block, ctx.dropout_p, ctx.causal = inputs
    ctx.save_for_backward(query_key_value, cu_seqlens, seed)


def _backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
    gradient = _attend_backward(
        grad_output, *ctx.saved_tensors, ctx.block, ctx.dropout_p, ctx.causal
    )
    return gradient, None, None, None, None, None


_attend.register_autograd(_backward, setup_context=_setup_context)
