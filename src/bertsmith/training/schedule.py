"""How far a run has come, and the learning rate that belongs there."""

import math
from dataclasses import dataclass
from typing import Protocol

from bertsmith.errors import RecipeError
from bertsmith.training.settings import LoopSettings

__all__ = ["ClockHorizon", "Horizon", "StepHorizon", "learning_rate_factor", "warmup_ratio_of"]


class Horizon(Protocol):
    """When a run ends: after so many steps, or so many seconds."""

    @property
    def total(self) -> float:
        """How long the run is, in its unit."""
        ...

    @property
    def unit(self) -> str:
        """What it is counted in, as the progress bar says it: "steps" or "s"."""
        ...

    def done(self, step: int, seconds: float) -> float:
        """How much of `total` is done after `step` updates and `seconds`."""
        ...

    def fraction(self, step: int, seconds: float) -> float:
        """The share of the run, in [0, 1], that is done after `step` updates and `seconds`."""
        ...


@dataclass(frozen=True)
class StepHorizon:
    """A run of a given number of optimizer updates.

    Example:
        >>> StepHorizon(200).fraction(step=50, seconds=0.0)
        0.25
    """

    num_steps: int
    unit = "steps"

    @property
    def total(self) -> float:
        """`num_steps`."""
        return self.num_steps

    def done(self, step: int, seconds: float) -> float:
        """`step`."""
        return step

    def fraction(self, step: int, seconds: float) -> float:
        """`step / num_steps`."""
        return min(1.0, step / self.num_steps)


@dataclass(frozen=True)
class ClockHorizon:
    """A run of given length in seconds, however many updates fit into it.

    The schedule follows the clock, so that the learning rate has come down when the time is up.
    It starts when compilers are done with the model.
    Two such runs do different numbers of steps; use `StepHorizon` to repeat a run exactly.

    Example:
        >>> ClockHorizon(180.0).fraction(step=50, seconds=90.0)
        0.5
    """

    num_seconds: float
    unit = "s"

    @property
    def total(self) -> float:
        """`num_seconds`."""
        return self.num_seconds

    def done(self, step: int, seconds: float) -> float:
        """`seconds`, at most `num_seconds`."""
        return min(seconds, self.num_seconds)

    def fraction(self, step: int, seconds: float) -> float:
        """`seconds / num_seconds`."""
        return min(1.0, seconds / self.num_seconds)


def learning_rate_factor(
    fraction: float,
    warmup_ratio: float,
    schedule: str,
    *,
    decay_ratio: float = 0.2,
    decay_curve: str = "linear",
) -> float:
    """The learning rate at a point of the run, as a factor of the peak.

    Source: the paper, appendix A.2 (linear warm-up, linear decay); 'google' is
    `optimization.py` of google-research/bert, whose decay starts counting at step 0, so that the
    rate drops by `warmup_ratio` at the end of warm-up; 'cosine' is Loshchilov and Hutter 2017
    without restarts; 'trapezoidal' and its '1-sqrt' are Hägele et al. 2024.

    Args:
        fraction: share of the run that is done, in [0, 1].
        warmup_ratio: share of the run that is warm-up, in [0, 1].
        schedule: "linear", "google", "constant", "cosine" or "trapezoidal".
        decay_ratio: trapezoidal: share of the run in which the rate falls, in (0, 1].
        decay_curve: trapezoidal: "linear" or "1-sqrt".

    Example:
        >>> def factors(schedule, **options):
        ...     points = (0.05, 0.1, 0.55, 0.9, 1.0)
        ...     return [round(learning_rate_factor(f, 0.1, schedule, **options), 3) for f in points]
        >>> factors("linear")
        [0.5, 1.0, 0.5, 0.111, 0.0]
        >>> factors("google")
        [0.5, 0.9, 0.45, 0.1, 0.0]
        >>> factors("cosine")
        [0.5, 1.0, 0.5, 0.03, 0.0]
        >>> factors("trapezoidal"), factors("trapezoidal", decay_curve="1-sqrt")
        ([0.5, 1.0, 1.0, 0.5, 0.0], [0.5, 1.0, 1.0, 0.293, 0.0])
    """
    if fraction < warmup_ratio:
        return fraction / warmup_ratio
    if schedule == "constant":
        return 1.0
    if schedule == "trapezoidal":
        left = min(1.0, (1.0 - fraction) / decay_ratio)
        return left if decay_curve == "linear" else 1.0 - math.sqrt(1.0 - left)
    start = 0.0 if schedule == "google" else warmup_ratio
    left = (1.0 - fraction) / max(1.0 - start, 1e-12)
    return 0.5 - 0.5 * math.cos(math.pi * left) if schedule == "cosine" else left


def warmup_ratio_of(settings: LoopSettings, horizon: Horizon) -> float:
    """The share of the run that is warm-up, from `warmup_ratio` or `num_warmup_steps`.

    Raises:
        RecipeError: `num_warmup_steps` doesn't fit the run.

    Example:
        >>> warmup_ratio_of(LoopSettings(num_warmup_steps=50), StepHorizon(200))
        0.25
    """
    if settings.num_warmup_steps is None:
        return settings.warmup_ratio
    where = "training.num_warmup_steps"
    if not isinstance(horizon, StepHorizon):
        raise RecipeError(
            "the updates of a run with a budget aren't known before",
            where=where,
            fix="set training.warmup_ratio instead",
        )
    ratio = settings.num_warmup_steps / horizon.num_steps
    room = 1.0 - (settings.decay_ratio if settings.schedule == "trapezoidal" else 0.0)
    if ratio > room + 1e-9:
        raise RecipeError(
            f"{settings.num_warmup_steps} is over the {room * horizon.num_steps:.0f} updates "
            "that the run has for it",
            where=where,
        )
    return ratio
