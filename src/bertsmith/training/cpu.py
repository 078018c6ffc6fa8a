"""What makes PyTorch faster on a CPU, and belongs to the process, not to the model."""

import ctypes
import os
import platform
import resource
from pathlib import Path

import torch

from bertsmith.model import resolve_precision
from bertsmith.model.cpu_kernels import why_no_kernels

__all__ = ["keep_freed_memory", "slowness"]

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_MADV_HUGEPAGE, _HUGE_PAGE = 14, 2**21


def keep_freed_memory() -> None:
    """Tells glibc's malloc to keep freed memory for the next step, in pages of 2 MiB.

    A training step frees its activations and the next one asks for the same again. By default
    malloc gives large blocks back to the system each time, and the system clears every page anew.
    And a step goes through so much memory that the processor often has to look up where a page of
    4 KiB is. Does nothing where the C library is another.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, -1)  # never; a number of bytes would have to be below 2 GiB
    libc.mallopt(_M_TOP_PAD, 64 * 2**20)
    if _address_space_is_free():
        _use_huge_pages(libc)


def _address_space_is_free() -> bool:
    """Whether addresses cost nothing until their memory is used."""
    # Some testers let malloc fill what it gives.
    if "MALLOC_PERTURB_" in os.environ or "perturb" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    if any(limit != resource.RLIM_INFINITY for limit in limits):
        return False
    try:
        return Path("/proc/sys/vm/overcommit_memory").read_text(encoding="ascii").strip() != "2"
    except OSError:
        return False


def _use_huge_pages(libc: ctypes.CDLL) -> None:
    """Extends the heap, in addresses alone, and asks for huge pages wherever it will be used.

    To malloc they are used memory afterwards, which zeros have to be written into.
    """
    libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    start = libc.sbrk(0)
    libc.free(libc.malloc(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2))
    first, end = -(-start // _HUGE_PAGE) * _HUGE_PAGE, libc.sbrk(0)
    if end > first:
        libc.madvise(first, end - first, _MADV_HUGEPAGE)  # where there are none, nothing changes


def slowness(precision: str) -> str | None:
    """Why training on this CPU is slower than it could be, in a line for the user, if it is.

    Args:
        precision: what matrix products run in.
    """
    is_fast = resolve_precision("auto", torch.device("cpu")) == "bf16"
    # Of other kinds PyTorch can't tell what instructions they have.
    is_known = platform.machine() in ("x86_64", "aarch64")
    if precision == "bf16" and not is_fast and is_known:
        return (
            "this processor has no instructions for bf16, and does without them at a fraction of "
            "fp32's speed; set training.precision=auto"
        )
    # Elsewhere PyTorch has another library for its threads, to which GCC doesn't help.
    if platform.system() == "Linux" and (reason := why_no_kernels()):
        return f"training goes without the C kernels, more slowly: {reason}; install gcc"
    return None
