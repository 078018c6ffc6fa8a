"""What kernels need to drop values: one draw, from which they hash the rest."""

import torch
from torch import Tensor

__all__ = ["dropout_numbers", "dropout_seed", "dropout_seeds"]


def dropout_seed(dropout_p: float, device: torch.device) -> Tensor:
    """One number from the device's generator, from which a kernel hashes all others; 0 for none."""
    if dropout_p > 0:
        return dropout_seeds(1, device)
    return torch.zeros(1, dtype=torch.int32, device=device)


def dropout_seeds(number: int, device: torch.device) -> Tensor:
    """So many of them, int32; on a CPU the same as one at a time."""
    return torch.randint(2**31 - 1, (number,), dtype=torch.int32, device=device)


def dropout_numbers(dropout_p: float) -> tuple[int, float]:
    """Below which of 2^32 draws a value is dropped, and what the others are scaled by.

    Example:
        >>> dropout_numbers(0.5)
        (2147483648, 2.0)
    """
    return min(round(dropout_p * 2**32), 2**32 - 1), 1.0 / (1.0 - dropout_p)
