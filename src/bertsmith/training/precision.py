"""Which number format the matrix products run in."""

from contextlib import AbstractContextManager

import torch

__all__ = ["autocast", "resolve_precision"]


def resolve_precision(precision: str, device: torch.device) -> str:
    """Turns "auto" into "bf16" where the hardware multiplies bf16 natively, else "fp32".

    On a CPU that is AVX512-BF16 or AMX, four to six times faster than fp32; emulated bf16 would
    be slower than fp32.

    Example:
        >>> resolve_precision("fp32", torch.device("cpu"))
        'fp32'
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if _cpu_has_native_bf16() else "fp32"


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context for forward passes: bf16 autocast, or plain fp32.

    Args:
        precision: "fp32" or "bf16", as `resolve_precision` returns it.
        device: where the model lives.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def _cpu_has_native_bf16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
