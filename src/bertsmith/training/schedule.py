"""How far a run has come, and the learning rate that belongs there."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["ClockHorizon", "Horizon", "StepHorizon", "learning_rate_factor"]


class Horizon(Protocol):
    """When a run ends: after so many steps, or so many seconds."""

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

    def fraction(self, step: int, seconds: float) -> float:
        """`step / num_steps`."""
        return min(1.0, step / self.num_steps)


@dataclass(frozen=True)
class ClockHorizon:
    """A run of given length in seconds, however many updates fit into it.

    The schedule follows the clock, so that the learning rate has come down when the time is up.
    Two such runs do different numbers of steps; use `StepHorizon` to repeat a run exactly.

    Example:
        >>> ClockHorizon(180.0).fraction(step=50, seconds=90.0)
        0.5
    """

    num_seconds: float

    def fraction(self, step: int, seconds: float) -> float:
        """`seconds / num_seconds`."""
        return min(1.0, seconds / self.num_seconds)


def learning_rate_factor(fraction: float, warmup_ratio: float, schedule: str) -> float:
    """The learning rate at a point of the run, as a factor of the peak.

    Source: the paper, appendix A.2 (linear warm-up, linear decay); 'google' is
    `optimization.py` of google-research/bert, whose decay starts counting at step 0, so that the
    rate drops by `warmup_ratio` at the end of warm-up.

    Args:
        fraction: share of the run that is done, in [0, 1].
        warmup_ratio: share of the run that is warm-up, in [0, 1].
        schedule: "linear", "google" or "constant".

    Example:
        >>> [round(learning_rate_factor(f, 0.1, "linear"), 3) for f in (0.05, 0.1, 0.55, 1.0)]
        [0.5, 1.0, 0.5, 0.0]
        >>> [round(learning_rate_factor(f, 0.1, "google"), 3) for f in (0.05, 0.1, 0.55, 1.0)]
        [0.5, 0.9, 0.45, 0.0]
    """
    if fraction < warmup_ratio:
        return fraction / warmup_ratio
    if schedule == "constant":
        return 1.0
    start = 0.0 if schedule == "google" else warmup_ratio
    return (1.0 - fraction) / max(1.0 - start, 1e-12)
