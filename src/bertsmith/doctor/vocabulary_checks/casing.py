"""A vocabulary used with the wrong casing."""

from collections.abc import Iterator
from dataclasses import replace

from bertsmith.doctor.casing import CAPITALS_LIMITS, capitalised_entries
from bertsmith.doctor.finding import Example, Finding, Limits, percent
from bertsmith.doctor.vocabulary_measures import VocabularyMeasures

__all__ = ["check"]

# A text of names and sentences has a capital in every tenth word.
TEXT_LIMITS = Limits(problem=0.01)


def check(measures: VocabularyMeasures) -> Iterator[Finding]:
    """Finds a cased vocabulary with lower-casing, or one without capitals without lower-casing."""
    capitals, share = capitalised_entries(measures.tokenizer.vocabulary)
    if measures.tokenizer.lowercase:
        if (crossed := CAPITALS_LIMITS.crossed(share)) is not None:
            yield _cased_used_lowercase(measures, share, crossed[1], capitals)
    elif not capitals and TEXT_LIMITS.crossed(measures.share_capitalised) is not None:
        yield _lowercase_used_cased(measures)


def _cased_used_lowercase(
    measures: VocabularyMeasures, share: float, threshold: float, capitals: list[str]
) -> Finding:
    return Finding(
        "casing",
        "problem",
        f"text is lower-cased, but {percent(share)} of the vocabulary's entries have capitals",
        share,
        threshold,
        effect="Lower-cased text never gives those entries: their embeddings are never trained, "
        "and names, whose entries are capitalised, are cut into pieces.",
        remedy="Use the vocabulary as it was learned, with its case.",
        command=replace(measures.commands, cased=True).prepare(),
        examples=tuple(Example(token) for token in capitals[: measures.num_examples]),
    )


def _lowercase_used_cased(measures: VocabularyMeasures) -> Finding:
    share = measures.share_capitalised
    unknown = [word for word, _ in measures.inspection.unknown_words if word != word.lower()]
    return Finding(
        "casing",
        "problem",
        f"{percent(share)} of the words have capitals, and none of the vocabulary's entries has",
        share,
        TEXT_LIMITS.problem or 0.0,
        effect="Without lower-casing each of those words is [UNK] as a whole: every name, and the "
        "first word of every sentence.",
        remedy="Lower-case the text, as the vocabulary was learned; or learn one with case "
        "(bertsmith vocab --cased).",
        command=replace(measures.commands, cased=False).prepare(),
        examples=tuple(Example(word, "is [UNK]") for word in unknown),
    )
