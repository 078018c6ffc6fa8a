"""Optimizers that PyTorch's compiler has nothing to do with."""

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer

__all__ = ["Uncompiled"]


class Uncompiled(Optimizer):
    """Does what an optimizer does beside its steps without importing PyTorch's compiler.

    PyTorch imports it where an optimizer is built, to keep it away from some methods. That takes
    two seconds at the start of every run, and hardly one is compiled on a CPU.
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As `Optimizer` has it."""
        _plain(Optimizer.add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As `Optimizer` has it."""
        _plain(Optimizer.zero_grad)(self, set_to_none)


def _plain(method: Callable[..., None]) -> Callable[..., None]:
    """A method without what keeps the compiler away; itself, if nothing does."""
    plain: Callable[..., None] = getattr(method, "__wrapped__", method)
    return plain
