"""A learning rate that is too high or too low, seen from what the loss does."""

from collections.abc import Iterator

from bertsmith._words import counted
from bertsmith.doctor.finding import Finding, Limits
from bertsmith.doctor.run_measures import ABOVE_UNIGRAM, HIGHEST_AT_ONCE, RunMeasures

__all__ = ["check"]

# How far the smoothed training loss ends above its lowest; from 1 nat on it has diverged.
RISE_LIMITS = Limits(warning=0.15, problem=0.4)
_DIVERGED = 1.0
# How far above the unigram baseline a run ends.
ABOVE_LIMITS = Limits(warning=ABOVE_UNIGRAM, problem=1.0)
# What a loss above that means, and what to do: from fresh weights, and from a model.
_FRESH = (
    "Not even how frequent tokens are has been learned, which takes a few hundred updates: the "
    "weights have hardly moved from where they were drawn.",
    "Raise the learning rate (1e-4 for base and large, up to 2e-3 for tiny), or train for longer.",
)
_STARTED = (
    "Not even how frequent tokens are is known: the model that the run started from came without a "
    "masked-LM head, or knows other text, and too few updates were made, or too short ones, to "
    "learn it.",
    "Start from a model with its masked-LM head, as pre-training leaves it, or train for longer.",
)
# What a model that is trained already bears well.
_FURTHER = 5e-5
WARMUP_LIMITS = Limits(warning=HIGHEST_AT_ONCE)


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds learning rates that don't fit."""
    yield from _beyond(measures) if measures.blew_up else _too_high(measures)
    yield from _too_low(measures)
    yield from _no_warmup(measures)


def _beyond(measures: RunMeasures) -> Iterator[Finding]:
    """A rate that no such model bears, and nothing was learned."""
    rate, highest = measures.learning_rate, measures.highest_rate
    loss, unigram = measures.last_loss, measures.unigram_loss
    if measures.went_over or loss is None or unigram is None:
        return  # then divergence tells
    yield Finding(
        "learning_rate_too_high",
        "problem",
        f"the learning rate is {rate:g}, over {highest:g} for this size, and after "
        f"{counted(measures.last_loss_step, 'update')} the loss is {loss:.2f} nats, "
        f"{loss - unigram:.2f} above that of a model that knows no context ({unigram:.2f})",
        loss - unigram,
        ABOVE_UNIGRAM,
        effect="Steps of such a length throw the weights about from the first updates on, and not "
        "even how frequent tokens are is learned.",
        remedy="Begin again with a lower learning rate.",
        command=measures.slower(2),
    )


def _too_high(measures: RunMeasures) -> Iterator[Finding]:
    steps, losses = measures.rising_losses
    if not losses:
        return
    lowest = min(losses)
    rise = losses[-1] - lowest
    crossed = RISE_LIMITS.crossed(rise)
    if crossed is None or rise >= _DIVERGED or not measures.is_pretraining:
        return
    yield Finding(
        "learning_rate_too_high",
        crossed[0],
        f"the training loss rose again, from {lowest:.2f} at step "
        f"{steps[losses.index(lowest)]:,.0f} to {losses[-1]:.2f}",
        rise,
        crossed[1],
        effect="At its peak the learning rate throws the weights about more than the gradients "
        "improve them. What was learned during warm-up is lost, and comes back only when the rate "
        "has come down, if at all.",
        remedy="Halve the learning rate; or warm up for longer, or take larger batches.",
        command=measures.slower(2),
    )


def _too_low(measures: RunMeasures) -> Iterator[Finding]:
    loss, unigram = measures.last_loss, measures.unigram_loss
    if loss is None or unigram is None or measures.blew_up:
        return
    above = loss - unigram
    crossed = ABOVE_LIMITS.crossed(above)
    losses = measures.rising_losses[1]
    if crossed is None or not losses or losses[-1] - min(losses) >= _DIVERGED:
        return
    if losses[-1] < unigram:
        return  # that was learned, by heart
    severity = crossed[0] if measures.fraction > 0.5 else "info"
    effect, remedy = _FRESH if measures.is_fresh else _STARTED
    yield Finding(
        "learning_rate_too_low",
        severity,
        f"after {counted(measures.last_loss_step, 'update')} the loss is {loss:.2f} nats, "
        f"{above:.2f} above that of a model that knows no context ({unigram:.2f})",
        above,
        crossed[1],
        effect=effect,
        remedy=remedy,
        command=_faster(measures),
    )


def _faster(measures: RunMeasures) -> str:
    """Ten times the rate, or a sound one where that is far higher; else more updates."""
    if not measures.is_fresh:
        is_low = measures.learning_rate < _FURTHER / 2
        return (
            measures.again(f"training.learning_rate={_FURTHER:g}") if is_low else measures.longer()
        )
    higher = min(10 * measures.learning_rate, measures.sound_rate)
    higher = measures.sound_rate if measures.is_timid else higher
    if higher > 1.5 * measures.learning_rate:
        return measures.again(f"training.learning_rate={higher:.2g}")
    return measures.longer()  # for frequencies any text is enough


def _no_warmup(measures: RunMeasures) -> Iterator[Finding]:
    rate = measures.learning_rate
    if measures.has_warmup or not measures.is_fresh:
        return
    if (crossed := WARMUP_LIMITS.crossed(rate)) is not None:
        yield Finding(
            "no_warmup",
            crossed[0],
            f"the learning rate is {rate:g} from the first update on",
            rate,
            crossed[1],
            effect="Adam divides by an average of squared gradients that it doesn't know yet, so "
            "that its first steps are as long as the learning rate allows, in nearly random "
            "directions. LayerNorm behind every sum (as BERT has it) makes that worse.",
            remedy="Let the rate rise over the first percents of the run; the paper takes 10,000 "
            "updates of a million.",
            command=measures.warmed_up(),
        )
