"""Next-sentence prediction that learns nothing, or has nothing to learn."""

from collections.abc import Iterator

from bertsmith.doctor.finding import Finding, Limits, percent
from bertsmith.doctor.run_measures import RunMeasures

__all__ = ["check"]

# Points over always giving the more frequent label.
CHANCE_LIMITS = Limits(warning=0.03, below=True)
# Half by a coin, and chunks of one sentence besides: 55 % in English Wikipedia.
RANDOM_LIMITS = Limits(warning=0.7, problem=0.9)


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds pairs that teach nothing."""
    yield from _chance(measures)
    yield from _random_pairs(measures)


def _chance(measures: RunMeasures) -> Iterator[Finding]:
    scores = measures.run.scores
    if "nsp_accuracy" not in scores or "majority_accuracy" not in scores or measures.blew_up:
        return  # a run that blew up has one illness, which is told
    accuracy, majority = scores["nsp_accuracy"], scores["majority_accuracy"]
    if (crossed := CHANCE_LIMITS.crossed(accuracy - majority)) is not None:
        is_order = measures.run.setting("examples.pair_labels") == "order"
        name = "sentence-order" if is_order else "next-sentence"
        yield Finding(
            "nsp_at_chance",
            crossed[0] if measures.fraction > 0.5 else "info",
            f"{name} accuracy is {percent(accuracy)}, and {percent(majority)} of always "
            "saying the same",
            accuracy - majority,
            crossed[1],
            effect="[CLS] and the pooler are trained by this objective alone. At chance they say "
            "nothing about a text, and fine-tuning on sentences starts with a pooler that is as "
            "good as fresh. It leaves chance after masked LM has left its plateau.",
            remedy="Look at the pairs (one-sentence documents, text in no order), or leave pairs "
            "out."
            if measures.left_plateau
            else "Train for longer, on more text where there is little: masked LM hasn't left its "
            "plateau either.",
            command=measures.without_pairs() if measures.left_plateau else measures.more_updates(),
        )


def _random_pairs(measures: RunMeasures) -> Iterator[Finding]:
    majority = measures.pairs_majority
    if majority is None:
        return
    if (crossed := RANDOM_LIMITS.crossed(majority)) is not None:
        yield Finding(
            "uneven_pairs",
            crossed[0],
            f"{percent(majority)} of the held-out pairs have the same label",
            majority,
            crossed[1],
            effect="A lone sentence is always paired with random text. Saying so every time is "
            "then right so often that next-sentence prediction has nothing to learn from, and a "
            "short first segment gives the answer away.",
            remedy="Look at the documents (`bertsmith doctor store`), or pre-train without pairs.",
            command=measures.without_pairs(),
        )
