"""The random states of all ranks: dropout must differ between them, and go on after a resume."""

import numpy as np
import torch
from torch import Tensor

from bertsmith.training.distributed import Ranks

__all__ = ["random_states", "restore_random_states", "seed_rank"]


def seed_rank(seed: int, step: int, ranks: Ranks) -> None:
    """Seeds PyTorch's generators from seed, step and rank."""
    words = np.random.SeedSequence([seed, step, ranks.rank]).generate_state(2, np.uint32)
    torch.manual_seed(int(words[0]) << 32 | int(words[1]))


def random_states(ranks: Ranks) -> dict[str, Tensor]:
    """The states of every rank, by name; all ranks must call it."""
    own = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        own["random.cuda"] = torch.cuda.get_rng_state()
    return {
        name if rank == 0 else f"{name}.{rank}": state
        for rank, states in enumerate(ranks.gather(own))
        for name, state in states.items()
    }


def restore_random_states(tensors: dict[str, Tensor], ranks: Ranks, seed: int, step: int) -> None:
    """Puts this rank's states back.

    The states of another number of ranks say nothing: then they are drawn anew from seed, step and
    rank, so that such a resume can be repeated.
    """
    if sum(name.startswith("random.cpu") for name in tensors) != ranks.world_size:
        seed_rank(seed, step, ranks)
        return
    suffix = "" if ranks.is_first else f".{ranks.rank}"
    torch.set_rng_state(tensors[f"random.cpu{suffix}"])
    on_device = tensors.get(f"random.cuda{suffix}")
    if on_device is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(on_device)
