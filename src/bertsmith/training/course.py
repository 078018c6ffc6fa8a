"""Where a run is on its way: what is done of it, its learning rate, when it is evaluated."""

import math

from bertsmith.training.schedule import (
    ClockHorizon,
    Horizon,
    learning_rate_factor,
    warmup_ratio_of,
)
from bertsmith.training.settings import LoopSettings
from bertsmith.training.snapshot import TrainingState

__all__ = ["Course"]

# How much of a run by the clock may go into evaluations in its midst.
_EVALUATING_SHARE = 0.25


class Course:
    """The way of a run from its first update to its horizon.

    Args:
        settings: warm-up and decay of the learning rate.
        horizon: when the run ends.
        num_evaluations: how often the model is evaluated, evenly over the run.

    Raises:
        RecipeError: the warm-up is longer than the run.

    Example:
        >>> from bertsmith.training.schedule import StepHorizon
        >>> course = Course(LoopSettings(warmup_ratio=0.2), StepHorizon(200), num_evaluations=4)
        >>> course.fraction(TrainingState(step=50)), course.learning_rate_factor(0.1)
        (0.25, 0.5)
        >>> course.is_evaluation_between(0.2, 0.25), course.is_evaluation_between(0.25, 0.3)
        (True, False)
    """

    def __init__(self, settings: LoopSettings, horizon: Horizon, num_evaluations: int) -> None:
        self.settings, self.horizon, self.num_evaluations = settings, horizon, num_evaluations
        self.warmup_ratio = warmup_ratio_of(settings, horizon)

    def done(self, state: TrainingState) -> float:
        """How much is done, in the horizon's unit."""
        return self.horizon.done(state.step, state.seconds)

    def fraction(self, state: TrainingState) -> float:
        """The share of the run that is done, in [0, 1]."""
        return self.horizon.fraction(state.step, state.seconds)

    def learning_rate_factor(self, fraction: float) -> float:
        """What the peak learning rate is multiplied by, at a share of the run."""
        return learning_rate_factor(
            fraction,
            self.warmup_ratio,
            self.settings.schedule,
            decay_ratio=self.settings.decay_ratio,
            decay_curve=self.settings.decay_curve,
        )

    def is_evaluation_between(self, before: float, now: float) -> bool:
        """Whether an evaluation is due, after the share of the run that was done before."""
        reached = math.floor(now * self.num_evaluations + 1e-9)
        return reached > math.floor(before * self.num_evaluations + 1e-9)

    def can_afford_evaluation(self, state: TrainingState, seconds: float) -> bool:
        """Whether a run by the clock trains for most of its time if it is evaluated once more.

        The evaluation at the end of a run comes after its time.

        Args:
            state: where the run is.
            seconds: how long the evaluation will take.

        Example:
            >>> course = Course(LoopSettings(), ClockHorizon(100.0), num_evaluations=10)
            >>> [course.can_afford_evaluation(TrainingState(seconds=s), 9.0) for s in (30, 40)]
            [False, True]
        """
        if self.fraction(state) >= 1.0 or not isinstance(self.horizon, ClockHorizon):
            return True
        return state.evaluating_seconds + seconds <= _EVALUATING_SHARE * state.seconds
