"""Dropout on its own, where no other kernel does it by the way, as before heads.

PyTorch's generator draws on one thread: of a step of L4 H256, 32 x 128, its draws for the
embeddings took 4 ms, those of BERT-base 8.
"""

from typing import Any

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.running import HashedDropout, call, has_cpu_kernels, is_wide

__all__ = ["can_drop", "hashed_dropout"]


def can_drop(values: Tensor) -> bool:
    """Whether the kernel can take these: a plain tensor on the CPU, bf16 or float32.

    Autocast makes no difference: it leaves the type as it is.
    """
    return (
        type(values) is Tensor
        and values.device.type == "cpu"
        and values.dtype in (torch.bfloat16, torch.float32)
        and has_cpu_kernels()
    )


def hashed_dropout(values: Tensor, p: float) -> Tensor:
    """Returns the values, some of them 0 and the others scaled, so that the mean stays.

    Args:
        values: bf16 or float32, of any shape.
        p: probability of each to be dropped, in [0, 1).
    """
    output: Tensor = _HashedDropout.apply(  # type: ignore[no-untyped-call]
        values, HashedDropout.draw(p)
    )
    return output


class _HashedDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, dropout: HashedDropout) -> Tensor:
        ctx.dropout = dropout
        return _dropped(values, dropout)

    @staticmethod
    @first_derivatives
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        return _dropped(grad_output, ctx.dropout), None


def _dropped(values: Tensor, dropout: HashedDropout) -> Tensor:
    values = values.contiguous()
    output = torch.empty_like(values)
    call("dropout_values", values, output, values.numel(), *dropout.numbers, is_wide(values))
    return output
