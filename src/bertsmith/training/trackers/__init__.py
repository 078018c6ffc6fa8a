"""Where else a run's log goes: one file a tracker, found by its name.

A tracker is a module of this package with

    PACKAGE: str                                what `pip install` calls the library it needs
    def start(run: TrackedRun) -> Tracker       opens it for a sitting of a run

and its library is imported in `start` alone.
"""

from bertsmith.training.trackers.base import TrackedRun, Tracker
from bertsmith.training.trackers.tracking import TRACKERS, TrackerName, tracking

__all__ = ["TRACKERS", "TrackedRun", "Tracker", "TrackerName", "tracking"]
