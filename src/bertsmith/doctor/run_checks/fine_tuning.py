"""Fine-tuning that learned nothing of the task, and what is the likely reason."""

import math
from collections.abc import Iterator

from bertsmith.doctor.finding import Finding, Limits, Severity, percent
from bertsmith.doctor.run_measures import RunMeasures

__all__ = ["check"]

# How far the score on dev is below that of always giving the same answer.
CHANCE_LIMITS = Limits(problem=0.0)
# The share of the first training loss that is still there at the end.
LEFT_LIMITS = Limits(warning=0.9, problem=0.98)
# Times the highest rate that such a model bears, of tasks without such an answer.
BEYOND_LIMITS = Limits(warning=5)
_FEWEST_LINES = 4
_FEW_UPDATES = 50
_LARGE = 300_000_000
# With a tenth of a sound rate the weights hardly move.
_SLOW = 0.1
# With so little of the loss left, what is in the training data was learned.
_LEARNED = 0.5


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds that the answers are those of a model that hasn't read the question."""
    if measures.is_pretraining:
        return
    if (seen := _at_chance(measures) or _loss_left(measures)) is not None:
        title, severity, value, limit = seen
        causes = list(_causes(measures))
        yield Finding(
            "not_learned",
            severity,
            title,
            value,
            limit,
            effect="The model hardly looks at what it is asked: its answers are worth no more "
            "than ones that are always the same.",
            remedy=f"Likely here: {'; '.join(reason for reason, _ in causes)}.",
            command=causes[0][1],
        )
    elif measures.fact("least_score") is None:
        yield from _beyond(measures)


def _at_chance(measures: RunMeasures) -> tuple[str, Severity, float, float] | None:
    metric = measures.run.main_metric or ""
    score, least = measures.run.scores.get(metric), measures.fact("least_score")
    if score is None or least is None:
        return None
    if (crossed := CHANCE_LIMITS.crossed(least - score)) is None:
        return None
    title = (
        f"{metric} {score:.4f} on dev is no better than always giving the same answer ({least:.4f})"
    )
    severity = crossed[0] if measures.run.is_finished else "info"
    return title, severity, least - score, crossed[1]


def _loss_left(measures: RunMeasures) -> tuple[str, Severity, float, float] | None:
    left = _left(measures)
    if left is None or (crossed := LEFT_LIMITS.crossed(left)) is None:
        return None
    last = measures.losses[1][-1]
    finished = measures.run.is_finished
    when = "at the end" if finished else f"after {percent(measures.fraction)} of the run"
    title = f"{left:.0%} of the training loss is still there {when} ({last:.3f})"
    return title, crossed[0] if finished else "info", left, crossed[1]


def _left(measures: RunMeasures) -> float | None:
    """The share of the first training losses that is left; None where few are logged."""
    losses = measures.losses[1]
    if len(losses) < _FEWEST_LINES or losses[0] <= 0:
        return None
    return losses[-1] / max(losses[: max(1, len(losses) // 4)])


def _causes(measures: RunMeasures) -> Iterator[tuple[str, str]]:
    """What may be the reason, the likeliest first, each with the command against it."""
    rate, highest, sound = measures.learning_rate, measures.highest_rate, measures.sound_rate
    if not measures.run.is_finished and rate <= highest:
        yield "a run that isn't at its end", measures.go_on()
    if rate > highest:
        yield (
            f"a learning rate of {rate:g}, over {highest:g} for fine-tuning a model of this size "
            "(the paper takes 2e-5 to 5e-5 for base and large)",
            measures.slower(2),
        )
    elif rate < _SLOW * sound:
        yield (
            f"a learning rate of {rate:g}, too low to learn by",
            measures.again(f"training.learning_rate={sound:g}"),
        )
    if measures.run.of_run("from_scratch"):
        yield "fresh weights (--from-scratch) instead of pre-trained ones", measures.pretrained()
    if measures.run.setting("training.freeze_layers") is not None:
        yield "layers that are frozen", measures.again("training.freeze_layers=null")
    updates, epochs = measures.run.step, measures.epochs
    if updates < _FEW_UPDATES and epochs:
        more = math.ceil(2 * _FEW_UPDATES / updates * epochs)
        yield (
            f"too few updates, {updates}",
            measures.again(f"training.num_epochs={more}"),
        )
    left = _left(measures)
    if left is not None and left < _LEARNED and rate <= highest:
        yield (
            f"a dev set that is unlike the training data, of whose loss only {left:.0%} is left",
            "",
        )
    if (measures.fact("num_parameters") or _LARGE) >= _LARGE:
        reason = "chance: on small sets some seeds of BERT-large fail by themselves"
    else:
        reason = "chance on a small set, or a model that is small or was pre-trained for too short"
    yield reason, measures.with_other_seed()


def _beyond(measures: RunMeasures) -> Iterator[Finding]:
    """Where no answer that is always the same tells what chance is."""
    rate, highest = measures.learning_rate, measures.highest_rate
    if (crossed := BEYOND_LIMITS.crossed(rate / highest)) is not None:
        yield Finding(
            "learning_rate_too_high",
            crossed[0],
            f"the learning rate is {rate:g}, over {highest:g} for fine-tuning a model of this size",
            rate / highest,
            crossed[1],
            effect="After some updates of such a length nothing is left of what pre-training "
            "taught, and nothing is learned instead.",
            remedy="Lower it; the paper takes 2e-5 to 5e-5 for base and large.",
            command=measures.slower(2),
        )
