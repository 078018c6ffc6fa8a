"""Replicas of one model on several ranks: whether they still are the same, and made so if not.

All get the same gradients, but each rank does its own step. Processors that round otherwise, or
memory that fails, let them drift apart without a word, and then gradients are averaged of models
that are none of them.
"""

from functools import cache

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from bertsmith.training.distributed import Ranks
from bertsmith.training.full_tensors import is_sharded

__all__ = ["reunite"]

_CHUNK = 2**20


@torch.no_grad()
def reunite(model: nn.Module, optimizer: torch.optim.Optimizer, ranks: Ranks) -> list[int]:
    """Gives all ranks the first one's weights and moments, where a rank's are others.

    Shards, of which every weight is on one rank alone, are left as they are.

    Args:
        model: the same parameters on every rank.
        optimizer: of the same model.
        ranks: the processes of the run.

    Returns:
        The ranks whose weights weren't the first one's to the bit.
    """
    parameters = list(model.parameters())
    if ranks.world_size == 1 or any(map(is_sharded, parameters)):
        return []
    sums = ranks.gather(torch.stack([_check_sum(weight) for weight in parameters]).tolist())
    others = [rank for rank, found in enumerate(sums) if found != sums[0]]
    if others:
        for tensor in [*parameters, *_state(optimizer, parameters)]:
            dist.broadcast(tensor, src=0)
    return others


def _check_sum(weight: Tensor) -> Tensor:
    """A sum of the bits, each value's times a number of its place: int64 [].

    It is another as soon as one value differs by a bit, and but for a small chance where several
    do, or have changed places.
    """
    bits = weight.detach().contiguous().view(torch.int32).flatten()
    of_place = _numbers(min(len(bits), _CHUNK), bits.device)
    chunks = [(part * of_place[: len(part)]).sum() for part in torch.split(bits, _CHUNK)]
    return (torch.stack(chunks) * _numbers(len(chunks), bits.device)).sum()


@cache
def _numbers(count: int, device: torch.device) -> Tensor:
    """Odd numbers that look like chance: int64 [count]."""
    drawn = np.random.default_rng(0).integers(-(2**62), 2**62, count)
    return torch.from_numpy(2 * drawn + 1).to(device)


def _state(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> list[Tensor]:
    states = (optimizer.state.get(weight, {}) for weight in parameters)
    return [
        state[name] for state in states for name in sorted(state) if torch.is_tensor(state[name])
    ]
