"""What a run notes about the model in its folder: the update that it is of, and its files' hashes.

The log tells the same, but a line of it can be lost, and a model's file can, too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from safetensors import SafetensorError, safe_open

from bertsmith._files import atomic_file, sha256_of_file

__all__ = ["ModelStamp"]

_FILE = ".model.json"
_WEIGHTS = "model.safetensors"
_NAMES = (_WEIGHTS, "config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class ModelStamp:
    """Which model stands in a run's folder.

    Attributes:
        step: the optimizer update that it is of.
        is_last: whether the run has come to its end.
        hashes: SHA-256 of its files, by name.
    """

    step: int
    is_last: bool
    hashes: Mapping[str, str]

    @classmethod
    def of_model_in(cls, run: Path, step: int) -> Self:
        """The stamp of the model that was just saved.

        Args:
            run: the run's folder.
            step: the optimizer update that the model is of.
        """
        files = [run / name for name in _NAMES if (run / name).is_file()]
        return cls(step, False, {file.name: sha256_of_file(file) for file in files})

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """What `write` wrote; None where there is none, as in runs of an older version."""
        try:
            found = json.loads((run / _FILE).read_bytes())
            return cls(int(found["step"]), bool(found["is_last"]), dict(found["hashes"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, run: Path) -> None:
        """Notes it in the run's folder.

        Raises:
            OSError: it can't be written.
        """
        with atomic_file(run / _FILE) as temporary:
            temporary.write_text(json.dumps(vars(self)) + "\n", encoding="utf-8")

    def lost_file(self, run: Path) -> str | None:
        """Says which file of the model is gone, or cut short; None if all can be read."""
        for name in self.hashes:
            if not (run / name).is_file():
                return f"{name} is missing"
        return f"{_WEIGHTS} is cut short" if _WEIGHTS in self.hashes and _is_cut(run) else None

    def other_file(self, run: Path) -> str | None:
        """The name of a file that isn't as the run wrote it; None if all are."""
        for name, expected in self.hashes.items():
            if not (run / name).is_file() or sha256_of_file(run / name) != expected:
                return name
        return None


def _is_cut(run: Path) -> bool:
    try:
        with safe_open(run / _WEIGHTS, framework="pt"):
            return False
    except (OSError, SafetensorError):
        return True
