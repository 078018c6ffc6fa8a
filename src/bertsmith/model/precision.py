"""Which number format the matrix products run in."""

import platform
from contextlib import AbstractContextManager
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from bertsmith.errors import InputError

__all__ = [
    "PRECISIONS",
    "NumberFormat",
    "Precision",
    "autocast",
    "compute_dtype",
    "resolve_precision",
]

NumberFormat = Literal["fp32", "bf16", "fp16"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_precision(precision: str, device: torch.device) -> NumberFormat:
    """Turns "auto" into "bf16" where the hardware multiplies bf16 natively, else "fp32".

    On a CPU that is AVX512-BF16 or AMX, four to six times faster than fp32, or ARM's BF16 under
    Linux; emulated bf16 would be slower than fp32.

    Args:
        precision: one of `PRECISIONS`.
        device: where the model lives.

    Raises:
        InputError: an unknown precision, or fp16 on a CPU.

    Example:
        >>> resolve_precision("fp32", torch.device("cpu"))
        'fp32'
    """
    if precision not in PRECISIONS:
        fix = f"use {', '.join(PRECISIONS[1:])} or auto"
        raise InputError(f"is {precision!r}", where="precision", fix=fix)
    if precision == "fp16" and device.type == "cpu":
        raise InputError("fp16 is unusable on CPUs", where="precision", fix="use bf16 or fp32")
    if precision != "auto":
        return cast(NumberFormat, precision)
    return "bf16" if _multiplies_bf16(device) else "fp32"


def autocast(number_format: NumberFormat, device: torch.device) -> AbstractContextManager[object]:
    """The context for forward passes: autocast to a 16-bit format, or plain fp32.

    Args:
        number_format: as `resolve_precision` returns it.
        device: where the model lives.
    """
    dtype = _TYPES.get(number_format)
    return torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


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


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    if platform.machine() == "aarch64":  # as Linux calls it; a Mac's products know no bf16
        has_library = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        return bool(has_library and torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
