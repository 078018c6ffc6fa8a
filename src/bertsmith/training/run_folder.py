"""The folder of a run: its recipe, its log, its checkpoints and, at the end, its model.

```
runs/x/
  recipe.yaml            the resolved recipe, and under `run` what it is run on
  metrics.jsonl          one line per start, log point and evaluation
  .model.json            which update the model in this folder is of, see `ModelStamp`
  tensorboard/           the same for TensorBoard
  checkpoints/step-000123/
  checkpoints/best       a link to the checkpoint with the lowest held-out loss, if that is kept
  config.json model.safetensors vocab.txt tokenizer.json tokenizer_config.json
```
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from bertsmith._files import atomic_file, locked, make_folder, sync
from bertsmith._words import counted
from bertsmith.errors import TrainingError
from bertsmith.training.checkpoint_folders import (
    CHECKPOINT,
    CHECKPOINTS,
    checkpoint_folders,
    remove_checkpoints,
    step_of,
)
from bertsmith.training.done_again import without_lost
from bertsmith.training.good_checkpoint import newest_good
from bertsmith.training.leftovers import remove_start, remove_tracked, set_right
from bertsmith.training.model_stamp import ModelStamp
from bertsmith.training.run_log import log_records
from bertsmith.training.run_recipe import how_to_mend, read_recipe, recipe_yaml, require_same

__all__ = ["RunFolder"]

_BEST, _DAMAGED = "best", "damaged-"


class RunFolder:
    """Paths and files of one run.

    Args:
        path: the folder; `lock` makes it if it isn't there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints_path = path / CHECKPOINTS
        self.metrics_path = path / "metrics.jsonl"
        self.recipe_path = path / "recipe.yaml"
        self.lock_path = path / ".lock"
        #: Which store's files were compared with their hashes, and when they were written.
        self.store_stamps_path = path / ".store.json"
        self.listeners: Sequence[Callable[[str, int, Mapping[str, Any]], None]] = ()
        if path.exists() and not path.is_dir():
            raise TrainingError("is not a folder", where=path, fix="give another output folder")

    @contextmanager
    def lock(self, warn: Callable[[str], None] | None = None) -> Iterator[None]:
        """Holds the run for this process; what a killed one left half done is removed.

        A run that fails before it has logged an update leaves nothing behind.

        Args:
            warn: is told where the disk has no locks.

        Raises:
            TrainingError: another process is running here, or checkpoints have no place.
        """
        place = self.checkpoints_path
        if (place.is_symlink() or place.exists()) and not place.is_dir():
            raise TrainingError(
                "is no folder, and checkpoints need one of this name",
                where=place,
                fix="move it away, or give another output folder",
            )
        made = make_folder(self.path)
        is_new = not self.recipe_path.exists()
        with locked(self.lock_path, warn) as is_ours:
            if not is_ours:
                raise TrainingError(
                    "another run is writing into this folder",
                    where=self.path,
                    fix="wait for it or give another output folder",
                )
            set_right(self.path)
            if is_new and self._is_unused():
                ModelStamp.remove(self.path)  # of a run whose visible files were deleted
            try:
                yield
            except BaseException:
                if is_new and self._is_unused():
                    if self.recipe_path.exists():  # or the folder holds something else
                        remove_start(self.path)
                    self.lock_path.unlink()
                    with suppress(OSError):  # not empty: other files are here
                        for folder in made:
                            folder.rmdir()
                raise

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """Makes a full disk and the like one line that says how to go on."""
        try:
            yield
        except OSError as error:
            raise TrainingError(
                f"cannot be written ({error.strerror or error})",
                where=path,
                fix=f"make room and {self.way_on()}",
            ) from error

    def way_on(self) -> str:
        """What the same command does once a fault is mended, as the end of a message."""
        checkpoints = self.checkpoints()
        if not checkpoints:
            return "run the same command, which starts anew: there is no checkpoint yet"
        return f"run the same command to go on from {checkpoints[0].name}"

    def check_recipe(
        self, recipe: dict[str, Any], free_to_change: frozenset[str] = frozenset()
    ) -> None:
        """Saves the recipe of a new run, or compares it with that of the run that is here.

        Of one that was killed before it had logged an update nothing would be lost: it is replaced.

        Args:
            recipe: the resolved recipe, and under `run` what it is run on.
            free_to_change: paths of settings that a run may go on with others of.

        Raises:
            RecipeError: the folder holds a run of another recipe; the first difference is named.
            TrainingError: the folder holds something else.
        """
        if self.recipe_path.exists():
            saved = self.read_recipe()
            if "run" not in saved and not self.metrics_path.exists():
                raise TrainingError(
                    "is a recipe that no run wrote",
                    where=self.recipe_path,
                    fix="give another output folder",
                )
            if not self._is_replaced():
                require_same(self.path, saved, recipe, free_to_change)
            if saved == recipe:
                return
            if self._is_replaced():
                remove_tracked(self.path)
        elif mending := how_to_mend(self.recipe_path):
            raise TrainingError("is missing", where=self.recipe_path, fix=mending)
        elif any(not path.name.startswith(".") for path in self.path.iterdir()):
            raise TrainingError(
                "holds files that are no run", where=self.path, fix="give another output folder"
            )
        with self.writing(self.recipe_path), atomic_file(self.recipe_path) as temporary:
            temporary.write_text(recipe_yaml(recipe), encoding="utf-8")

    def read_recipe(self) -> dict[str, Any]:
        """The recipe that the run was started with."""
        return read_recipe(self.recipe_path)

    def recipe_to_go_on_with(self) -> dict[str, Any] | None:
        """The recipe of the run that is here; None for a new one, and where it is replaced."""
        is_here = self.recipe_path.exists() and not self._is_replaced()
        return self.read_recipe() if is_here else None

    def texts(self) -> dict[str, bytes]:
        """What each checkpoint has a copy of, by name: the recipe and the log as they stand."""
        files = (self.recipe_path, self.metrics_path)
        return {file.name: file.read_bytes() for file in files if file.exists()}

    @property
    def is_finished(self) -> bool:
        """Whether the run has come to its end."""
        if (stamp := self.stamp) is not None and stamp.is_last:
            return True
        return any(record["kind"] == "end" for record in self.read_metrics())

    @property
    def stamp(self) -> ModelStamp | None:
        """What is noted about the model in the folder; None where there is none."""
        return ModelStamp.read(self.path)

    def note(self, stamp: ModelStamp) -> None:
        """Notes what is known about the model in the folder."""
        with self.writing(self.path):
            stamp.write(self.path)

    def read_metrics(self) -> list[dict[str, Any]]:
        """All records of the log, oldest first, see `log_records`."""
        return log_records(self.metrics_path) if self.metrics_path.exists() else []

    def log(self, kind: str, step: int, **values: Any) -> None:
        """Appends a record, and tells the listeners.

        Args:
            kind: "start", "train", "evaluation", "skipped" or "end".
            step: the optimizer update.
            **values: plain JSON values.
        """
        line = json.dumps({"kind": kind, "step": step, **values}) + "\n"
        with self.writing(self.metrics_path), self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(line)
        for listener in self.listeners:
            listener(kind, step, values)

    def sync_log(self) -> None:
        """Waits until the log is on the disk."""
        with self.writing(self.metrics_path):
            if self.metrics_path.exists():
                sync(self.metrics_path)
                sync(self.path)

    def start_anew(self, warn: Callable[[str], None]) -> None:
        """Empties the log of a run that has no checkpoint; one with updates is kept beside it.

        Args:
            warn: is told about updates that are done again.
        """
        if any(record["kind"] == "train" for record in self.read_metrics()):
            warn(
                f"{self.path}: there is no checkpoint, so the run starts anew; "
                f"its log so far is {self.keep_old_log()}"
            )
        ModelStamp.remove(self.path)
        self.forget_after(-1)

    def keep_old_log(self) -> str:
        """Copies the log beside itself, before much of it is dropped; returns the copy's name."""
        names = (f"{self.metrics_path.name}.old{number or ''}" for number in count())
        places = (self.metrics_path.with_name(name) for name in names)
        old = next(place for place in places if not place.exists())
        with self.writing(old):
            shutil.copyfile(self.metrics_path, old)
        return old.name

    def take_log_from(self, checkpoint: Path, warn: Callable[[str], None]) -> None:
        """Takes from a checkpoint's copy what the log has lost.

        Args:
            checkpoint: what the run goes on from; nothing that came later is needed.
            warn: is told how much that was.
        """
        copy = checkpoint / self.metrics_path.name
        if not copy.exists():  # of an older version
            if not self.metrics_path.exists():
                warn(f"{self.metrics_path}: is missing; the log begins anew with the next update")
            return
        kept, here = log_records(copy), self.read_metrics()
        known = set(map(json.dumps, here))  # as text, in which no number differs from itself
        if lost := [record for record in kept if json.dumps(record) not in known]:
            what = f"has lost {counted(len(lost), 'record')}" if here else "is missing or empty"
            warn(f"{self.metrics_path}: {what}; taken from {checkpoint.name}")
            self._write_metrics(kept)

    def forget_after(self, step: int, *, evaluates_again: bool = False) -> None:
        """Drops log records of what a resumed run does again, and sets checkpoints aside.

        The only checkpoints after the last good one are damaged ones. They are renamed, so that
        they neither count nor are lost.

        Args:
            step: the last that it doesn't do again.
            evaluates_again: whether it begins with the evaluation of that step.
        """
        kept = without_lost(self.read_metrics(), step, evaluates_again=evaluates_again)
        self._write_metrics(kept)
        for folder in self.checkpoints():
            if step_of(folder) > step:
                aside = folder.with_name(f"{_DAMAGED}{folder.name}")
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
        best = self.checkpoints_path / _BEST
        if best.is_symlink() and not best.exists():
            best.unlink()

    def _write_metrics(self, records: Sequence[Mapping[str, Any]]) -> None:
        with self.writing(self.metrics_path), atomic_file(self.metrics_path) as temporary:
            temporary.write_text("".join(json.dumps(record) + "\n" for record in records))

    def checkpoint_path(self, step: int) -> Path:
        """Where the checkpoint of a step stands."""
        return self.checkpoints_path / f"{CHECKPOINT}{step:06d}"

    def checkpoints(self) -> list[Path]:
        """All checkpoints, newest first, good or not; what else stands there doesn't count."""
        return checkpoint_folders(self.path)

    def last_good_checkpoint(
        self, warn: Callable[[str], None], free_to_change: frozenset[str] = frozenset()
    ) -> Path | None:
        """The newest checkpoint whose hashes hold; None for a run that has none yet.

        Args:
            warn: is told about each damaged checkpoint that is passed over.
            free_to_change: paths of settings that may differ from the checkpoint's.

        Raises:
            CheckpointError: there are checkpoints, and all of them are damaged, or the newest good
                one is of another recipe.
        """
        return newest_good(
            self.checkpoints(), self.read_recipe, warn=warn, free_to_change=free_to_change
        )

    def keep_checkpoints(self, newest: int, best_step: int | None = None) -> None:
        """Deletes all but the newest checkpoints and the best one, and links `best` to that.

        Args:
            newest: how many of the newest stay.
            best_step: the step of the best one, which stays whatever its age.
        """
        if best_step is not None:
            best = self.checkpoints_path / _BEST
            new_link = self.checkpoints_path / f".{_BEST}.tmp"
            with self.writing(best):
                new_link.unlink(missing_ok=True)
                new_link.symlink_to(self.checkpoint_path(best_step).name)
                new_link.replace(best)
        old = [folder for folder in self.checkpoints()[newest:] if step_of(folder) != best_step]
        remove_checkpoints(self.path, old)

    def _is_replaced(self) -> bool:
        """Whether a run of any other recipe takes the place of the one that is here."""
        return self.metrics_path.exists() and self._is_unused()

    def _is_unused(self) -> bool:
        """Whether nothing came of the run that is of worth: no logged update, no checkpoint."""
        is_begun = any(record["kind"] != "start" for record in self.read_metrics())
        has_model = self.recipe_path.exists() and self.stamp is not None
        return not is_begun and not has_model and not self.checkpoints()
