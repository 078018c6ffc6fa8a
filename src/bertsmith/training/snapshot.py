"""What a checkpoint holds, copied at one moment, so that training can go on while it is written."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bertsmith.training.distributed import Ranks
from bertsmith.training.full_tensors import whole
from bertsmith.training.random_states import random_states

__all__ = ["Snapshot", "Snapshots", "TrainingState"]


@dataclass
class TrainingState:
    """Where a run is.

    Attributes:
        step: global batches that were trained on, skipped ones included.
        seconds: time spent so far, over all sittings.
        evaluating_seconds: how much of it was spent on evaluations.
        best_score: the best value of the score that selects the model (higher is better), or None.
        best_loss: the lowest held-out loss of a phase, where the run keeps the checkpoint that
            has it.
        best_step: the step of that checkpoint.
        best_phase: the number of that phase.
        due_evaluation: the number of the phase whose evaluation after this step a stop came before;
            None if there is none to make up for.
        num_skipped: updates that were skipped because their loss was no number, or far too high.
        batches: what the batches' `state()` gave, to go on without looking back.
        loss_scaler: what the loss scaler's `state()` gave; nothing outside fp16.
    """

    step: int = 0
    seconds: float = 0.0
    evaluating_seconds: float = 0.0
    best_score: float | None = None
    best_loss: float | None = None
    best_step: int | None = None
    best_phase: int | None = None
    due_evaluation: int | None = None
    num_skipped: int = 0
    batches: dict[str, Any] = field(default_factory=dict)
    loss_scaler: dict[str, Any] = field(default_factory=dict)

    def notes_best(self, loss: float, phase: int) -> bool:
        """Notes this step as the best one if it is; returns whether it is.

        The first loss of a phase always is, since those before it are of other examples.

        Args:
            loss: the held-out loss.
            phase: the number of the phase that the step is of.

        Example:
            >>> state = TrainingState(step=9)
            >>> state.notes_best(2.0, phase=0), state.notes_best(2.5, phase=0)
            (True, False)
            >>> state.notes_best(2.5, phase=1), state.best_loss
            (True, 2.5)
        """
        if self.best_phase == phase and self.best_loss is not None and loss >= self.best_loss:
            return False
        self.best_loss, self.best_step, self.best_phase = loss, self.step, phase
        return True


@dataclass(frozen=True)
class Snapshot:
    """A run as it stood after a step.

    Attributes:
        state: where the run was.
        weights: the model's `state_dict()`, in host memory.
        tensors: optimizer moments by parameter name, random states and the like, in host memory.
        copied: the event after which the tensors hold their values; None if they already do.
    """

    state: TrainingState
    weights: dict[str, Tensor]
    tensors: dict[str, Tensor]
    copied: torch.cuda.Event | None = None

    def wait(self) -> None:
        """Waits until the copies have come from the device."""
        if self.copied is not None:
            self.copied.synchronize()


class Snapshots:
    """Takes snapshots, always into the same memory: one copy of weights and optimizer, no more.

    On a GPU the copies go to pinned memory behind the work that is already under way, and nobody
    waits for them but who writes the snapshot. The next snapshot overwrites the last one.

    Args:
        ranks: the processes of the run. All of them take snapshots together: the first one gets
            whole tensors, one after the other, the others give their shards and keep nothing.
    """

    def __init__(self, ranks: Ranks | None = None) -> None:
        self.ranks = ranks or Ranks()
        self._memory: dict[str, Tensor] = {}

    def take(
        self,
        state: TrainingState,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        further: Mapping[str, Tensor],
    ) -> Snapshot:
        """Copies everything.

        Args:
            state: where the run is.
            model: the model that `optimizer` updates; its parameter names key the moments.
            optimizer: its state is copied.
            further: other tensors that the run needs to go on, by name.
        """
        weights = {
            name: self._copy(f"weights.{name}", value) for name, value in model.state_dict().items()
        }
        tensors = {
            name: self._copy(name, value)
            for name, value in (optimizer_tensors(model, optimizer) | dict(further)).items()
        }
        device = next(model.parameters()).device
        stream = torch.cuda.current_stream(device) if device.type == "cuda" else None
        copied = stream.record_event() if stream else None
        random = random_states(self.ranks)
        return Snapshot(deepcopy(state), weights, tensors | random, copied)

    def _copy(self, name: str, value: Tensor) -> Tensor:
        value = whole(value)
        if not self.ranks.is_first:
            return torch.empty(0)
        memory = self._memory.get(name)
        if memory is None or memory.shape != value.shape or memory.dtype != value.dtype:
            memory = torch.empty(value.shape, dtype=value.dtype, pin_memory=value.is_cuda)
            self._memory[name] = memory
        return memory.copy_(value.detach(), non_blocking=True)


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as `optimizer.KEY.PARAMETER` → tensor, where it lies."""
    return {
        f"optimizer.{key}.{name}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }
