"""Where operators made of Triton kernels can run."""

import functools
import importlib.util
from contextlib import AbstractContextManager

import torch

__all__ = ["has_triton", "launch_options", "on_gpu_of", "why_no_triton"]

# What Triton compiles for, and with it PyTorch's compiler.
_LEAST_CAPABILITY = (7, 0)


def has_triton() -> bool:
    """Whether Triton compiles for the current GPU; elsewhere plain steps do the work."""
    return why_no_triton() is None


# PyTorch's compiler takes the answer as it is: it can't look into Triton's driver. This is what
# `torch.compiler.assume_constant_result` does, without importing the compiler for two seconds.
has_triton._dynamo_marked_constant = True  # type: ignore[attr-defined]


@functools.cache
def why_no_triton() -> str | None:
    """Why Triton doesn't compile for the current GPU, in a line for the user; None where it does.

    That it is installed doesn't say that it works: its driver is compiled on the machine that
    runs it, by a C compiler that a container may lack.
    """
    if importlib.util.find_spec("triton") is None:
        return "Triton isn't installed"
    if not torch.cuda.is_available():
        return "PyTorch finds no GPU"
    capability = torch.cuda.get_device_capability()
    if capability < _LEAST_CAPABILITY:
        own, least = (".".join(map(str, each)) for each in (capability, _LEAST_CAPABILITY))
        return f"the GPU has compute capability {own}, and Triton needs {least}"
    try:
        from triton.runtime.driver import driver

        driver.active.get_current_target()
    except Exception as error:  # of the compiler, the loader or the driver, each in its own way
        reason = " ".join(str(error).split())[:200]
        return f"Triton can't be used ({type(error).__name__}: {reason}); has it gcc and Python.h?"
    return None


def on_gpu_of(tensor: torch.Tensor) -> AbstractContextManager[object]:
    """A context for launching kernels: Triton takes the current GPU, wherever the tensors are."""
    current: AbstractContextManager[object]
    current = torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]
    return current


def launch_options(num_warps: int) -> dict[str, int | bool]:
    """How a kernel is compiled.

    That a product and a sum may be one step is said, so that all of Triton's versions round alike:
    from 3.10 on they aren't by default.

    Args:
        num_warps: so many groups of 32 threads work on one program.
    """
    return {"num_warps": num_warps, "enable_fp_fusion": True}
