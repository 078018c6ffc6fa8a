"""Whole tensors of a model that may be cut into shards, one for each rank."""

import sys
from typing import Any

from torch import Tensor

__all__ = ["is_sharded", "sharded_like", "whole"]

_MODULE = "torch.distributed.tensor"


def is_sharded(tensor: Tensor) -> bool:
    """Whether this process has a part of a tensor; none is before who cuts them is imported.

    That takes half as long as the rest of PyTorch does, and few runs need it.
    """
    module: Any = sys.modules.get(_MODULE)
    return module is not None and isinstance(tensor, module.DTensor)


def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor; where it is sharded, all ranks must call this."""
    sharded: Any = tensor
    return sharded.full_tensor() if is_sharded(tensor) else tensor


def sharded_like(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy of a whole tensor, which all ranks have, on the parameter's device and cut as it is.

    What was read may be a mapping of its file, whose disk space it would keep after that is gone.
    """
    if not is_sharded(parameter) or value.shape != parameter.shape:
        return value.to(parameter.device, copy=True)
    from torch.distributed.tensor import distribute_tensor

    # Every rank has read the whole: it takes its part, and nothing is sent.
    sharded: Any = parameter
    placed = sharded.device_mesh, sharded.placements
    return distribute_tensor(value.to(parameter.device), *placed, src_data_rank=None).clone()
