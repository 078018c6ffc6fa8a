"""The type that matrix products come out in."""

import torch
from torch import Tensor

__all__ = ["compute_dtype"]


def compute_dtype(values: Tensor) -> torch.dtype:
    """Autocast's type where it is on for the values' device, else their own.

    Example:
        >>> compute_dtype(torch.zeros(1))
        torch.float32
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     compute_dtype(torch.zeros(1))
        torch.bfloat16
    """
    device_type = values.device.type
    if torch.is_autocast_enabled(device_type) and values.dtype != torch.float64:
        return torch.get_autocast_dtype(device_type)
    return values.dtype
