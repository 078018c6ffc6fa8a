"""The random states of all ranks: dropout must differ between them, and go on after a resume."""

import numpy as np
import torch
from torch import Tensor

from bertsmith.training.distributed import Ranks

__all__ = [
    "own_random_states",
    "random_states",
    "restore_own_random_states",
    "restore_random_states",
    "seed_rank",
]


def seed_rank(seed: int, step: int, ranks: Ranks) -> None:
    """Seeds PyTorch's generators from seed, step and rank."""
    words = np.random.SeedSequence([seed, step, ranks.rank]).generate_state(2, np.uint32)
    torch.manual_seed(int(words[0]) << 32 | int(words[1]))


def own_random_states() -> dict[str, Tensor]:
    """The states of this process, on the CPU and on its GPU."""
    own = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        own["random.cuda"] = torch.cuda.get_rng_state()
    return own


def random_states(ranks: Ranks) -> dict[str, Tensor]:
    """The states of every rank, by name; all ranks must call it."""
    return {
        name if rank == 0 else f"{name}.{rank}": state
        for rank, states in enumerate(ranks.gather(own_random_states()))
        for name, state in states.items()
    }


def restore_random_states(tensors: dict[str, Tensor], ranks: Ranks, seed: int, step: int) -> None:
    """Puts this rank's states back.

    The states of another number of ranks say nothing, and a run on a CPU has none of a GPU: then
    they are drawn anew from seed, step and rank, so that such a resume can be repeated.
    """
    seed_rank(seed, step, ranks)
    if sum(name.startswith("random.cpu") for name in tensors) != ranks.world_size:
        return
    suffix = "" if ranks.is_first else f".{ranks.rank}"
    own = {name: tensors.get(f"{name}{suffix}") for name in ("random.cpu", "random.cuda")}
    restore_own_random_states({name: state for name, state in own.items() if state is not None})


def restore_own_random_states(states: dict[str, Tensor]) -> None:
    """Puts back what `own_random_states` gave."""
    torch.set_rng_state(states["random.cpu"])
    on_device = states.get("random.cuda")
    if on_device is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(on_device)
