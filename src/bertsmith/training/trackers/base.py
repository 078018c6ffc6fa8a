"""What a tracker is told about a run, and what it has to do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from bertsmith._files import atomic_file
from bertsmith._settings import flat

__all__ = ["Ending", "TrackedRun", "Tracker", "numbers"]

#: How a sitting ended: the run is done; it was asked to stop, and can go on; or an error ended it.
Ending = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class TrackedRun:
    """A sitting of a run.

    Attributes:
        path: the run's folder.
        recipe: the resolved recipe.
        first_step: optimizer updates that were done before; over 0 where a run goes on.
    """

    path: Path
    recipe: Mapping[str, Any]
    first_step: int

    @property
    def name(self) -> str:
        """What the run is called: its folder's name."""
        return self.path.resolve().name

    def settings(self) -> dict[str, str]:
        """The recipe as one level of names, such as "training.learning_rate", and texts."""
        return {path: str(value) for path, value in flat(self.recipe).items()}

    def recall(self, tracker: str) -> str | None:
        """The id under which a tracker knows this run, if it was told before."""
        ids = self._ids()
        return ids.get(tracker)

    def remember(self, tracker: str, run_id: str) -> None:
        """Keeps a tracker's id of this run in the run's folder."""
        with atomic_file(self._path) as temporary:
            temporary.write_text(json.dumps(self._ids() | {tracker: run_id}) + "\n")

    @property
    def _path(self) -> Path:
        return self.path / "trackers.json"

    def _ids(self) -> dict[str, str]:
        try:
            ids: dict[str, str] = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return ids


class Tracker(Protocol):
    """Takes a run's records as they are written."""

    def log(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Takes a record, see `RunFolder.log`; numbers are points of curves."""
        ...

    def close(self, ending: Ending) -> None:
        """Sends what is left; called once, at the end of a sitting."""
        ...


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The values that are points of curves.

    Example:
        >>> numbers({"mlm_loss": 7.5, "reason": "loss nan", "examples": [[0, 3]], "is_kept": True})
        {'mlm_loss': 7.5}
    """
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, float | int) and not isinstance(value, bool)
    }
