"""Updates that would do harm: a loss that is no number, or far above what it has been.

Whether an update is made is decided where the loss is, so that a GPU need not be waited for.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bertsmith.training.settings import LoopSettings

__all__ = ["Guard", "SkippedUpdate", "Verdict", "skipped_updates", "step_unless"]

_LOSSES = "guard.losses"
#: How many losses a spike is measured against, and how many there must be before one is called so.
_WINDOW, _FEWEST = 128, 32
#: The standard deviation of a normal distribution, in median absolute deviations.
_NORMAL = 1.4826
#: A deviation is taken to be at least this share of the loss.
_SMALLEST_DEVIATION = 0.01


@dataclass(frozen=True)
class Verdict:
    """Whether an update is skipped, and why; on the device until somebody asks.

    Attributes:
        skip: whether it is, bool [].
        loss: the loss of the global batch, float [].
        grad_norm: the global L2 norm of its gradients before clipping, float [].
        overflowed: whether it isn't made for another reason, which is no fault of its batch: its
            gradients were too large for fp16, bool []; None outside fp16.
    """

    skip: Tensor
    loss: Tensor
    grad_norm: Tensor
    overflowed: Tensor | None = None

    @property
    def is_made(self) -> Tensor:
        """Whether weights and moments are updated, bool []."""
        return ~self.skip if self.overflowed is None else ~(self.skip | self.overflowed)


@dataclass(frozen=True)
class SkippedUpdate:
    """An update that was skipped.

    Attributes:
        step: its number as in the log, from 1.
        loss: the loss of its global batch.
        grad_norm: the global L2 norm of its gradients.
    """

    step: int
    loss: float
    grad_norm: float

    @property
    def reason(self) -> str:
        """What was wrong, such as "loss nan"."""
        if not math.isfinite(self.loss):
            return f"loss {self.loss}"
        if not math.isfinite(self.grad_norm):
            return f"gradient norm {self.grad_norm}"
        return f"loss {self.loss:.3f}, a spike"


class Guard:
    """Judges every update before it is made.

    An update is skipped if its loss or its gradients' norm is no finite number, or if its loss is
    a spike: above `median + k * max(1.4826 * MAD, 0.01 * median)` of the last 128 losses that were
    trained on, where MAD is their median absolute deviation and k is
    `training.spike_deviations`. Medians don't move for a few outliers, as mean and standard
    deviation do; 1.4826 MAD is the standard deviation where losses are normally distributed. Before
    there are 32 such losses none is a spike.

    Args:
        settings: k; 0 never calls a loss a spike.
        device: where losses are.

    Attributes:
        losses: the last losses that were trained on, oldest first, NaN where there are fewer.
    """

    def __init__(self, settings: LoopSettings, device: torch.device) -> None:
        self.spike_deviations = settings.spike_deviations
        self.losses = torch.full((_WINDOW,), math.nan, device=device)

    def __call__(
        self, loss: Tensor, grad_norm: Tensor, overflowed: Tensor | None = None
    ) -> Verdict:
        """Judges an update, and remembers its loss if it is made.

        Args:
            loss: of the whole global batch, on every rank the same, float [].
            grad_norm: of the whole global batch, float [].
            overflowed: whether the gradients were too large for fp16, bool []; of such an update
                only the loss is judged, and that only as a number.
        """
        loss = loss.detach().to(self.losses)
        skip = ~(loss.isfinite() & grad_norm.isfinite())
        if self.spike_deviations > 0:
            skip = skip | self._is_spike(loss)
        if overflowed is not None:
            skip = torch.where(overflowed, ~loss.isfinite(), skip)
        verdict = Verdict(skip, loss, grad_norm.detach(), overflowed)
        if self.spike_deviations > 0:
            shifted = torch.cat([self.losses[1:], loss[None]])
            self.losses = torch.where(verdict.is_made, shifted, self.losses)
        return verdict

    def forget(self) -> None:
        """Forgets the losses so far, where others than they are to be expected."""
        self.losses = torch.full_like(self.losses, math.nan)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {_LOSSES: self.losses}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes up what `tensors` returned; a checkpoint from before there was a guard has none."""
        if _LOSSES in tensors:
            self.losses = tensors[_LOSSES].to(self.losses, copy=True)  # not the file itself

    def _is_spike(self, loss: Tensor) -> Tensor:
        median = _median(self.losses)
        deviation = _NORMAL * _median((self.losses - median).abs())
        limit = median + self.spike_deviations * torch.maximum(
            deviation, _SMALLEST_DEVIATION * median
        )
        return (loss > limit) & (self.losses.isfinite().sum() >= _FEWEST)


def step_unless(skip: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Does the optimizer's step unless `skip` is true; then weights and moments stay.

    A fused optimizer looks at `skip` on the device, as it does for `GradScaler`. Others, and those
    on a CPU, where asking costs nothing, aren't called at all.
    """
    if skip.is_cuda and getattr(optimizer, "_step_supports_amp_scaling", False):
        step_on_device(skip, optimizer)
    elif not bool(skip):
        optimizer.step()


def step_on_device(skip: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Lets a fused optimizer decide by itself; see `step_unless`."""
    optimizer.found_inf = skip.float()  # type: ignore[attr-defined]
    try:
        optimizer.step()
    finally:
        del optimizer.found_inf  # type: ignore[attr-defined]


def skipped_updates(verdicts: Sequence[Verdict], first_step: int) -> list[SkippedUpdate]:
    """Which of some updates were skipped; waits for the device once.

    Args:
        verdicts: of one update after another.
        first_step: the number of the first.
    """
    if not verdicts:
        return []
    rows = torch.stack(
        [torch.stack([v.skip.float(), v.loss, v.grad_norm.to(v.loss)]) for v in verdicts]
    ).tolist()
    return [
        SkippedUpdate(step, loss, grad_norm)
        for step, (skip, loss, grad_norm) in enumerate(rows, first_step)
        if skip
    ]


def _median(values: Tensor) -> Tensor:
    """The lower median of the values that are numbers; NaN where none is."""
    count = values.isfinite().sum()
    middle = ((count - 1) // 2).clamp(min=0)
    return values.sort().values.gather(0, middle[None])[0]
