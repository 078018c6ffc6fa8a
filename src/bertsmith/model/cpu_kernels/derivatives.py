"""What kernels can't do with derivatives."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["first_derivatives"]


def first_derivatives(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Marks the `backward` of a function that kernels compute: derivatives of it aren't to be had.

    PyTorch's own mark of this kind lets `torch.autograd.grad` drop them without a word.

    Raises:
        RuntimeError: in backward, where derivatives are to be derived (`create_graph=True`).
    """

    @functools.wraps(backward)
    def once(ctx: Any, *gradients: Tensor) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "derivatives of derivatives (create_graph=True) don't go through the C kernels: "
                "start Python with BERTSMITH_CPU_KERNELS=off"
            )
        return backward(ctx, *gradients)

    return once
