"""What the ranks of a run agree on after every step: the time, and whether to save or to stop."""

import signal
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

from bertsmith.training.distributed import Ranks
from bertsmith.training.interruption import BrokenOff, StopRequest

__all__ = ["Agreement"]

T = TypeVar("T")

# What asks a run to stop; where ranks got several, the first of these counts.
_STOPS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Agreement:
    """The clock and the requests of a run, the same on all ranks.

    The first rank's clock counts, and anybody's request to stop.

    Args:
        ranks: the processes of the run.
        stop: whether a signal asked this process to stop.
        is_save_due: whether it is time for a checkpoint, asked on the first rank.
        started: when the run began, by the monotonic clock, earlier sittings added.

    Attributes:
        must_save: whether it is time for a checkpoint.
        must_stop: whether a signal asked any process to stop.
        signal_number: which signal that was.

    Example:
        >>> agreed = Agreement(Ranks(), StopRequest(), lambda: True, time.monotonic() - 60.0)
        >>> int(agreed.seconds()), agreed.must_save, agreed.must_stop
        (60, True, False)
    """

    def __init__(
        self,
        ranks: Ranks,
        stop: StopRequest,
        is_save_due: Callable[[], bool],
        started: float,
    ) -> None:
        self.ranks, self.stop, self.is_save_due, self.started = ranks, stop, is_save_due, started
        self.must_save = self.must_stop = False
        self.signal_number: int = signal.SIGINT

    def unless_stopped(self, work: Callable[[], T]) -> T | None:
        """Does what can be done later as well; returns None where a stop comes before its end.

        Several ranks would have to break it off at the same place, so they finish what they began:
        on more machines it takes less time.
        """
        if self.must_stop:
            return None
        try:
            with self.stop.breaking_off() if self.ranks.world_size == 1 else nullcontext():
                return work()
        except BrokenOff:
            return None

    def is_stopped(self) -> bool:
        """Asks all ranks whether a signal has asked any of them to stop."""
        return self.ranks.sums({"stop": self.stop.wanted})["stop"] > 0

    def seconds(self) -> float:
        """Asks all ranks; returns how long the run has taken, and sets the attributes."""
        is_first, stop = self.ranks.is_first, self.stop
        agreed = self.ranks.sums(
            {
                "seconds": is_first * (time.monotonic() - self.started),
                "save": is_first and self.is_save_due(),
                **{each.name: stop.wanted and stop.signal_number == each for each in _STOPS},
            }
        )
        asked = [each for each in _STOPS if agreed[each.name] > 0]
        self.must_save, self.must_stop = agreed["save"] > 0, bool(asked)
        self.signal_number = asked[0] if asked else signal.SIGINT
        return agreed["seconds"]
