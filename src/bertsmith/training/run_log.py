"""What a run's folder says about the run, for whoever looks at it; nothing is written."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bertsmith.errors import TrainingError
from bertsmith.training.checkpoint_folders import checkpoint_folders
from bertsmith.training.model_stamp import ModelStamp
from bertsmith.training.run_recipe import how_to_mend

__all__ = ["RunLog", "log_records", "read_run"]

Record = Mapping[str, Any]

_RATE = "matmul_flops_per_second"
# What a record has beside scores and measurements.
_PLACE = ("kind", "step", "seconds", "phase", "max_seq_length", "num_predictions", "is_kept")


@dataclass(frozen=True)
class RunLog:
    """A run's recipe and its log.

    Attributes:
        path: the run's folder.
        recipe: the resolved recipe, as it was saved.
        records: the whole log, oldest first; rates of matrix products, and `mfu`, which is against
            them, are the best that was measured in the same sitting.
        model: what the run noted about the model in its folder; None for an older version's.
        num_unreadable: how many lines of the log are none, but for the last, which may be cut.
        main_metric: the score (higher is better) by which fine-tuning chose the model to keep.
    """

    path: Path
    recipe: Mapping[str, Any]
    records: Sequence[Record]
    model: ModelStamp | None = None
    num_unreadable: int = 0
    main_metric: str | None = None

    def of_kind(self, kind: str) -> list[Record]:
        """The records of a kind: "start", "train", "evaluation", "skipped", "end"."""
        return [record for record in self.records if record["kind"] == kind]

    @property
    def name(self) -> str:
        """What to call the run: its folder, as it was given."""
        return str(self.path)

    @property
    def is_pretraining(self) -> bool:
        """Whether it is a pre-training run; else it is one of fine-tuning."""
        return self.task is None

    @property
    def task(self) -> str | None:
        """What was fine-tuned on; None for pre-training."""
        task: str | None = self.of_run("task")
        return task

    def of_run(self, path: str) -> Any:
        """What the run is of, beside its settings, such as "init" or "model.source"."""
        # Before there was `run`, it stood among the settings.
        return self.setting(f"run.{path}", self.setting(path))

    @property
    def is_finished(self) -> bool:
        """Whether it came to its end."""
        return bool(self.of_kind("end")) or (self.model is not None and self.model.is_last)

    @property
    def step(self) -> int:
        """Optimizer updates done."""
        return max((int(record["step"]) for record in self.records), default=0)

    @property
    def seconds(self) -> float:
        """Seconds of training, over all sittings."""
        return max((float(record.get("seconds", 0.0)) for record in self.records), default=0.0)

    @property
    def num_skipped(self) -> int:
        """Updates that were skipped, over all sittings."""
        return len(self.of_kind("skipped"))

    @property
    def epochs(self) -> float | None:
        """How often the run has gone through its data; None where the log doesn't say."""
        logged = self.series("train", "epochs")[1]
        if logged:
            return logged[-1]
        # A log of an older version: right where the run has one phase.
        examples = self.facts.get("epoch_examples")
        batch = self.setting("training.global_batch_size")
        return self.step * batch / examples if examples and batch else None

    @property
    def facts(self) -> Mapping[str, Any]:
        """Machine, versions and data of the last sitting; empty for a run of an older version."""
        starts = self.of_kind("start")
        return starts[-1] if starts else {}

    @property
    def scores(self) -> dict[str, float]:
        """The last evaluation, or the one whose model was kept; empty where the log lacks it.

        Logs of an older version don't say which one that is: there `main_metric` tells.
        """
        chosen = self._chosen_evaluation()
        return {name: value for name, value in chosen.items() if name not in _PLACE}

    @property
    def num_predictions(self) -> int | None:
        """How many masked tokens `scores` are of; None where the log doesn't say it."""
        return self._chosen_evaluation().get("num_predictions")

    def _chosen_evaluation(self) -> Record:
        evaluations = self.of_kind("evaluation")
        keeps_best = self.setting("training.keep") == "best"
        if self.model is not None and (keeps_best or self.model.is_last):
            is_known = bool(self.model.sha256)
            evaluations = [r for r in evaluations if is_known and r["step"] == self.model.step]
        if not evaluations:
            return {}
        kept = [record for record in evaluations if record.get("is_kept")]
        chosen, metric = (kept or evaluations)[-1], self.main_metric
        if not kept and metric and keeps_best:
            # As the loop does it: the first of equals.
            chosen = max(evaluations, key=lambda record: record.get(metric, -math.inf))
        return chosen

    def median(self, name: str) -> float | None:
        """The median of a measurement, without the first of each sitting, which starts up.

        Of a run that has no other it is that of the first ones; None where there is none at all.
        """
        values: dict[bool, list[float]] = {True: [], False: []}
        is_first = False
        for record in self.records:
            if record["kind"] == "start":
                is_first = True
            elif record["kind"] == "train" and record.get(name) is not None:
                values[is_first].append(float(record[name]))
                is_first = False
        found = values[False] or values[True]
        return statistics.median(found) if found else None

    def series(self, kind: str, name: str, x: str = "step") -> tuple[list[float], list[float]]:
        """The points of a curve, where there are any: x and the finite values."""
        points = [
            (float(record[x]), float(record[name]))
            for record in self.of_kind(kind)
            if record.get(name) is not None and x in record and math.isfinite(record[name])
        ]
        return [point[0] for point in points], [point[1] for point in points]

    def setting(self, path: str, default: Any = None) -> Any:
        """A setting of the recipe, such as "training.learning_rate"."""
        value: Any = self.recipe
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return default
            value = value[key]
        return value


def read_run(path: Path) -> RunLog:
    """Reads a run's folder.

    Raises:
        TrainingError: it isn't one, or can't be read.
    """
    try:
        recipe = yaml.safe_load((path / "recipe.yaml").read_text(encoding="utf-8"))
        records, num_unreadable = _read_log(path / "metrics.jsonl")
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        what = "is no run's folder" if path.is_dir() else "does not exist"
        if not isinstance(error, OSError):
            recipe_path = path / "recipe.yaml"
            fix = how_to_mend(recipe_path)
            raise TrainingError("can't be read", where=recipe_path, fix=fix) from error
        is_run = checkpoint_folders(path) or ModelStamp.read(path) is not None
        if (path / "recipe.yaml").is_file() and is_run:
            raise TrainingError(
                "is missing, with all that the run has logged",
                where=path / "metrics.jsonl",
                fix=how_to_mend(path / "metrics.jsonl") or "copy it back from elsewhere",
            ) from error
        raise TrainingError(
            what, where=path, fix="give what pretrain or finetune wrote to -o"
        ) from error
    if not isinstance(recipe, Mapping):
        raise TrainingError("is no recipe", where=path / "recipe.yaml")
    if not records:
        raise TrainingError("its log is empty: the run has not begun", where=path)
    corrected = _against_best_rates(records)
    return RunLog(path, recipe, corrected, ModelStamp.read(path), num_unreadable)


def _against_best_rates(records: Sequence[Record]) -> list[Record]:
    """The records with each sitting's shares of the limit against what is known of it at its end.

    Other jobs may have held the machine back when it was measured first.
    """
    sitting, best, rates = 0, {0: 0.0}, []
    for record in records:
        sitting += record["kind"] == "start"
        best[sitting] = max(best.get(sitting, 0.0), record.get(_RATE) or 0.0)
        rates.append((best[sitting], sitting))
    corrected: list[Record] = []
    for record, (rate, sitting) in zip(records, rates, strict=True):
        changes = {_RATE: best[sitting]} if record.get(_RATE) else {}
        if record.get("mfu") and 0 < rate < best[sitting]:
            changes["mfu"] = record["mfu"] * rate / best[sitting]
        corrected.append({**record, **changes})
    return corrected


def log_records(path: Path) -> list[dict[str, Any]]:
    """Reads `metrics.jsonl`, oldest record first.

    Lines that are no record are left out: the last one of a run that goes on or was killed may be
    cut short, and one that is damaged must not hide the others.

    Raises:
        OSError: there is no such file, or it can't be read.
    """
    return _read_log(path)[0]


def _read_log(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The records, and how many other lines there are before the last."""
    lines = path.read_bytes().splitlines()
    found = [_record(line) for line in lines]
    return [r for r in found if r is not None], sum(record is None for record in found[:-1])


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    is_one = isinstance(record, dict) and "kind" in record and isinstance(record.get("step"), int)
    return record if is_one else None
