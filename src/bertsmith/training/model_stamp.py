"""What a run notes about the model in its folder: the update that it is of, and a hash.

The log tells the same, but a line of it can be lost, and a model's file can, too.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from safetensors import SafetensorError, safe_open

from bertsmith._files import atomic_file, remove, sha256_of_file

__all__ = ["ModelStamp"]

_FILE, _WEIGHTS = ".model.json", "model.safetensors"


@dataclass(frozen=True)
class ModelStamp:
    """Which model stands in a run's folder.

    Attributes:
        step: the optimizer update that it is of.
        sha256: of its weights; empty where they are to be replaced.
        is_last: whether the run has come to its end.
    """

    step: int
    sha256: str
    is_last: bool = False

    @classmethod
    def of_model_in(cls, run: Path, step: int) -> Self:
        """The stamp of the model that was just saved.

        Args:
            run: the run's folder.
            step: the optimizer update that the model is of.
        """
        return cls(step, sha256_of_file(run / _WEIGHTS))

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """What `write` wrote; None where there is none, as in runs of an older version."""
        try:
            found = json.loads((run / _FILE).read_bytes())
            return cls(int(found["step"]), str(found["sha256"]), bool(found["is_last"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @classmethod
    def remove(cls, run: Path) -> None:
        """Forgets what was noted in a run's folder."""
        remove(run / _FILE)

    def write(self, run: Path) -> None:
        """Notes it in the run's folder.

        Raises:
            OSError: it can't be written.
        """
        with atomic_file(run / _FILE) as temporary:
            temporary.write_text(json.dumps(vars(self)) + "\n", encoding="utf-8")

    def ended(self, is_last: bool = True) -> Self:
        """The same model, as the run's last word or not."""
        return replace(self, is_last=is_last)

    def is_of(self, run: Path) -> bool:
        """Whether the weights in the folder are those that were noted."""
        path = run / _WEIGHTS
        return path.is_file() and sha256_of_file(path) == self.sha256

    @staticmethod
    def what_is_lost(run: Path) -> str | None:
        """Says that the weights in a run's folder are gone or cut short; None if they aren't."""
        path = run / _WEIGHTS
        if not path.is_file():
            return f"{_WEIGHTS} is missing"
        try:
            with safe_open(path, framework="pt"):
                return None
        except (OSError, SafetensorError):
            return f"{_WEIGHTS} is cut short"
