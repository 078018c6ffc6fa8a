"""The folder of a run: its recipe, its log, its checkpoints and, at the end, its model.

```
runs/x/
  recipe.yaml            the resolved recipe
  metrics.jsonl          one line per log point and evaluation
  checkpoints/step-000123/
  config.json model.safetensors vocab.txt tokenizer.json tokenizer_config.json
```
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bertsmith._files import atomic_file, locked
from bertsmith.errors import CheckpointError, RecipeError, TrainingError
from bertsmith.training.checkpoint import verify_checkpoint

__all__ = ["RunFolder"]


class RunFolder:
    """Paths and files of one run.

    Args:
        path: the folder; it is made if it isn't there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints_path = path / "checkpoints"
        self.metrics_path = path / "metrics.jsonl"
        self.recipe_path = path / "recipe.yaml"
        if path.exists() and not path.is_dir():
            raise TrainingError("is not a folder", where=path, fix="give another output folder")
        path.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the run for this process.

        Raises:
            TrainingError: another process is running here.
        """
        with locked(self.path / ".lock") as is_ours:
            if not is_ours:
                raise TrainingError(
                    "another run is writing into this folder",
                    where=self.path,
                    fix="wait for it or give another output folder",
                )
            yield

    def check_recipe(self, recipe: dict[str, Any]) -> None:
        """Saves the recipe of a new run, or compares it with that of the run that is here.

        Raises:
            RecipeError: the folder holds a run of another recipe; the first difference is named.
            TrainingError: the folder holds something else.
        """
        if self.recipe_path.exists():
            difference = _first_difference(self.read_recipe(), recipe)
            if difference:
                raise RecipeError(
                    f"this folder holds a run with {difference}",
                    where=self.path,
                    fix="use the same settings to go on, or another output folder",
                )
            return
        if any(not path.name.startswith(".") for path in self.path.iterdir()):
            raise TrainingError(
                "holds files that are no run", where=self.path, fix="give another output folder"
            )
        with atomic_file(self.recipe_path) as temporary:
            temporary.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")

    def read_recipe(self) -> dict[str, Any]:
        """The recipe that the run was started with."""
        try:
            recipe = yaml.safe_load(self.recipe_path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise RecipeError("can't be read", where=self.recipe_path) from error
        if not isinstance(recipe, dict):
            raise RecipeError("is no recipe", where=self.recipe_path)
        return recipe

    @property
    def is_finished(self) -> bool:
        """Whether the run has come to its end."""
        return any(record["kind"] == "end" for record in self.read_metrics())

    def read_metrics(self) -> list[dict[str, Any]]:
        """All records of the log, oldest first; a last line cut short by a crash is left out."""
        if not self.metrics_path.exists():
            return []
        records = []
        for line in self.metrics_path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                break
        return records

    def log(self, kind: str, step: int, **values: float | int | str) -> None:
        """Appends a record: kind "train", "evaluation", "start" or "end"."""
        with self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")

    def forget_after(self, step: int) -> None:
        """Drops log records and checkpoints of steps that a resumed run does again."""
        kept = [record for record in self.read_metrics() if record["step"] <= step]
        with atomic_file(self.metrics_path) as temporary:
            temporary.write_text("".join(json.dumps(record) + "\n" for record in kept))
        for folder in self.checkpoints():
            if _step_of(folder) > step:
                shutil.rmtree(folder)

    def checkpoint_path(self, step: int) -> Path:
        """Where the checkpoint of a step stands."""
        return self.checkpoints_path / f"step-{step:06d}"

    def checkpoints(self) -> list[Path]:
        """All checkpoints, newest first, good or not."""
        folders = self.checkpoints_path.glob("step-*")
        return sorted(folders, key=_step_of, reverse=True)

    def last_good_checkpoint(self, warn: Callable[[str], None]) -> Path | None:
        """The newest checkpoint whose hashes hold; None for a run that has none yet.

        Args:
            warn: is told about each damaged checkpoint that is passed over.

        Raises:
            CheckpointError: there are checkpoints, and all of them are damaged.
        """
        folders = self.checkpoints()
        for folder in folders:
            try:
                verify_checkpoint(folder)
            except CheckpointError as error:
                warn(f"{error}; passing it over")
                continue
            return folder
        if folders:
            raise CheckpointError(
                f"none of the {len(folders)} checkpoints can be used",
                where=self.checkpoints_path,
                fix="give another output folder to start anew",
            )
        return None

    def remove_old_checkpoints(self, keep: int) -> None:
        """Deletes all but the newest `keep` checkpoints."""
        for folder in self.checkpoints()[keep:]:
            shutil.rmtree(folder)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.split("-")[1])


def _first_difference(saved: object, wanted: object, path: str = "") -> str | None:
    if isinstance(saved, dict) and isinstance(wanted, dict):
        for key in [*saved, *(key for key in wanted if key not in saved)]:
            below = f"{path}.{key}" if path else str(key)
            difference = _first_difference(saved.get(key), wanted.get(key), below)
            if difference:
                return difference
        return None
    return None if saved == wanted else f"{path} = {saved!r}, not {wanted!r}"
