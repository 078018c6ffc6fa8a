"""What a run's curves and settings say: what it learned, and what its learning rate did to it."""

import math
import shlex

from bertsmith.doctor.measured_curves import RunCurves

__all__ = [
    "ABOVE_UNIGRAM",
    "BELOW_PLATEAU",
    "HIGHEST_AT_ONCE",
    "MANY_EPOCHS",
    "OVER_IGNORANT",
    "OVER_OF_OTHERS",
    "RunMeasures",
]

_STANDARD_ERRORS = 4
# No vocabulary is larger.
_LARGEST_VOCABULARY = 1_000_000
#: How far above ln V a loss is that fresh weights don't have, in nats; those of large start 0.2
#: above.
OVER_IGNORANT = 0.5
#: The same where a model was there before: a head of fresh weights over embeddings that are trained
#: starts a nat above, since their rows are longer.
OVER_OF_OTHERS = 3.0
#: How far below the unigram baseline a run has left the plateau, in nats. Every BERT stays at the
#: baseline for a while and then falls by more than a nat within some hundreds of updates.
BELOW_PLATEAU = 0.6
#: The highest learning rate that needs no warm-up.
HIGHEST_AT_ONCE = 1e-4
#: From so many passes over a text on another one is worth little.
MANY_EPOCHS = 100
#: How far above the unigram baseline a run hasn't come to the plateau, in nats.
ABOVE_UNIGRAM = 0.3
# Within so many updates every run learns how frequent tokens are, when its rate is up.
_FREQUENCIES_KNOWN = 500


class RunMeasures(RunCurves):
    """A run and what is measured about it, each when it is first asked for.

    Args:
        run: its recipe and log.
    """

    @property
    def is_fresh(self) -> bool:
        """Whether it is pre-training that started from fresh weights."""
        return self.is_pretraining and self.has_fresh_layers

    @property
    def unigram_loss(self) -> float | None:
        """What a model has that knows how frequent tokens are, and no context.

        None where the log doesn't say it, or before the first evaluation it is too early for a
        run to have come as far.
        """
        if "unigram_loss" in self.run.scores or not self.is_warm:
            return self.run.scores.get("unigram_loss")
        known: float | None = self.fact("unigram_loss")
        return known

    @property
    def is_warm(self) -> bool:
        """Whether warm-up is over, and so many updates were made as frequencies take."""
        return self.is_rate_up and self.run.step >= _FREQUENCIES_KNOWN

    @property
    def is_rate_up(self) -> bool:
        """Whether the learning rate has come to its peak, as far as the log tells."""
        rates = self.run.series("train", "learning_rate")[1]
        return bool(rates) and (rates[-1] < max(rates) or rates[-1] >= 0.95 * self.learning_rate)

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
    def ignorant_loss(self) -> float:
        """What a model has that knows nothing: ln V, in nats; over that of any where V is unknown.

        Fresh weights start there, and no other way leads far over it than steps that are too long.
        """
        return math.log(self.fact("vocab_size") or _LARGEST_VOCABULARY)

    @property
    def most_over(self) -> float:
        """How far the highest loss of all is above that of a model that knows nothing, in nats."""
        return max(self.seen, default=0.0) - self.ignorant_loss

    @property
    def went_over(self) -> bool:
        """Whether a loss was higher than the run can have begun with."""
        return self.most_over >= self.over_limit

    @property
    def over_limit(self) -> float:
        """How far above ln V a loss is that no run begins with, in nats."""
        return OVER_IGNORANT if self.has_fresh_layers else OVER_OF_OTHERS

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
        if not self.seen:
            return False
        if unigram is None:
            return min(self.seen) >= self.ignorant_loss + self.over_limit
        is_over = self.learning_rate > self.highest_rate
        margin = 0.0 if is_over and self.went_over else ABOVE_UNIGRAM
        return (is_over or self.went_over) and min(self.seen) >= unigram + margin

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

    @property
    def is_under_way(self) -> bool:
        """Whether there will be enough updates if the run goes on, and nothing speaks against."""
        if self.run.is_finished or self.was_stopped or not self.fraction or self._mended(()):
            return False
        return self.run.step / self.fraction >= self.enough_updates

    def more_updates(self) -> str:
        """The command that makes a run of enough updates; with little text, one that shows it."""
        if self.has_text_for_more:
            return self.longer()
        return f"bertsmith doctor store {shlex.quote(self.store)}"

    @property
    def has_warmup(self) -> bool:
        """Whether the learning rate rises from 0."""
        steps = self.run.setting("training.num_warmup_steps")
        return bool(self.run.setting("training.warmup_ratio", 0) if steps is None else steps)
