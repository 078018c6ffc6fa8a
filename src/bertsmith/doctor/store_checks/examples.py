"""What an epoch's examples are like: labels, masks, what is trimmed away, lengths."""

from collections.abc import Iterator

from bertsmith.doctor.finding import Finding, Limits, percent
from bertsmith.doctor.store_measures import EpochMeasures, StoreMeasures

__all__ = ["check"]

# Half by a coin, and all chunks of a single sentence besides: 55 % in English Wikipedia, 58 % in
# Chinese at length 128.
LABEL_LIMITS = Limits(warning=0.7, problem=0.9)
# How far the share of tokens to predict may be from the setting: rounding and the limit of
# predictions leave 14.9 % at length 128 and 15.0 % at 512 of Wikipedia.
MASK_LIMITS = Limits(warning=0.02, problem=0.06)
# 8 % of English Wikipedia, 14 % of books and 16 % of Chinese Wikipedia are in no example of an
# epoch at length 128; other epochs cut elsewhere.
TRUNCATION_LIMITS = Limits(warning=0.3, problem=0.6)
# Where fewer than these examples reach half of 512, the positions above are hardly trained.
LONG_LIMITS = Limits(warning=0.1, below=True)


def check(measures: StoreMeasures) -> Iterator[Finding]:
    """Finds what is wrong with the examples."""
    yield from _pair_labels(measures)
    yield from _masked_fraction(measures)
    yield from _truncation(measures)
    yield from _short_examples(measures)


def _pair_labels(measures: StoreMeasures) -> Iterator[Finding]:
    share = measures.short_epoch.random_share
    if (crossed := LABEL_LIMITS.crossed(share)) is not None:
        yield Finding(
            "pair_labels",
            crossed[0],
            f"{percent(share)} of the pairs are random, and only {percent(1 - share)} follow",
            share,
            crossed[1],
            effect="A chunk of one sentence is always paired with random text (Google's "
            'create_instances_from_document). Saying "random" every time is then right so '
            "often that next-sentence prediction has nothing to learn from.",
            remedy="Look for documents of one sentence or sentences of a hundred tokens and more "
            "(`bertsmith doctor corpus`), or pre-train without pairs.",
            command=measures.pretrain("examples.next_sentence=false"),
        )


def _masked_fraction(measures: StoreMeasures) -> Iterator[Finding]:
    epoch = measures.short_epoch
    expected = epoch.settings.masked_lm_prob
    if (crossed := MASK_LIMITS.crossed(abs(epoch.masked_share - expected))) is not None:
        yield Finding(
            "masked_fraction",
            crossed[0],
            f"{percent(epoch.masked_share)} of the tokens are to be predicted, not "
            f"{percent(expected)}",
            epoch.masked_share,
            crossed[1],
            effect="Every example has at least one prediction, whatever its length (Google's "
            "create_masked_lm_predictions): in examples of five tokens that is one in five, with "
            "next to no context to predict it from.",
            remedy="The examples are too short: short_documents and one_sentence_documents of "
            "`bertsmith doctor corpus` say what would mend it.",
            command=measures.commands.doctor(),
        )


def _truncation(measures: StoreMeasures) -> Iterator[Finding]:
    share = measures.short_epoch.unseen_share
    if (crossed := TRUNCATION_LIMITS.crossed(share)) is not None:
        longer = measures.long_epoch.unseen_share
        yield Finding(
            "truncation_loss",
            crossed[0],
            f"{percent(share)} of the tokens are in no example of an epoch at length 128 "
            f"({percent(longer)} at 512)",
            share,
            crossed[1],
            effect="Sentences are gathered until the length is reached, and what is over is "
            "trimmed away at the front or back (Google's truncate_seq_pair). Of sentences longer "
            "than an example most is lost, in every epoch.",
            remedy="Cut the text into shorter sentences (is the language right?), or train on "
            "longer examples.",
            command=measures.pretrain("examples.max_seq_length=512"),
        )


def _short_examples(measures: StoreMeasures) -> Iterator[Finding]:
    share = _share_of_half_length(measures.long_epoch)
    if (crossed := LONG_LIMITS.crossed(share)) is not None:
        mean = measures.long_epoch.lengths.mean
        yield Finding(
            "short_examples",
            crossed[0],
            f"at length 512, {percent(share)} of the examples have 256 tokens or more "
            f"(on average {mean:,.0f})",
            share,
            crossed[1],
            effect="Documents end before an example is full. The position embeddings of the upper "
            "half are hardly trained, so that a model that is said to take 512 tokens works on "
            "short ones alone.",
            remedy="Train at length 128 (or whatever fits), and say so; or put back together what "
            "was cut apart.",
            command=measures.pretrain("examples.max_seq_length=128", "phases=null"),
        )


def _share_of_half_length(epoch: EpochMeasures) -> float:
    half = epoch.settings.max_seq_length // 2
    pairs = zip(epoch.lengths.edges[:-1], epoch.lengths.shares, strict=True)
    return sum(share for edge, share in pairs if edge > half)
