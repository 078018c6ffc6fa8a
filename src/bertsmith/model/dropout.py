"""Dropout on the CPU by a kernel that hashes, or with 16 bits a value: PyTorch's own is slow."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.model import cpu_kernels

__all__ = ["Dropout", "dropout"]

_INT64_MIN = -(2**63)


def dropout(values: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    """Sets each value to 0 with probability `p`, and scales the others so that the mean stays.

    **Differs**: on the CPU a kernel hashes what is dropped from one draw, where it can; else `p`
    is rounded to a multiple of 1/65536 and the scale is exact for that, because one draw of 64
    bits then serves four values. That is 4 times as fast as PyTorch's dropout, which takes a
    fifth of a training step of a small model. The draws come from the default generator, as there.

    Args:
        values: any tensor.
        p: probability, in [0, 1).

    Example:
        >>> dropped = dropout(torch.ones(100_000), 0.1)
        >>> round(dropped.max().item(), 4), 0.095 < (dropped == 0).double().mean().item() < 0.105
        (1.1111, True)
    """
    if p == 0:
        return values
    if values.device.type != "cpu":
        return nn.functional.dropout(values, p)
    if cpu_kernels.can_drop(values):
        return cpu_kernels.hashed_dropout(values, p)
    threshold = min(round(p * 65536), 65535)
    num_draws = (values.numel() + 3) // 4
    draws = torch.empty(num_draws, dtype=torch.int64, device=values.device)
    draws.random_(_INT64_MIN, None)
    kept = draws.view(torch.int16)[: values.numel()] >= threshold - 32768
    scale = kept.view(values.shape).to(values.dtype).mul_(65536 / (65536 - threshold))
    return values * scale


class Dropout(nn.Module):
    """`dropout` while training, nothing otherwise.

    Args:
        p: probability, in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: Tensor) -> Tensor:
        """Returns the values, some of them dropped."""
        return dropout(values, self.p) if self.training else values
