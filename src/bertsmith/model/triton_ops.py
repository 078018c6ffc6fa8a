"""Where operators made of Triton kernels can run."""

import functools
import importlib.util

__all__ = ["has_triton"]


@functools.cache
def has_triton() -> bool:
    """Whether Triton is installed; it comes with PyTorch's builds for GPUs."""
    return importlib.util.find_spec("triton") is not None
