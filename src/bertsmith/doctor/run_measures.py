"""What is measured about a run: its curves, how far it came, and what it was run on."""

import math
import shlex
import statistics
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

from bertsmith.doctor.run_commands import RunCommands
from bertsmith.tasks import get_task

__all__ = [
    "ABOVE_UNIGRAM",
    "BELOW_PLATEAU",
    "HIGHEST_AT_ONCE",
    "MANY_EPOCHS",
    "OVER_IGNORANT",
    "RunMeasures",
]

#: Steps and values.
Curve = tuple[list[float], list[float]]

_SMOOTHED = 5
_STANDARD_ERRORS = 4
# No vocabulary is larger.
_LARGEST_VOCABULARY = 1_000_000
#: How far above ln V a loss is that fresh weights don't have, in nats; those of large start 0.2
#: above.
OVER_IGNORANT = 0.5
#: How far below the unigram baseline a run has left the plateau, in nats. Every BERT stays at the
#: baseline for a while and then falls by more than a nat within some hundreds of updates.
BELOW_PLATEAU = 0.6
#: The highest learning rate that needs no warm-up.
HIGHEST_AT_ONCE = 1e-4
#: From so many passes over a text on another one is worth little.
MANY_EPOCHS = 100
#: How far above the unigram baseline a run hasn't come to the plateau, in nats.
ABOVE_UNIGRAM = 0.3


class RunMeasures(RunCommands):
    """A run and what is measured about it, each when it is first asked for.

    Args:
        run: its recipe and log.
    """

    @property
    def is_fresh(self) -> bool:
        """Whether it is pre-training that started from fresh weights."""
        return self.is_pretraining and self.has_fresh_layers

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
        return [
            self._last_step(number, end)
            for number, end in enumerate(accumulate(shares[:-1]))
            if end < self.fraction
        ]

    def _last_step(self, number: int, end: float) -> int:
        """The last logged update of a phase, which ends at a share of the run.

        A line of an older log doesn't say its phase. With a budget the line that ends one comes
        after its time; the next of all is of the phase that follows.
        """
        last = 0
        for record in self.run.of_kind("train"):
            if record.get("phase", number) > number:
                break
            last = int(record["step"])
            if "phase" not in record and self._fraction(record) >= end - 1e-9:
                break
        return last

    def phases_of(self, curve: Curve) -> list[Curve]:
        """A curve phase by phase: with sequences of another length losses are others."""
        steps, values = curve
        cuts = [0, *(bisect_right(steps, end) for end in self.phase_ends), len(steps)]
        return [(steps[a:b], values[a:b]) for a, b in pairwise(cuts) if b > a]

    def rising(self, curve: Curve, *, skip: int = 0) -> Curve:
        """The phase in which a curve rose most above its lowest point, and stayed above that.

        Args:
            curve: steps and values.
            skip: how many points at the beginning of each further phase don't count; a phase of
                fewer than twice as many doesn't either.
        """
        first, *further = self.phases_of(curve) or [curve]
        parts = [first, *((s[skip:], v[skip:]) for s, v in further if len(s) > 2 * skip)]
        rose = [(s, v) for s, v in reversed(parts) if v and curve[1][-1] >= min(v)]
        return max(rose, key=lambda part: part[1][-1] - min(part[1]), default=parts[-1])

    @property
    def rising_losses(self) -> Curve:
        """`rising` of the losses in training, without those that aren't smooth yet."""
        return self.rising(self.losses, skip=_SMOOTHED - 1)

    @property
    def last_loss(self) -> float | None:
        """The main loss at the end: on held-out data, or else in training."""
        values = self._last_losses[1]
        return values[-1] if values else None

    @property
    def last_loss_step(self) -> int:
        """The update after which that was measured; what came later isn't in it."""
        steps = self._last_losses[0]
        return int(steps[-1]) if steps else self.run.step

    @property
    def _last_losses(self) -> Curve:
        return self.held_out if self.held_out[1] else self.losses

    @property
    def unigram_loss(self) -> float | None:
        """What a model has that knows how frequent tokens are, and no context."""
        return self.run.scores.get("unigram_loss")

    @property
    def left_plateau(self) -> bool:
        """Whether context is used: the loss is clearly below that of a model that knows none."""
        loss, unigram = self.last_loss, self.unigram_loss
        return loss is not None and unigram is not None and loss < unigram - BELOW_PLATEAU

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
        now = {"step": self.run.step, "seconds": self.run.seconds, "epochs": self.epochs}
        return self._fraction(now)

    def _fraction(self, record: Mapping[str, Any]) -> float:
        budget = self.run.setting("training.budget_seconds")
        if budget:
            return min(1.0, float(record.get("seconds", 0.0)) / float(budget))
        if steps := self.run.setting("training.num_steps"):
            return min(1.0, float(record["step"]) / float(steps))
        epochs = self.run.setting("training.num_epochs")
        if epochs is None and self.run.task is not None:
            epochs = get_task(self.run.task).num_epochs
        return min(1.0, (record.get("epochs") or 0.0) / float(epochs)) if epochs else 0.0

    @property
    def ignorant_loss(self) -> float:
        """What a model has that knows nothing: ln V, in nats; over that of any where V is unknown.

        Fresh weights start there, and no other way leads over it than steps that are too long.
        """
        return math.log(self.fact("vocab_size") or _LARGEST_VOCABULARY)

    @property
    def most_over(self) -> float:
        """How far the highest loss of all is above that of a model that knows nothing, in nats."""
        return max(self._seen, default=0.0) - self.ignorant_loss

    @property
    def went_over(self) -> bool:
        """Whether a loss was higher than fresh weights ever have it."""
        return self.most_over >= OVER_IGNORANT

    @property
    def blew_up(self) -> bool:
        """Whether pre-training was thrown out before it had learned anything.

        In all of the log the loss is above that of a model that knows no context, and either it
        went over ln V, or the learning rate is over what models of the size bear; clearly above,
        unless both hold. Where no evaluation tells what such a model has, the run ended in updates
        that had to be skipped.
        """
        if not self.is_pretraining:
            return False
        unigram = self.unigram_loss
        if unigram is None and self.went_astray:
            return True
        if not self._seen:
            return False
        if unigram is None:
            return min(self._seen) >= self.ignorant_loss + OVER_IGNORANT
        is_over = self.learning_rate > self.highest_rate
        margin = 0.0 if is_over and self.went_over else ABOVE_UNIGRAM
        return (is_over or self.went_over) and min(self._seen) >= unigram + margin

    @property
    def was_stopped(self) -> bool:
        """Whether too many skipped updates ended it."""
        limit = self.run.setting("training.max_skipped_updates", 0)
        return not self.run.is_finished and len(self.run.of_kind("skipped")) > limit

    @property
    def went_astray(self) -> bool:
        """Whether that was under a learning rate that no such model bears."""
        return self.was_stopped and self.learning_rate > self.highest_rate

    @property
    def is_useless(self) -> bool:
        """Whether it blew up, or has a rate that is too high and learned nothing, as it seems."""
        if self.blew_up or self.learning_rate <= self.highest_rate:
            return self.blew_up
        if self.is_pretraining:
            loss, unigram = self.last_loss, self.unigram_loss
            return loss is None or (unigram is not None and loss > unigram - ABOVE_UNIGRAM)
        least, score = self.fact("least_score"), self.run.scores.get(self.run.main_metric or "")
        if score is None:
            return self.went_astray
        return least is not None and score <= least

    @property
    def is_timid(self) -> bool:
        """Whether fresh weights have hardly moved, under a learning rate far below sound ones."""
        loss, unigram = self.last_loss, self.unigram_loss
        is_low = self.is_fresh and self.learning_rate < self.sound_rate / 10
        return is_low and loss is not None and unigram is not None and loss > unigram

    @property
    def lacks_warmup(self) -> bool:
        """Whether fresh weights met a learning rate in their first update that is too high then."""
        return self.is_fresh and not self.has_warmup and self.learning_rate >= HIGHEST_AT_ONCE

    @property
    def epochs_of_enough(self) -> float:
        """How often enough updates would go through the text; 0 where that isn't known."""
        return (self.epochs or 0.0) * self.enough_updates / max(self.run.step, 1)

    @property
    def has_text_for_more(self) -> bool:
        """Whether there is text for enough updates; else more of them tell little."""
        return self.epochs_of_enough < MANY_EPOCHS

    def more_updates(self) -> str:
        """The command that makes a run of enough updates; with little text, one that shows it."""
        if self.has_text_for_more:
            return self.longer()
        return f"bertsmith doctor store {shlex.quote(self.store)}"

    @property
    def _seen(self) -> list[float]:
        return [*self.losses[1], *self.held_out[1]]

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
