"""One optimizer update: forward and backward passes over a global batch, then a step."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bertsmith.model.packing import PackedSequences
from bertsmith.model.precision import autocast, resolve_precision
from bertsmith.objectives import Measure, Objective
from bertsmith.training.freezing import freeze_lowest
from bertsmith.training.guard import Guard, step_unless
from bertsmith.training.loss_scaler import LossScaler
from bertsmith.training.optimizer import build_optimizer
from bertsmith.training.settings import LoopSettings
from bertsmith.training.window import Window

__all__ = ["Updater"]


class Updater:
    """Optimizer updates of a model.

    One update minimises the sum over the objective's names of `total / count`, with totals and
    counts taken over the whole global batch, so that accumulation is exact. An update that the
    guard rejects leaves weights and optimizer as they are.

    Args:
        model: what is trained, on the device where it shall train.
        objective: model and micro-batch to measures.
        settings: optimizer, precision and what is frozen.
    """

    def __init__(self, model: nn.Module, objective: Objective, settings: LoopSettings) -> None:
        self.model, self.objective, self.settings = model, objective, settings
        self.device = next(model.parameters()).device
        self.precision = resolve_precision(settings.precision, self.device)
        freeze_lowest(model, settings.freeze_layers)
        self.optimizer = build_optimizer(model, settings)
        self.guard = Guard(settings, self.device)
        self.scaler = LossScaler(self.device, enabled=self.precision == "fp16")

    def __call__(
        self, micro_batches: Sequence[PackedSequences], factor: float, window: Window
    ) -> None:
        """Does one update.

        Args:
            micro_batches: the global batch.
            factor: the learning rate as a factor of its peak.
            window: where losses and hits are added.
        """
        loss, measures = self._backward(micro_batches)
        self.scaler.unscale(self.optimizer)
        # An overflow in fp16 is the scaler's business, and no harm.
        verdict = self.guard(loss, self.scaler.norm_to_judge(self._clip()))
        window.add(measures, sum(batch.num_tokens for batch in micro_batches), verdict)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * factor
        if self.scaler.enabled:
            self.scaler.step(self.optimizer, skip=bool(verdict.skip))
        else:
            step_unless(verdict.skip, self.optimizer)

    def _backward(
        self, micro_batches: Sequence[PackedSequences]
    ) -> tuple[Tensor, list[dict[str, Measure]]]:
        """Leaves the gradients of the whole global batch in the parameters; returns its loss."""
        global_counts = self._counts(micro_batches)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        losses, measured = [], []
        for batch in micro_batches:
            on_device = batch.to(self.device, non_blocking=True)
            with autocast(self.precision, self.device):
                measures = self.objective(self.model, on_device)
            terms = [m.loss.total / max(global_counts[name], 1) for name, m in measures.items()]
            loss = torch.stack(terms).sum()
            torch.autograd.backward(self.scaler.scale(loss))
            losses.append(loss.detach())
            measured.append(measures)
        return torch.stack(losses).sum(), measured

    def _clip(self) -> Tensor:
        """Scales the gradients down to the largest norm; returns what their norm was."""
        if self.settings.max_grad_norm > 0:
            return nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        return nn.utils.get_total_norm(gradients)

    def _counts(self, micro_batches: Sequence[PackedSequences]) -> dict[str, int]:
        """How many items each loss has in the whole global batch."""
        counts: dict[str, int] = {}
        for batch in micro_batches:
            for name, count in self.objective.counts(batch).items():
                counts[name] = counts.get(name, 0) + count
        return counts
