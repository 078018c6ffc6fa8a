"""Too little text, gone through too often, learned by heart; text that is [UNK]."""

import shlex
from collections.abc import Iterator

from bertsmith.doctor.finding import Finding, Limits, percent
from bertsmith.doctor.run_measures import MANY_EPOCHS, RunMeasures

__all__ = ["check"]

# How far the held-out loss ends above its lowest, in nats.
OVERFITTING_LIMITS = Limits(warning=0.05, problem=0.3)
# The paper's run has 40; masks are fresh in each, so that more do no harm for long.
EPOCH_LIMITS = Limits(warning=MANY_EPOCHS, problem=400)
# As for a store.
UNKNOWN_LIMITS = Limits(warning=0.01, problem=0.1)


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds what the text does to a run."""
    yield from _overfitting(measures)
    yield from _epochs(measures)
    yield from _unknown(measures)


def _overfitting(measures: RunMeasures) -> Iterator[Finding]:
    steps, losses = measures.rising(measures.held_out)
    training = measures.rising_losses[1]
    if len(losses) < 2 or not training or training[-1] - min(training) >= 0.1:
        return  # where training rises too it is something else
    if measures.unigram_loss is not None and training[-1] >= measures.unigram_loss:
        return  # nothing was learned, so nothing by heart
    lowest = min(losses)
    rise = losses[-1] - lowest
    if (crossed := OVERFITTING_LIMITS.crossed(rise)) is not None:
        best = steps[losses.index(lowest)]
        yield Finding(
            "overfitting",
            crossed[0],
            f"the held-out loss rose from {lowest:.2f} at step {best:,.0f} to {losses[-1]:.2f}, "
            f"while the training loss is {training[-1]:.2f}",
            rise,
            crossed[1],
            effect="The model learns the text by heart: what it gains on text that it has seen it "
            "loses on all other. What comes after the lowest point makes it worse, not better.",
            remedy=f"Stop at step {best:,.0f}, add text, take a smaller model, or more dropout.",
            command=measures.longer(round(best)),
        )


def _epochs(measures: RunMeasures) -> Iterator[Finding]:
    epochs = measures.epochs
    if epochs is None or not measures.is_pretraining:
        return
    if (crossed := EPOCH_LIMITS.crossed(epochs)) is not None:
        yield Finding(
            "many_epochs",
            crossed[0],
            f"the run has gone through its text {epochs:,.0f} times",
            epochs,
            crossed[1],
            effect="Masks and pairs are fresh every time, but the words are the same. The paper's "
            "run has 40 epochs; after some sixteen each further one is worth less and less "
            "(Muennighoff et al. 2023), and a model that is large for its text learns it by heart.",
            remedy="Add text, or go on from a pre-trained model instead of fresh weights.",
            command=f"bertsmith plan --store {shlex.quote(measures.store)} --measure --hours 1",
        )


def _unknown(measures: RunMeasures) -> Iterator[Finding]:
    rate = measures.fact("unknown_rate")
    if rate is None:
        return
    if (crossed := UNKNOWN_LIMITS.crossed(rate)) is not None:
        yield Finding(
            "unknown_tokens",
            crossed[0],
            f"{percent(rate)} of the store's tokens are [UNK]",
            rate,
            crossed[1],
            effect="What those words said is gone from the text, and as a masked token [UNK] is a "
            "right answer that says nothing: it flatters the MLM accuracy and lowers the loss.",
            remedy="Learn the vocabulary from this text, and prepare it again.",
            command=f"bertsmith doctor store {shlex.quote(measures.store)}",
        )
