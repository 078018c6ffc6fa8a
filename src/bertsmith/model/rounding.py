"""Row counts that recur, so that a CPU's matrix products need not be set up anew in every step."""

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["num_rows_for", "with_rows"]


def num_rows_for(num_rows: int, device: torch.device) -> int:
    """Rounds a number of rows up, by 6 % at most, where that saves time.

    On a CPU, oneDNN compiles a kernel for every shape that it meets and keeps them all. Packed
    batches have another number of tokens each time, so training would compile in every step and
    its memory would grow by a gigabyte. Rounded to five significant bits, few shapes recur.

    Args:
        num_rows: rows of a matrix, at least 0.
        device: where it is multiplied.

    Returns:
        The number itself on other devices, and where no gradients are wanted.

    Example:
        >>> cpu = torch.device("cpu")
        >>> num_rows_for(6_900, cpu), num_rows_for(8_192, cpu), num_rows_for(17, cpu)
        (6912, 8192, 17)
        >>> with torch.no_grad():
        ...     num_rows_for(6_900, cpu)
        6900
    """
    if device.type != "cpu" or not torch.is_grad_enabled():
        return num_rows
    step = 1 << max(num_rows.bit_length() - 5, 0)
    return -(-num_rows // step) * step


def with_rows(values: Tensor, num_rows: int) -> Tensor:
    """Appends rows of zeros to values [rows, ...] until there are `num_rows`."""
    missing = num_rows - values.shape[0]
    return values if missing == 0 else pad(values, (0, 0) * (values.ndim - 1) + (0, missing))
