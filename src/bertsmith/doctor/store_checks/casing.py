"""A store whose text was read with the wrong casing for its vocabulary."""

from collections.abc import Iterator
from dataclasses import replace

from bertsmith.doctor.casing import CAPITALS_LIMITS, capitalised_entries
from bertsmith.doctor.finding import Example, Finding, Limits, percent
from bertsmith.doctor.store_measures import StoreMeasures

__all__ = ["check"]

# Nearly every sentence begins with a capital, which such a vocabulary doesn't have. Rare words and
# scripts without case leave far fewer.
FIRST_UNKNOWN_LIMITS = Limits(problem=0.2)


def check(measures: StoreMeasures) -> Iterator[Finding]:
    """Finds a cased vocabulary with lower-casing, or one without capitals without lower-casing."""
    capitals, share = capitalised_entries(measures.store.vocabulary)
    if measures.store.manifest.lowercase:
        if (crossed := CAPITALS_LIMITS.crossed(share)) is not None:
            yield _cased_used_lowercase(measures, share, crossed[1], capitals)
    elif not capitals:
        share = measures.unknown_first_share
        if (crossed := FIRST_UNKNOWN_LIMITS.crossed(share)) is not None:
            yield _lowercase_used_cased(measures, share, crossed[1])


def _cased_used_lowercase(
    measures: StoreMeasures, share: float, threshold: float, capitals: list[str]
) -> Finding:
    return Finding(
        "casing",
        "problem",
        f"the text was lower-cased, but {percent(share)} of the vocabulary's entries have capitals",
        share,
        threshold,
        effect="Lower-cased text never gives those entries: their embeddings are never trained, "
        "and names, whose entries are capitalised, are cut into pieces.",
        remedy="Prepare the text again with its case, as the vocabulary was learned.",
        command=replace(measures.commands, cased=True).prepare(),
        examples=tuple(Example(token) for token in capitals[: measures.num_examples]),
    )


def _lowercase_used_cased(measures: StoreMeasures, share: float, threshold: float) -> Finding:
    return Finding(
        "casing",
        "problem",
        f"{percent(share)} of the sentences begin with [UNK]: the text has its case, and none of "
        "the vocabulary's entries has a capital",
        share,
        threshold,
        effect="Each word with a capital is [UNK] as a whole: every name, and the first word of "
        "every sentence.",
        remedy="Lower-case the text, as the vocabulary was learned; or learn one with case "
        "(bertsmith vocab --cased).",
        command=replace(measures.commands, cased=False).prepare(),
    )
