"""A masked-LM loss that sticks where context isn't used: about 7 nats.

**Source**: google-research/bert, issues 746 and 968; huggingface/transformers, issue 4449.
"""

import shlex
from bisect import bisect_right
from collections.abc import Iterator

from bertsmith._words import counted
from bertsmith.doctor.finding import Finding, Limits
from bertsmith.doctor.run_commands import FEW_UPDATES
from bertsmith.doctor.run_measures import ABOVE_UNIGRAM, BELOW_PLATEAU, RunMeasures

__all__ = ["check"]

# How far below the unigram baseline, in nats.
PLATEAU_LIMITS = Limits(warning=BELOW_PLATEAU, problem=0.3, below=True)
_LOWEST_RATE = 2e-5
_FEW_TOKENS = 1_300_000


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds that a masked LM has learned frequencies and no context."""
    loss, unigram = measures.last_loss, measures.unigram_loss
    if measures.loss_name != "mlm_loss" or loss is None or unigram is None:
        return
    below = unigram - loss
    crossed = PLATEAU_LIMITS.crossed(below)
    if crossed is None or below < -ABOVE_UNIGRAM or measures.blew_up:
        return
    if _has_left_since(measures, unigram):
        return
    severity, limit = crossed
    if measures.fraction < 0.5 and measures.last_loss_step < FEW_UPDATES:
        severity = "info"  # where every run has been
    causes = list(_causes(measures))
    reasons = "; ".join(reason for reason, _ in causes)
    side = "below" if below >= 0 else "above"
    yield Finding(
        "mlm_plateau",
        severity,
        f"the MLM loss is {loss:.2f} nats after {counted(measures.last_loss_step, 'update')}, "
        f"{abs(below):.2f} {side} the {unigram:.2f} of a model that knows no context",
        below,
        limit,
        effect="The model has learned how frequent tokens are and hardly looks at the context. "
        "Every BERT stays at this plateau for a while at first; one that doesn't leave it is worth "
        "no more than a table of frequencies, whatever it is fine-tuned on.",
        remedy=f"Likely here: {reasons}.",
        command=causes[0][1],
    )


def _has_left_since(measures: RunMeasures, unigram: float) -> bool:
    """Whether the training loss, still there at the last evaluation, has fallen after it.

    One that was low then already says nothing: the text is learned by heart.
    """
    steps, losses = measures.losses
    until = bisect_right(steps, measures.last_loss_step)
    limit = unigram - BELOW_PLATEAU
    return 0 < until < len(losses) and losses[-1] < limit <= losses[until - 1]


def _causes(measures: RunMeasures) -> Iterator[tuple[str, str]]:
    """What may hold it there, the likeliest first, each with the command against it."""
    rate, highest = measures.learning_rate, measures.highest_rate
    if rate > highest:
        yield (
            f"a learning rate of {rate:g}, over {highest:g} for this size",
            measures.slower(4),
        )
    elif rate < _LOWEST_RATE and measures.is_fresh:
        yield (
            f"a learning rate of {rate:g}, too low to leave fresh weights",
            measures.again(f"training.learning_rate={min(1e-4, highest):g}"),
        )
    if not measures.has_warmup and measures.is_fresh:
        yield (
            "no warm-up: Adam's first steps are too long",
            measures.warmed_up(),
        )
    unknown = measures.fact("unknown_rate") or 0.0
    if unknown >= 0.02:
        yield (
            f"a vocabulary that doesn't fit: {unknown:.0%} of the tokens are [UNK]",
            f"bertsmith doctor store {shlex.quote(measures.store)}",
        )
    if (measures.pairs_majority or 0.0) >= 0.7:
        yield (
            "documents of one sentence, so that nearly all pairs are random",
            measures.without_pairs(),
        )
    tokens = measures.fact("num_tokens") or 0
    if tokens and (tokens < _FEW_TOKENS or not measures.has_text_for_more):
        yield (
            f"little text, {tokens:,} tokens",
            f"bertsmith doctor store {shlex.quote(measures.store)}",
        )
    if tokens and not measures.has_text_for_more:
        return  # more of the same text tells no more
    yield (
        "too few updates" if measures.run.step < FEW_UPDATES else "more updates will tell",
        measures.longer(),
    )
