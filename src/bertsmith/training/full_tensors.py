"""Whole tensors of a model that may be cut into shards, one for each rank."""

from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

__all__ = ["sharded_like", "whole"]


def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor; where it is sharded, all ranks must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def sharded_like(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy of a whole tensor, which all ranks have, on the parameter's device and cut as it is.

    What was read may be a mapping of its file, whose disk space it would keep after that is gone.
    """
    if not isinstance(parameter, DTensor) or value.shape != parameter.shape:
        return value.to(parameter.device, copy=True)
    # Every rank has read the whole: it takes its part, and nothing is sent.
    placed = parameter.device_mesh, parameter.placements
    return distribute_tensor(value.to(parameter.device), *placed, src_data_rank=None).clone()
