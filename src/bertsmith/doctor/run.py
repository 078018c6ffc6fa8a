"""Examining a training run, while it goes on or when it is over."""

from pathlib import Path

from bertsmith._words import counted
from bertsmith.doctor import run_checks
from bertsmith.doctor.examination import Examination, Fact
from bertsmith.doctor.finding import percent
from bertsmith.doctor.lookup import findings_of
from bertsmith.doctor.run_measures import RunMeasures
from bertsmith.tasks import with_main_metric
from bertsmith.training import read_run

__all__ = ["examine_run"]

_OLD = "machine, data and epochs, because the log is of an older version"


def examine_run(folder: str | Path) -> Examination:
    """Looks for what keeps a run from learning, or from being fast.

    Only the recipe and the log are read, and whether there is a model or a checkpoint.

    Args:
        folder: a run of pre-training or fine-tuning.

    Raises:
        TrainingError: it is no run, or hasn't begun.
    """
    measures = RunMeasures(with_main_metric(read_run(Path(folder))))
    findings = findings_of(run_checks, measures)
    unchecked = [] if measures.run.facts else [_OLD]
    if number := measures.run.num_unreadable:
        unchecked.append(f"{counted(number, 'line')} of the log, because they can't be read")
    if untold := _untold(measures):
        unchecked.append(f"whether it learns {untold}, because it hasn't been evaluated yet")
    return Examination("run", str(folder), _facts(measures), (), findings, tuple(unchecked))


def _untold(measures: RunMeasures) -> str:
    """What the first evaluation of a pre-training run will tell."""
    if not measures.is_pretraining or measures.run.of_kind("evaluation"):
        return ""
    context = ["context"] if measures.unigram_loss is None else []
    pairs = ["pairs"] if measures.run.setting("examples.next_sentence", True) else []
    return " and ".join(context + pairs)


def _facts(measures: RunMeasures) -> tuple[Fact, ...]:
    run = measures.run
    facts = [
        Fact("step", run.step, "updates", f"{run.step:,}, {percent(measures.fraction)} of the run"),
        Fact("seconds", run.seconds, "training", f"{run.seconds:,.0f} s"),
    ]
    if measures.epochs is not None:
        facts.append(Fact("epochs", measures.epochs, "epochs", f"{measures.epochs:,.2f}"))
    for name, value in run.scores.items():
        shown = percent(value) if name.endswith("_accuracy") else f"{value:.3f}"
        facts.append(Fact(name, value, f"held out: {name.replace('_', ' ')}", shown))
    for name, label, form in (
        ("tokens_per_second", "real tokens a second", "{:,.0f}"),
        ("mfu", "share of the hardware's limit", "{:.1%}"),
        ("waiting_share", "time waiting for data", "{:.2%}"),
    ):
        median = measures.run.median(name)
        if median is not None:
            facts.append(Fact(name, median, label, form.format(median)))
    for name in ("device", "precision"):
        if measures.fact(name):
            facts.append(Fact(name, measures.fact(name), name, str(measures.fact(name))))
    return tuple(facts)
