"""What is measured about a run: its curves, how far it came, and what it was run on."""

import shlex
import statistics
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from bertsmith.model import SIZES
from bertsmith.training import RunLog

__all__ = ["RunMeasures"]

#: Steps and values.
Curve = tuple[list[float], list[float]]

_SMOOTHED = 5
_STANDARD_ERRORS = 4
# Peak learning rates of AdamW over which models of a hidden size rarely train.
_HIGHEST_RATES = ((768, 4e-4), (512, 1.5e-3), (256, 4e-3), (0, 8e-3))


class RunMeasures:
    """A run and what is measured about it, each when it is first asked for.

    Args:
        run: its recipe and log.
    """

    def __init__(self, run: RunLog) -> None:
        self.run = run

    @property
    def is_pretraining(self) -> bool:
        """Whether it is a pre-training run."""
        return self.run.is_pretraining

    @property
    def is_fresh(self) -> bool:
        """Whether it started from fresh weights."""
        return self.is_pretraining and self.run.of_run("init") is None

    @cached_property
    def loss_name(self) -> str:
        """The main loss: "mlm_loss" or "ltr_loss", or the task's."""
        names = [name for record in self.run.of_kind("train")[:1] for name in record]
        losses = [name for name in names if name.endswith("_loss")]
        return next(iter(losses), "mlm_loss")

    @cached_property
    def losses(self) -> tuple[list[float], list[float]]:
        """Steps and main losses in training, each loss the median of its neighbours."""
        parts = self.phases_of(self.run.series("train", self.loss_name))
        return [s for steps, _ in parts for s in steps], [
            value for _, values in parts for value in smoothed(values)
        ]

    @cached_property
    def held_out(self) -> tuple[list[float], list[float]]:
        """Steps and main losses on held-out data."""
        return self.run.series("evaluation", self.loss_name)

    @cached_property
    def phase_ends(self) -> list[int]:
        """The last logged update of each phase but the one that the run is in."""
        shares = [float(phase["share"]) for phase in self.run.setting("phases") or []]
        ends = []
        for start in accumulate(shares[:-1]):
            if start < self.fraction:
                before = [r for r in self.run.records if self._fraction(r) <= start + 1e-9]
                ends.append(max((int(r["step"]) for r in before), default=0))
        return ends

    def phases_of(self, curve: Curve) -> list[Curve]:
        """A curve phase by phase: with sequences of another length losses are others."""
        steps, values = curve
        cuts = [0, *(bisect_right(steps, end) for end in self.phase_ends), len(steps)]
        return [(steps[a:b], values[a:b]) for a, b in pairwise(cuts) if b > a]

    def rising(self, curve: Curve) -> Curve:
        """The phase in which a curve rose most above its lowest point, and stayed above that."""
        rose = [
            (steps, values)
            for steps, values in reversed(self.phases_of(curve))
            if curve[1][-1] >= min(values)
        ]
        return max(rose, key=lambda part: part[1][-1] - min(part[1]), default=curve)

    @property
    def last_loss(self) -> float | None:
        """The main loss at the end: on held-out data, or else in training."""
        values = self.held_out[1] or self.losses[1]
        return values[-1] if values else None

    @property
    def unigram_loss(self) -> float | None:
        """What a model has that knows how frequent tokens are, and no context."""
        return self.run.scores.get("unigram_loss")

    @property
    def pairs_majority(self) -> float | None:
        """The share of the held-out pairs with the more frequent label.

        None where there are no pairs, or a coin may well have given as uneven ones: within four
        standard errors of a half, for so many examples.
        """
        share, number = self.run.scores.get("majority_accuracy"), self.fact("evaluation_examples")
        if share is None or (number and share - 0.5 <= _STANDARD_ERRORS * 0.5 / number**0.5):
            return None
        return share

    @property
    def fraction(self) -> float:
        """The share of the planned run that is done."""
        if self.run.is_finished:
            return 1.0
        return self._fraction({"step": self.run.step, "seconds": self.run.seconds})

    def _fraction(self, record: Mapping[str, Any]) -> float:
        budget = self.run.setting("training.budget_seconds")
        if budget:
            return min(1.0, float(record.get("seconds", 0.0)) / float(budget))
        steps = self.run.setting("training.num_steps")
        return min(1.0, record["step"] / float(steps)) if steps else 0.0

    @property
    def learning_rate(self) -> float:
        """The peak learning rate of the recipe."""
        return float(self.run.setting("training.learning_rate", 0.0))

    @property
    def highest_rate(self) -> float:
        """The peak learning rate over which models of this size rarely train."""
        return next(rate for least, rate in _HIGHEST_RATES if self.hidden_size >= least)

    @property
    def hidden_size(self) -> int:
        """The hidden size that the recipe of a pre-training run gives."""
        size = SIZES.get(str(self.run.setting("model.size", "base")), SIZES["base"])
        return int(self.run.setting("model.hidden_size") or size[1])

    @property
    def has_warmup(self) -> bool:
        """Whether the learning rate rises from 0."""
        steps = self.run.setting("training.num_warmup_steps")
        return bool(self.run.setting("training.warmup_ratio", 0) if steps is None else steps)

    @property
    def epochs(self) -> float | None:
        """How often the run has gone through its examples."""
        return self.run.epochs

    @property
    def longest(self) -> int | None:
        """The most tokens that an example may have, in any phase."""
        phases = self.run.setting("phases") or []
        lengths = [phase.get("max_seq_length") for phase in phases]
        lengths.append(self.run.setting("examples.max_seq_length"))
        return max((length for length in lengths if length), default=None)

    def fact(self, name: str) -> Any:
        """What the log says about the start; None where it doesn't."""
        return self.run.facts.get(name)

    def median(self, name: str) -> float | None:
        """The median of a measurement, without the first of each sitting, which starts up."""
        values, is_first = [], False
        for record in self.run.records:
            if record["kind"] == "start":
                is_first = True
            elif record["kind"] == "train" and name in record:
                if not is_first:
                    values.append(float(record[name]))
                is_first = False
        return statistics.median(values) if values else None

    def go_on(self) -> str:
        """The command with which the run goes on."""
        return self.again().removesuffix("runs/next") + shlex.quote(str(self.run.path))

    def again(self, *changes: str) -> str:
        """The command that makes such a run with other settings, each `path=value`."""
        if self.is_pretraining:
            init = self.run.of_run("init")
            start = ["pretrain", self.store, *([] if init is None else ["--init", str(init)])]
        else:
            source = str(self.run.of_run("model.source") or "MODEL")
            files = list(self.run.of_run("data") or {"DATA/f": ""})
            start = ["finetune", str(self.run.task), "--model", source]
            start += ["--data", str(Path(files[0]).parent)]
            start += ["--from-scratch"] if self.run.of_run("from_scratch") else []
        return self._command(start, changes)

    def longer(self, num_steps: int) -> str:
        """The command that makes such a pre-training run of so many updates."""
        warmup = self.run.setting("training.num_warmup_steps") or 0
        fits = () if warmup <= num_steps / 2 else self._unset("training.num_warmup_steps")
        return self.again(*fits, f"training.num_steps={num_steps}", "training.budget_seconds=null")

    def with_other_seed(self) -> str:
        """The command that makes such a run with another seed."""
        return self.again(f"training.seed={self.run.setting('training.seed', 0) + 1}")

    def warmed_up(self) -> str:
        """The command that makes such a run with the learning rate rising at first."""
        return self.again(*self._unset("training.num_warmup_steps"), "training.warmup_ratio=0.05")

    def lengthened(self, max_seq_length: int) -> str:
        """The command that goes on from this run's model with examples of another length.

        A tenth of all updates, as in the paper.
        """
        changes = (
            "phases=null",
            f"examples.max_seq_length={max_seq_length}",
            *self._unset("examples.max_predictions_per_seq"),
            *self._unset("training.num_warmup_steps"),
            *self._unset("training.budget_seconds"),
            f"training.num_steps={max(1, self.run.step // 9)}",
        )
        return self._command(["pretrain", self.store, "--init", str(self.run.path)], changes)

    def _unset(self, path: str) -> tuple[str, ...]:
        return () if self.run.setting(path) is None else (f"{path}=null",)

    def _command(self, start: Sequence[str], changes: Sequence[str]) -> str:
        options = [part for change in changes for part in ("--set", change)]
        recipe = ["--recipe", str(self.run.path / "recipe.yaml")]
        return shlex.join(["bertsmith", *start, *recipe, *options, "-o", "runs/next"])

    @property
    def store(self) -> str:
        """The store's folder."""
        return str(self.fact("store") or "STORE")


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
