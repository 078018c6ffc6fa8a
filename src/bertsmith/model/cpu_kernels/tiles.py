"""Whether bf16 products are the kernels' own, and for which values and weights."""

import functools

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.library import wants_products
from bertsmith.model.cpu_kernels.running import ask, has_cpu_kernels, is_plain_float32

__all__ = ["EDGE", "fits_tiles", "has_tiles", "is_packable", "takes_values"]

#: Rows and columns of the blocks that are multiplied.
EDGE = 32


def fits_tiles(values: Tensor, *weights: Tensor) -> bool:
    """Whether there are bf16 products, and values and layers' weights are what they can multiply.

    That is bf16 values, [..., K], under autocast to bf16, and float32 weights, [N, K], N and K
    multiples of 32; each next layer takes what the one before it gives.
    """
    return (
        takes_values(values)
        and all(is_packable(weight) and weight.shape[0] % EDGE == 0 for weight in weights)
        and [values.shape[-1], *(weight.shape[0] for weight in weights[:-1])]
        == [weight.shape[1] for weight in weights]
    )


def takes_values(values: Tensor) -> bool:
    """Whether there are bf16 products, and values for them under autocast to bf16."""
    return (
        has_cpu_kernels(values)
        and values.dtype == torch.bfloat16
        and has_tiles()
        and values.numel() > 0
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )


def is_packable(weight: Tensor) -> bool:
    """Whether a kernel can pack a matrix for tiles: float32 [N, K], K a multiple of 32."""
    return (
        is_plain_float32(weight)
        and weight.dim() == 2
        and weight.numel() > 0
        and weight.shape[1] % EDGE == 0
    )


@functools.cache
def has_tiles() -> bool:
    """Whether bf16 products are our own: on tiles that this process may use, or on vectors.

    A tile holds 16 x 16 sums: a register of AMX; with AVX512-BF16 alone a place in the cache.
    """
    return wants_products() and bool(ask("has_tiles"))
