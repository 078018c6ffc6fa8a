"""What makes PyTorch faster on a CPU, and belongs to the process, not to the model."""

import ctypes
import platform

from bertsmith.model.cpu_kernels import why_no_kernels

__all__ = ["keep_freed_memory", "slowness"]

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Tells glibc's malloc to keep freed memory for the next step.

    A training step frees its activations and the next one asks for the same again. By default
    malloc gives large blocks back to the system each time, and the system clears every page anew.
    Does nothing where the C library is another.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, -1)  # never; a number of bytes would have to be below 2 GiB
    libc.mallopt(_M_TOP_PAD, 64 * 2**20)


def slowness(precision: str) -> str | None:
    """Why training on this CPU is slower than it could be, in a line for the user, if it is.

    Args:
        precision: what matrix products run in.
    """
    reason = why_no_kernels() if precision == "bf16" else None
    if reason is None:
        return None
    return f"training goes without the C kernels, at about half the speed: {reason}; install gcc"
