"""The processes of one run: who they are, and what they agree on.

Numbers and objects are exchanged on the CPU, through Gloo, also where gradients go through NCCL:
so no step waits for a GPU.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from bertsmith.errors import BertsmithError, RecipeError, WorkerError
from bertsmith.training.failures import judged
from bertsmith.training.gloo import quiet_gloo, wait_for_gloo_threads
from bertsmith.training.interruption import Interrupted
from bertsmith.training.network import Machine, choose_network, notice_lost_machines

__all__ = ["Ranks", "joined_ranks"]

T = TypeVar("T")

# How long a process waits for the others. Where one dies its connections close, and nobody waits;
# a machine without power or network closes none, and may be silent for so long.
_TIMEOUT = timedelta(minutes=30)
_SILENT_SECONDS = 120
# What one group left in the store must not be found by the next one, of the same processes or of
# those that torchrun started in their place.
_groups = count()


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run; alone by default.

    Every method but `share` must be called by all ranks, in the same order.

    Attributes:
        rank: number of this process, in [0, world_size).
        world_size: number of processes.
        local_rank: number of this process on its machine.
        device: where its model lives.

    Example:
        >>> Ranks().sums({"mlm": 3}), Ranks().on_first(lambda: "here"), Ranks().gather(7)
        ({'mlm': 3}, 'here', [7])
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """Whether this is the process that logs and writes."""
        return self.rank == 0

    def sums(self, values: Mapping[str, float]) -> dict[str, float]:
        """Adds values up by name, in float64; all ranks give the same names, in any order."""
        if self.world_size == 1:
            return dict(values)
        names = sorted(values)
        total = torch.tensor([float(values[name]) for name in names], dtype=torch.float64)
        dist.all_reduce(total)
        sums = dict(zip(names, total.tolist(), strict=True))
        return {name: sums[name] for name in values}  # as one process alone has them

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a tensor over all ranks, on its device; nobody waits for a GPU."""
        if self.world_size == 1:
            return value
        dist.all_reduce(value)
        return value / self.world_size

    def gather(self, value: T) -> list[T]:
        """The value of every rank, by rank."""
        if self.world_size == 1:
            return [value]
        values: list[T] = [value] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def on_first(self, work: Callable[[], T]) -> T:
        """Does something on the first rank alone, and returns on all what came of it.

        What it raises there is raised on all.
        """
        if self.world_size == 1:
            return work()
        outcome: list[tuple[T | None, BaseException | None]] = [(None, None)]
        if self.is_first:
            try:
                outcome = [(work(), None)]
            except (BertsmithError, OSError) as error:
                outcome = [(None, error)]
        dist.broadcast_object_list(outcome, src=0, device=torch.device("cpu"))
        value, raised = outcome[0]
        if raised is not None:
            raise raised
        return value  # type: ignore[return-value]  # None only where `work` gives it

    def wait(self) -> None:
        """Returns when every rank has come here."""
        if self.world_size > 1:
            dist.barrier()

    def share(self, items: Sequence[T]) -> tuple[list[T], int]:
        """This rank's part of items that are independent of each other.

        Every rank gets equally many, so that no collective operation waits for ever: where they
        don't go round, some get the first item once more, behind their own.

        Returns:
            The items, and how many of them are its own.

        Example:
            >>> Ranks(rank=1, world_size=2).share("abc")
            (['b', 'a'], 1)
        """
        own = list(items[self.rank :: self.world_size])
        missing = -(-len(items) // self.world_size) - len(own)
        return own + list(items[:1]) * missing, len(own)


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Joins the processes that a launcher such as torchrun has started; yields who this one is.

    A process that nobody launched is alone. Where several fail, one of them says why (`speaks`).

    Raises:
        WorkerError: the environment is incomplete, or another process has ended.
        RecipeError: there are more processes on a machine than GPUs, or one can't be used; on all.
    """
    world_size = _from_environment("WORLD_SIZE", "1")
    local_rank = _from_environment("LOCAL_RANK", "0")
    if world_size == 1:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        yield Ranks(device=torch.device(device))
        return
    ranks = Ranks(_from_environment("RANK"), world_size, local_rank)
    store = _met()
    try:
        ranks = _join(ranks, store)
        yield ranks
    except Interrupted:
        _leave(ranks)
        raise
    except Exception as error:
        raise judged(error, ranks.rank, PrefixStore("failures", store)) from error
    else:
        _leave(ranks)
    finally:
        wait_for_gloo_threads()


def _leave(ranks: Ranks) -> None:
    """Leaves the other processes when all have come here."""
    with suppress(RuntimeError):  # another process may have gone already
        ranks.wait()
    dist.destroy_process_group()


def _met() -> Store:
    """The store in which the processes tell each other things."""
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if name not in os.environ:
            raise WorkerError(f"{name} is not set", fix="start the processes with torchrun")
    try:
        found, _, _ = next(iter(rendezvous("env://", timeout=_TIMEOUT)))
    except (RuntimeError, ValueError) as error:
        raise _not_found(error) from error
    attempt = "0"
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        # The launcher has the store, which outlives the processes. Where rank 0 has it, processes
        # of a machine that has come later count other attempts.
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return PrefixStore(f"bertsmith/{attempt}/{next(_groups)}", found)


def _join(ranks: Ranks, store: Store) -> Ranks:
    """Makes the group of all processes; returns this one with its device."""
    try:
        ranks = replace(ranks, device=_device_of(ranks, PrefixStore("devices", store)))
        backend = "cpu:gloo,cuda:nccl" if ranks.device.type == "cuda" else "gloo"
        machine = Machine.of(ranks.rank, ranks.world_size)
        choose_network(PrefixStore("network", store), machine)
        with quiet_gloo():
            dist.init_process_group(
                backend, store=store, rank=ranks.rank, world_size=ranks.world_size, timeout=_TIMEOUT
            )
    except (RuntimeError, ValueError) as error:
        raise _not_found(error) from error
    if machine.total > 1:
        notice_lost_machines(_SILENT_SECONDS)
    return ranks


def _device_of(ranks: Ranks, store: Store) -> torch.device:
    """Where this rank's model lives, when all ranks have such a place: who has none is waited for.

    Raises:
        RecipeError: a rank has none; the same on all.
    """
    device, fault = torch.device("cpu"), ""
    try:
        device = _own_device(ranks.local_rank)
    except RecipeError as error:
        fault = f"rank {ranks.rank} ({socket.gethostname()}): {error}"
    store.set(str(ranks.rank), fault)
    for told in store.multi_get([str(rank) for rank in range(ranks.world_size)]):
        if told:
            raise RecipeError(told.decode())
    return device


def _not_found(error: Exception) -> WorkerError:
    return WorkerError(f"the processes don't find each other ({error})")


def _own_device(local_rank: int) -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise RecipeError(
            f"local rank {local_rank} has no GPU: this machine has {torch.cuda.device_count()}",
            fix=f"--nproc-per-node {torch.cuda.device_count()}",
        )
    device = torch.device("cuda", local_rank)
    try:
        torch.cuda.set_device(device)
    except RuntimeError as error:  # the rest of its lines is for PyTorch's own developers
        raise RecipeError(
            f"GPU {local_rank} can't be used ({str(error).partition(chr(10))[0]})",
            fix="mend it, or leave it out by CUDA_VISIBLE_DEVICES",
        ) from error
    return device


def _from_environment(name: str, default: str | None = None) -> int:
    try:
        return int(os.environ.get(name, default) or "")
    except ValueError as error:
        what = "is not set" if not os.environ.get(name) else "is no number"
        raise WorkerError(f"{name} {what}", fix="start the processes with torchrun") from error
