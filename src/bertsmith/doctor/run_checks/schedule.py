"""Runs that are short, stopped early, or leave part of the model untrained."""

from collections.abc import Iterator

from bertsmith._words import counted
from bertsmith.doctor.finding import Finding, Limits, percent
from bertsmith.doctor.run_commands import FEW_UPDATES
from bertsmith.doctor.run_measures import RunMeasures

__all__ = ["check"]

# The share of the peak that the learning rate still has at the end.
LEFT_LIMITS = Limits(warning=0.1)
# Fresh weights; leaving the plateau alone takes thousands.
SHORT_LIMITS = Limits(warning=FEW_UPDATES, problem=500, below=True)
_INIT = "go on from a pre-trained model with --init"
POSITION_LIMITS = Limits(info=0.01, warning=0.5)


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds runs that are not what their recipe says, or not long enough."""
    yield from _unfinished(measures)
    yield from _short(measures)
    yield from _positions(measures)


def _unfinished(measures: RunMeasures) -> Iterator[Finding]:
    rates = measures.run.series("train", "learning_rate")[1]
    if not rates or max(rates) <= 0:
        return
    finished = measures.run.is_finished
    if not finished and (measures.blew_up or measures.was_stopped or not measures.is_rate_up):
        return  # nothing is won by going on, or it can't; or that is to come yet
    if finished and measures.run.setting("training.schedule", "linear") != "constant":
        return  # it ends by itself; of few updates the last is far from the end
    left = rates[-1] / max(rates)
    if (crossed := LEFT_LIMITS.crossed(left)) is not None:
        yield Finding(
            "unfinished_schedule",
            crossed[0] if finished else "info",
            f"the learning rate still has {percent(left)} of its peak after "
            f"{percent(measures.fraction)} of the run",
            left,
            crossed[1],
            effect="While the rate comes down the loss falls faster than at any other time: the "
            "weights settle. A model that is taken before is several tenths of a nat worse than "
            "the same time would have given with a schedule that ends.",
            remedy="Let the schedule end." if finished else "Give the same command to go on.",
            command=measures.again("training.schedule=linear") if finished else measures.go_on(),
        )


def _short(measures: RunMeasures) -> Iterator[Finding]:
    if not (measures.is_fresh and measures.run.is_finished):
        return
    if (crossed := SHORT_LIMITS.crossed(measures.run.step)) is not None:
        epochs = measures.epochs_of_enough
        yield Finding(
            "short_run",
            crossed[0],
            f"the whole run has {counted(measures.run.step, 'update')}",
            measures.run.step,
            crossed[1],
            effect="Fresh weights need thousands of updates to find out that context matters at "
            "all, and the model's use grows long after. The paper's run has a million.",
            remedy=f"Train for longer, or {_INIT}."
            if measures.has_text_for_more
            else f"More updates would go "
            f"through the text {epochs:,.0f} times: add text, or {_INIT}.",
            command=measures.more_updates(),
        )


def _positions(measures: RunMeasures) -> Iterator[Finding]:
    longest = measures.longest
    positions = measures.run.setting("model.max_position_embeddings")
    if not longest or not positions or not measures.is_fresh:
        return
    share = 1 - longest / positions
    if (crossed := POSITION_LIMITS.crossed(share)) is not None:
        yield Finding(
            "untrained_positions",
            crossed[0],
            f"the model has {positions} positions, and no example is longer than {longest} tokens",
            share,
            crossed[1],
            effect="The position embeddings above are what they were drawn as. The model says of "
            "itself that it takes longer texts, and on them it works badly without a word.",
            remedy="Train the last tenth of the run at full length, as the paper does, or give the "
            "model as many positions as it is trained on.",
            command=measures.lengthened(positions),
        )
