"""Opening the trackers that a run asks for, and closing them whatever happens."""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch.distributed

from bertsmith.errors import TrainingError
from bertsmith.training.interruption import Interrupted
from bertsmith.training.trackers.base import Ending, TrackedRun, Tracker

__all__ = ["TRACKERS", "TrackerName", "tracking"]

TrackerName = Literal["tensorboard", "wandb", "mlflow"]
TRACKERS: tuple[str, ...] = get_args(TrackerName)

Listener = Callable[[str, int, Mapping[str, Any]], None]


@contextmanager
def tracking(
    names: Sequence[str], run: TrackedRun, warn: Callable[[str], None]
) -> Iterator[list[Listener]]:
    """Opens trackers, and yields what is to be told of every record of the log.

    A tracker that fails while the run goes on is given up: the run's own log has everything. Of
    several processes only the first tracks.

    Args:
        names: some of `TRACKERS`.
        run: the run's folder, recipe and step.
        warn: is told, in one line, about each tracker that fails.

    Raises:
        TrainingError: a tracker's library isn't installed, or can't be started.
    """
    if _is_another_rank():
        yield []
        return
    opened: list[_Careful] = []
    ending: Ending = "failed"
    try:
        for name in names:
            opened.append(_Careful(name, _start(name, run), warn))
        yield [tracker.log for tracker in opened]
        ending = "finished"
    except (Interrupted, KeyboardInterrupt):
        ending = "stopped"
        raise
    finally:
        for tracker in opened:
            tracker.close(ending)


def _start(name: str, run: TrackedRun) -> Tracker:
    module = importlib.import_module(f"bertsmith.training.trackers.{name}")
    where = f"training.trackers: {name}"
    try:
        tracker: Tracker = module.start(run)
    except ImportError as error:
        raise TrainingError(
            f"{module.PACKAGE} is not installed ({error})",
            where=where,
            fix=f"pip install {module.PACKAGE}, or leave {name} out of training.trackers",
        ) from error
    except Exception as error:  # whatever a library, or a server behind it, raises
        raise TrainingError(
            f"can't be started ({type(error).__name__}: {error})",
            where=where,
            fix=f"mend that, or leave {name} out of training.trackers",
        ) from error
    return tracker


class _Careful:
    """A tracker that can't stop a run; what it fails with is told once."""

    def __init__(self, name: str, tracker: Tracker, warn: Callable[[str], None]) -> None:
        self.name, self.tracker, self.warn, self.works = name, tracker, warn, True

    def log(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        if self.works:
            self._try(lambda: self.tracker.log(kind, step, values))

    def close(self, ending: Ending) -> None:
        self._try(lambda: self.tracker.close(ending))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever a library, or a server behind it, raises
            if self.works:
                told = " ".join(str(error).split())
                self.warn(
                    f"{self.name} failed ({told}); the run goes on without it, and its "
                    "metrics.jsonl has everything"
                )
            self.works = False


def _is_another_rank() -> bool:
    distributed = torch.distributed
    if not distributed.is_available() or not distributed.is_initialized():
        return False
    return distributed.get_rank() != 0
