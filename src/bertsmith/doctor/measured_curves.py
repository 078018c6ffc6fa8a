"""The curves of a run, smoothed and cut into phases, and how far it came."""

import statistics
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

from bertsmith.doctor.run_commands import RunCommands
from bertsmith.tasks import get_task

__all__ = ["RunCurves"]

# Steps and values.
Curve = tuple[list[float], list[float]]

_SMOOTHED = 5


class RunCurves(RunCommands):
    """What a run's log says over its updates, each when it is first asked for."""

    @cached_property
    def loss_name(self) -> str:
        """The main loss: "mlm_loss" or "ltr_loss", or the task's."""
        names = [name for record in self.run.of_kind("train")[:1] for name in record]
        losses = [name for name in names if name.endswith("_loss")]
        return next(iter(losses), "mlm_loss")

    @cached_property
    def losses(self) -> Curve:
        """Steps and main losses in training, each loss the median of its neighbours."""
        parts = self.phases_of(self.run.series("train", self.loss_name))
        return [s for steps, _ in parts for s in steps], [
            value for _, values in parts for value in smoothed(values)
        ]

    @cached_property
    def held_out(self) -> Curve:
        """Steps and main losses on held-out data."""
        return self.run.series("evaluation", self.loss_name)

    @cached_property
    def phase_ends(self) -> list[int]:
        """The last logged update of each phase but the one that the run is in."""
        shares = [float(phase["share"]) for phase in self.run.setting("phases") or []]
        return [
            self._last_step(number, end)
            for number, end in enumerate(accumulate(shares[:-1]))
            if end < self.fraction
        ]

    def _last_step(self, number: int, end: float) -> int:
        """The last logged update of a phase, which ends at a share of the run.

        A line of an older log doesn't say its phase. With a budget the line that ends one comes
        after its time; the next of all is of the phase that follows.
        """
        last = 0
        for record in self.run.of_kind("train"):
            if record.get("phase", number) > number:
                break
            last = int(record["step"])
            if "phase" not in record and self._fraction(record) >= end - 1e-9:
                break
        return last

    def phases_of(self, curve: Curve) -> list[Curve]:
        """A curve phase by phase: with sequences of another length losses are others."""
        steps, values = curve
        cuts = [0, *(bisect_right(steps, end) for end in self.phase_ends), len(steps)]
        return [(steps[a:b], values[a:b]) for a, b in pairwise(cuts) if b > a]

    def rising(self, curve: Curve, *, skip: int = 0) -> Curve:
        """The phase in which a curve rose most above its lowest point, and stayed above that.

        Args:
            curve: steps and values.
            skip: how many points at the beginning of each further phase don't count; a phase of
                fewer than twice as many doesn't either.
        """
        first, *further = self.phases_of(curve) or [curve]
        parts = [first, *((s[skip:], v[skip:]) for s, v in further if len(s) > 2 * skip)]
        rose = [(s, v) for s, v in reversed(parts) if v and curve[1][-1] >= min(v)]
        return max(rose, key=lambda part: part[1][-1] - min(part[1]), default=parts[-1])

    @property
    def rising_losses(self) -> Curve:
        """`rising` of the losses in training, without those that aren't smooth yet."""
        return self.rising(self.losses, skip=_SMOOTHED - 1)

    @property
    def last_loss(self) -> float | None:
        """The main loss at the end: on held-out data, or else in training."""
        values = self._last_losses[1]
        return values[-1] if values else None

    @property
    def last_loss_step(self) -> int:
        """The update after which that was measured; what came later isn't in it."""
        steps = self._last_losses[0]
        return int(steps[-1]) if steps else self.run.step

    @property
    def _last_losses(self) -> Curve:
        return self.held_out if self.held_out[1] else self.losses

    @property
    def seen(self) -> list[float]:
        """All main losses, smoothed in training, and on held-out data."""
        return [*self.losses[1], *self.held_out[1]]

    @property
    def fraction(self) -> float:
        """The share of the planned run that is done."""
        if self.run.is_finished:
            return 1.0
        now = {"step": self.run.step, "seconds": self.run.seconds, "epochs": self.epochs}
        return self._fraction(now)

    def _fraction(self, record: Mapping[str, Any]) -> float:
        budget = self.run.setting("training.budget_seconds")
        if budget:
            return min(1.0, float(record.get("seconds", 0.0)) / float(budget))
        if steps := self.run.setting("training.num_steps"):
            return min(1.0, float(record["step"]) / float(steps))
        epochs = self.run.setting("training.num_epochs")
        if epochs is None and self.run.task is not None:
            epochs = get_task(self.run.task).num_epochs
        return min(1.0, (record.get("epochs") or 0.0) / float(epochs)) if epochs else 0.0

    @property
    def epochs(self) -> float | None:
        """How often the run has gone through its examples."""
        return self.run.epochs


def smoothed(values: Sequence[float]) -> list[float]:
    """Each value replaced by the median of itself and those just before it.

    Example:
        >>> smoothed([5.0, 4.0, 90.0, 3.5, 3.0])
        [5.0, 4.5, 5.0, 4.5, 4.0]
    """
    return [
        statistics.median(values[max(0, place - _SMOOTHED + 1) : place + 1])
        for place in range(len(values))
    ]
