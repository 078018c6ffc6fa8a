"""How several processes train one model: as replicas (DDP), or in shards (FSDP2)."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bertsmith.model.encoder import EncoderLayer
from bertsmith.model.outputs import ModelOutput, PreTrainingSums
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives import Measure, Objective
from bertsmith.training.distributed import Ranks

__all__ = ["Parallel", "choose_parallel", "parallelize", "run_in_vain"]

# Weights, gradients and both moments of AdamW, in fp32.
_BYTES_PER_WEIGHT = 16


class Parallel(Protocol):
    """Runs the objective so that gradients end up averaged over the ranks."""

    def __call__(self, batch: PackedSequences, *, is_last: bool) -> dict[str, Measure]:
        """Runs a micro-batch.

        Args:
            batch: on the model's device.
            is_last: whether it is the last of its update: then gradients are exchanged.
        """
        ...


def parallelize(model: nn.Module, objective: Objective, parallel: str, ranks: Ranks) -> Parallel:
    """Prepares a model for all ranks. Sharding replaces its parameters: optimizers come after it.

    Args:
        model: the same on every rank, on its device.
        objective: model and batch to measures.
        parallel: "auto", "ddp" or "fsdp".
        ranks: the processes of the run.
    """
    if ranks.world_size == 1:
        return _Alone(model, objective)
    if choose_parallel(parallel, model, ranks) == "ddp":
        return _Replicas(model, objective)
    return _Shards(model, objective, ranks)


def choose_parallel(parallel: str, model: nn.Module, ranks: Ranks) -> str:
    """Turns "auto" into "fsdp" where a replica would take over half of a GPU, else "ddp".

    The smallest GPU counts: all ranks must come to the same.

    Example:
        >>> choose_parallel("auto", nn.Linear(2, 2), Ranks())
        'ddp'
    """
    if parallel != "auto":
        return parallel
    if ranks.device.type != "cuda":
        return "ddp"
    memory = min(ranks.gather(torch.cuda.get_device_properties(ranks.device).total_memory))
    num_bytes = _BYTES_PER_WEIGHT * sum(weight.numel() for weight in model.parameters())
    return "fsdp" if num_bytes > memory / 2 else "ddp"


class _Alone:
    """One process: there is nothing to exchange."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        self.model, self.objective = model, objective

    def __call__(self, batch: PackedSequences, *, is_last: bool) -> dict[str, Measure]:
        return self.objective(self.model, batch)


class _Pass(nn.Module):
    """Model and objective as one module, so that DDP sees the whole forward pass."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch: PackedSequences) -> dict[str, Measure]:
        return self.objective(self.model, batch)


class _Replicas:
    """Every rank has the whole model; gradients are averaged in buckets during backward.

    DDP fills its buckets anew after the first backward pass, in the order in which gradients come.
    Where a gradient stands in its bucket decides in which order three ranks or more add it up. So
    there is a pass before the first that counts: the updates of a sitting that goes on have the
    same buckets as without a stop.
    """

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        self._pass = _Pass(model, objective)
        self._ddp: DistributedDataParallel | None = None

    def __call__(self, batch: PackedSequences, *, is_last: bool) -> dict[str, Measure]:
        if self._ddp is None:
            # Looking for them in every step takes time; whether there are any never changes.
            has_unused = _has_unused_parameters(self._pass, batch)
            self._ddp = DistributedDataParallel(
                self._pass, find_unused_parameters=has_unused, gradient_as_bucket_view=True
            )
            if not has_unused:  # else the buckets stay as they are
                run_in_vain(self._ddp, batch, self._pass)
        # What `no_sync` sets, but for forward and backward, which the caller does.
        self._ddp.require_backward_grad_sync = is_last
        measures: dict[str, Measure] = self._ddp(batch)
        return measures


class _Shards:
    """Every rank has a part of every parameter; whole layers exist only while they run.

    Weights travel in fp32 and autocast rounds them, as in one process: so the numbers are the
    same. Gradients are scattered after every micro-batch, so that no rank ever holds all of them.
    """

    def __init__(self, model: nn.Module, objective: Objective, ranks: Ranks) -> None:
        # They take as long to import as half of PyTorch, and few runs are in shards.
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import (
            MixedPrecisionPolicy,
            fully_shard,
            register_fsdp_forward_method,
        )

        self.model, self.objective = model, objective
        _let_fsdp_see_outputs()
        # It warns of changes in place, for outputs that are views; nobody makes any.
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
        mesh = init_device_mesh(ranks.device.type, (ranks.world_size,))
        policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
        for module in model.modules():
            if isinstance(module, EncoderLayer):
                fully_shard(module, mesh=mesh, mp_policy=policy)
        # All the rest is one group: the word embeddings, which the masked-LM head uses too, are
        # whole from the first to the last of their uses. By default they would stay so until the
        # next backward pass, and after an evaluation the model's parameters wouldn't be those that
        # the optimizer knows.
        fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
        for method in ("forward_packed", "forward_sums"):
            if hasattr(model, method):
                register_fsdp_forward_method(model, method)

    def __call__(self, batch: PackedSequences, *, is_last: bool) -> dict[str, Measure]:
        return self.objective(self.model, batch)


@cache
def _let_fsdp_see_outputs() -> None:
    """Before PyTorch 2.13 FSDP2 looks for tensors only in what `torch.utils._pytree` knows.

    Where it finds none in a model's output, the backward pass gets no weights.
    """
    outputs: list[type] = [PreTrainingSums, *ModelOutput.__subclasses__()]
    for output in outputs:
        torch.export.register_dataclass(output)


def _has_unused_parameters(run: nn.Module, batch: PackedSequences) -> bool:
    """Whether the loss of a batch leaves out parameters, such as the head for next sentences."""
    with _without_a_trace(batch.input_ids.device):
        measures: dict[str, Measure] = run(batch)
    used = _leaves([measure.loss.total for measure in measures.values()])
    return any(weight.requires_grad and id(weight) not in used for weight in run.parameters())


def run_in_vain(
    run: Callable[[PackedSequences], dict[str, Measure]], batch: PackedSequences, model: nn.Module
) -> None:
    """Forward and backward, of which neither gradients nor random states stay.

    Args:
        run: the pass, on this rank.
        batch: what it takes.
        model: whose parameters have no gradients afterwards.
    """
    with _without_a_trace(next(model.parameters()).device):
        losses = [measure.loss.total for measure in run(batch).values()]
        torch.autograd.backward(torch.stack(losses).sum())
    for weight in model.parameters():
        weight.grad = None


@contextmanager
def _without_a_trace(device: torch.device) -> Iterator[None]:
    """Puts random states back, and forgets the weights that autocast has cast.

    A backward pass through weights that an earlier pass has cast gives their gradients last of all,
    and DDP would fill its buckets in that order: none would be full, and sent, before the end.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
    torch.clear_autocast_cache()


def _leaves(losses: list[Tensor]) -> set[int]:
    """The ids of all tensors that the losses are derived by."""
    found: set[int] = set()
    seen = set()
    waiting = [loss.grad_fn for loss in losses]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        waiting += [following for following, _ in node.next_functions]
    return found
