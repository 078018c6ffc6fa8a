"""A loss that runs away, jumps, or is no number."""

import statistics
from collections.abc import Iterator

from bertsmith._words import counted
from bertsmith.doctor.finding import Example, Finding, Limits
from bertsmith.doctor.run_measures import RunMeasures

__all__ = ["check"]

# How far the smoothed loss ends above its lowest, in nats.
DIVERGENCE_LIMITS = Limits(problem=1.0)
SKIPPED_LIMITS = Limits(warning=1, problem=10)
SPIKE_LIMITS = Limits(info=1, warning=3)
# A log line is a spike if it is this many nats over the median of the eight before it, and more
# than this many times their spread.
_SPIKE_NATS, _SPIKE_SPREADS, _BEFORE = 0.5, 6.0, 8
_SHOWN = 3


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds runs that went astray."""
    yield from _blew_up(measures) if measures.blew_up else _diverged(measures)
    yield from _skipped(measures)
    yield from _spikes(measures)


def _blew_up(measures: RunMeasures) -> Iterator[Finding]:
    """Before the first line of the log, so that the loss may well have fallen since."""
    loss = measures.last_loss
    if loss is None or not measures.went_over:
        return  # then learning_rate tells
    limit = f"{measures.ignorant_loss:.2f} nats"
    knows_nothing = f"the {limit} of" if measures.fact("vocab_size") else f"{limit}, far over"
    yield Finding(
        "diverged",
        "problem",
        f"the loss is {loss:,.2f} nats after {counted(measures.last_loss_step, 'update')}, "
        f"and was over {knows_nothing} a model that knows nothing{_too_fast(measures)}",
        measures.most_over,
        measures.over_limit,
        effect="The first updates threw the weights far from where they were drawn. From there "
        "they seldom come back: if the loss falls, then only towards what guessing gives, and "
        "the time is lost.",
        remedy="Begin again with a lower learning rate; no checkpoint of this run is of use.",
        command=measures.slower(3),
    )


def _too_fast(measures: RunMeasures) -> str:
    rate, highest = measures.learning_rate, measures.highest_rate
    return f"; the learning rate is {rate:g}, over {highest:g} for this size" * (rate > highest)


def _diverged(measures: RunMeasures) -> Iterator[Finding]:
    steps, losses = measures.rising_losses
    if not losses:
        return
    lowest = min(losses)
    rise = losses[-1] - lowest
    if measures.loss_name == "regression_loss" and rise < lowest:
        return  # squares of scores of any size, and not twice what they were
    if (crossed := DIVERGENCE_LIMITS.crossed(rise)) is not None:
        at = steps[losses.index(lowest)]
        yield Finding(
            "diverged",
            crossed[0],
            f"the training loss rose from {lowest:.2f} at step {at:,.0f} to {losses[-1]:.2f} at "
            f"step {steps[-1]:,.0f}",
            rise,
            crossed[1],
            effect="The weights have left where they were good, and seldom come back by "
            "themselves: what is trained from there on is worse than what was there before, and "
            "the time is lost.",
            remedy="Go back to a checkpoint from before the rise, and lower the learning rate or "
            "warm up for longer.",
            command=measures.slower(3),
        )


def _skipped(measures: RunMeasures) -> Iterator[Finding]:
    skipped = measures.run.of_kind("skipped")
    if (crossed := SKIPPED_LIMITS.crossed(len(skipped))) is not None:
        yield Finding(
            "skipped_updates",
            crossed[0],
            f"{counted(len(skipped), 'update')} skipped, because the loss or gradient was no "
            f"number or a spike{_too_fast(measures)}",
            len(skipped),
            crossed[1],
            effect="A single batch may be at fault (broken text, one token a thousand times). "
            "Many in a row mean that the weights are: the learning rate is too high, or a number "
            "format with too little range.",
            remedy="Look at the examples that the log names; if they are sound, lower the "
            "learning rate.",
            command=measures.slower(2),
            examples=tuple(
                Example(f"step {record['step']}: {record.get('reason', 'skipped')}")
                for record in skipped[:_SHOWN]
            ),
        )


def _spikes(measures: RunMeasures) -> Iterator[Finding]:
    steps, losses = measures.run.series("train", measures.loss_name)
    spikes = []
    for place in range(_BEFORE, len(losses)):
        if any(steps[place - _BEFORE] <= end < steps[place] for end in measures.phase_ends):
            continue  # what was before is of another phase
        before = losses[place - _BEFORE : place]
        middle = statistics.median(before)
        spread = statistics.median(abs(loss - middle) for loss in before)
        if losses[place] - middle > max(_SPIKE_NATS, _SPIKE_SPREADS * spread):
            spikes.append((steps[place], losses[place]))
    if (crossed := SPIKE_LIMITS.crossed(len(spikes))) is not None:
        yield Finding(
            "loss_spikes",
            crossed[0],
            f"the training loss jumped by over {_SPIKE_NATS} nats in "
            f"{counted(len(spikes), 'log line')}",
            len(spikes),
            crossed[1],
            effect="After a spike a run needs hundreds of updates to be where it was, and each "
            "may be the one from which it doesn't come back. Most come from a learning rate at "
            "the limit, or from a batch of broken text.",
            remedy="Lower the learning rate, or clip gradients harder; look at what the store "
            "holds.",
            command=measures.slower(2, "training.max_grad_norm=0.5"),
            examples=tuple(
                Example(f"step {step:,.0f}: {loss:.2f}") for step, loss in spikes[:_SHOWN]
            ),
        )
