"""The GPU's kernel for attention over packed sequences, behind one function.

PyTorch's `torch.nn.attention.varlen` has no dropout, and its signature moved between 2.10 and
2.13. The operator below it, FlashAttention 2 with cumulative lengths, has both dropout and a
stable signature (positional arguments and `scale`, 2.2 to 2.15), and autograd and `torch.compile`
know it.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["has_varlen_kernel", "varlen_attention"]

# Its backward pass for wider heads needs more of a chip's own memory than GPUs for games and for
# inference have: there, with dropout, it would launch nothing and leave gradients unset.
_LARGEST_HEAD = 192


def has_varlen_kernel(device: torch.device, dtype: torch.dtype, head_size: int) -> bool:
    """Whether attention can run on packed sequences as they are.

    That needs an NVIDIA GPU of compute capability 8.0 (Ampere) or later, 16-bit numbers, and
    heads of a multiple of 8 up to 192. Everywhere else attention pads.

    Args:
        device: where the model is.
        dtype: what queries, keys and values come in.
        head_size: width of one head.

    Example:
        >>> has_varlen_kernel(torch.device("cpu"), torch.bfloat16, 64)
        False
    """
    return (
        device.type == "cuda"
        and torch.version.hip is None
        and dtype in (torch.bfloat16, torch.float16)
        and head_size % 8 == 0
        and head_size <= _LARGEST_HEAD
        and torch.cuda.get_device_capability(device) >= (8, 0)
        and torch.backends.cuda.is_flash_attention_available()
    )


def varlen_attention(
    query: Float[Tensor, "T N H"],
    key: Float[Tensor, "T N H"],
    value: Float[Tensor, "T N H"],
    cu_seqlens: Int[Tensor, "B_plus_1"],
    max_seqlen: int,
    *,
    dropout_p: float = 0.0,
    causal: bool = False,
) -> Float[Tensor, "T N H"]:
    """Attention of every packed sequence with itself, without padding.

    **Source**: Dao 2023, FlashAttention-2. Its sums run in another order than those of the padded
    way, so results differ by rounding.

    Args:
        query: what each token looks for, 16-bit.
        key: what each token is found by.
        value: what each token gives.
        cu_seqlens: cumulative lengths, starting at 0 and ending at T, int32.
        max_seqlen: length of the longest sequence, or more.
        dropout_p: share of the probabilities that is dropped, in [0, 1).
        causal: whether a token sees only itself and the tokens before it.

    Returns:
        The attended values, [T, N, H].
    """
    output: Tensor = torch.ops.aten._flash_attention_forward(
        query, key, value, cu_seqlens, cu_seqlens, max_seqlen, max_seqlen,
        dropout_p, causal, False,
    )[0]  # fmt: skip
    return output
