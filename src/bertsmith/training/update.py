"""One optimizer update: forward and backward passes over a global batch, then a step."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from bertsmith.model.encoder import Encoder
from bertsmith.model.packing import PackedSequences
from bertsmith.model.precision import autocast, resolve_precision
from bertsmith.objectives import Measure, Objective
from bertsmith.training.adamw import AdamW
from bertsmith.training.compiling import resolve_compile
from bertsmith.training.distributed import Ranks
from bertsmith.training.freezing import freeze_lowest
from bertsmith.training.full_tensors import whole
from bertsmith.training.guard import Guard, step_unless
from bertsmith.training.interruption import BrokenOff
from bertsmith.training.loss_scaler import LossScaler
from bertsmith.training.optimizer import build_optimizer
from bertsmith.training.parallel import parallelize, run_in_vain
from bertsmith.training.random_states import own_random_states, restore_own_random_states
from bertsmith.training.settings import LoopSettings
from bertsmith.training.window import Window

__all__ = ["Updater"]

# How often an update asks whether the run is to stop, at most: ranks exchange a message for it.
_QUESTIONS = 16


class Updater:
    """Optimizer updates of a model.

    One update minimises the sum over the objective's names of `total / count`, with totals and
    counts taken over the whole global batch, over all ranks, so that accumulation is exact. An
    update that the guard rejects leaves weights and optimizer as they are.

    Args:
        model: what is trained, on the device where it shall train.
        objective: model and micro-batch to measures.
        settings: optimizer, precision and what is frozen.
        ranks: the processes that share each global batch.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        settings: LoopSettings,
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks = ranks or Ranks()
        self.model, self.objective, self.settings = model, objective, settings
        self.device = next(model.parameters()).device
        self.precision = resolve_precision(settings.precision, self.device)
        freeze_lowest(model, settings.freeze_layers)
        for module in model.modules():
            if isinstance(module, Encoder):
                module.recomputes = settings.activation_checkpointing
        self.run = parallelize(model, objective, settings.parallel, self.ranks)
        self.optimizer = build_optimizer(model, settings, uses_kernels=True)
        self.guard = Guard(settings, self.device)
        self.scaler = LossScaler(self.device, enabled=self.precision == "fp16")

    @property
    def compiles(self) -> bool:
        """Whether compilers have work with what is trained: PyTorch's, or Triton on a GPU."""
        return self.device.type == "cuda" or resolve_compile(self.settings.compile, self.device)

    def warm_up(self, batch: PackedSequences) -> None:
        """A pass in vain where compilers have work with it: tens of seconds, in every sitting.

        A run by the clock would have them in its first update, and half of its warm-up over.

        Args:
            batch: a micro-batch of the run, of which nothing stays.
        """
        self.optimizer.zero_grad(set_to_none=True)  # of the update before, as in any update
        self.model.train()
        run_in_vain(partial(self._run_micro_batch, is_last=True), batch, self.model)

    def __call__(
        self,
        micro_batches: Sequence[PackedSequences],
        factor: float,
        window: Window,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Does one update.

        Args:
            micro_batches: this rank's part of the global batch.
            factor: the learning rate as a factor of its peak.
            window: where losses and hits are added.
            is_stopped: whether the run is asked to stop, asked between micro-batches, of which an
                update may have many, and by all ranks together.

        Raises:
            BrokenOff: it is to stop. Everything is as before the update.
        """
        before = own_random_states()
        try:
            loss, measures = self._backward(micro_batches, is_stopped)
        except BrokenOff:
            self.optimizer.zero_grad(set_to_none=True)
            restore_own_random_states(before)
            raise
        self.scaler.unscale(self.optimizer)
        norm = self._clip()
        # An overflow in fp16 is the scaler's business, and no harm if it can do something.
        verdict = self.guard(loss, norm, self.scaler.overflowed(norm))
        window.add(measures, verdict)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * factor
        if self.scaler.enabled:
            self.scaler.step(self.optimizer, skip=bool(verdict.skip))
        else:
            step_unless(verdict.skip, self.optimizer)

    def _backward(
        self, micro_batches: Sequence[PackedSequences], is_stopped: Callable[[], bool]
    ) -> tuple[Tensor, list[dict[str, Measure]]]:
        """Leaves the gradients of the whole global batch in the parameters; returns its loss.

        Raises:
            BrokenOff: the run was asked to stop between two micro-batches.
        """
        divisors = self._divisors(micro_batches)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        losses, measured = [], []
        between = math.ceil(len(micro_batches) / _QUESTIONS)
        for index, batch in enumerate(micro_batches):
            if index > 0 and index % between == 0 and is_stopped():
                raise BrokenOff
            measures = self._run_micro_batch(batch, is_last=index == len(micro_batches) - 1)
            terms = [m.loss.total / divisors[name] for name, m in measures.items()]
            loss = torch.stack(terms).sum()
            torch.autograd.backward(self.scaler.scale(loss))
            losses.append(loss.detach())
            measured.append(measures)
        return self.ranks.mean(torch.stack(losses).sum()), measured

    def _run_micro_batch(self, batch: PackedSequences, is_last: bool) -> dict[str, Measure]:
        on_device = batch.to(self.device, non_blocking=True)
        with autocast(self.precision, self.device):
            return self.run(on_device, is_last=is_last)

    def _clip(self) -> Tensor:
        """Scales the gradients down to the largest norm; returns what their norm was."""
        largest = self.settings.max_grad_norm
        if isinstance(self.optimizer, AdamW) and (norm := self.optimizer.clip(largest)) is not None:
            return norm
        if largest > 0:
            return whole(nn.utils.clip_grad_norm_(self.model.parameters(), largest))
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        return whole(nn.utils.get_total_norm(gradients))

    def _divisors(self, micro_batches: Sequence[PackedSequences]) -> dict[str, float]:
        """What each loss is divided by: its items in the global batch, over all ranks.

        Gradients are averaged over the ranks afterwards, hence the division by their number.
        """
        counts: dict[str, float] = {}
        for batch in micro_batches:
            for name, count in self.objective.counts(batch).items():
                counts[name] = counts.get(name, 0) + count
        world_size = self.ranks.world_size
        return {name: max(n, 1) / world_size for name, n in self.ranks.sums(counts).items()}
