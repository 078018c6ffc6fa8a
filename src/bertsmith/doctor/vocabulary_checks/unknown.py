"""Words that the vocabulary can't write."""

from collections.abc import Iterator

from bertsmith._words import counted
from bertsmith.doctor.finding import Example, Finding, Limits, percent
from bertsmith.doctor.vocabulary_measures import VocabularyMeasures

__all__ = ["check"]

# Google's vocabularies leave 0.02 % of English and 0.4 % of Chinese Wikipedia; one token in a
# hundred is a script, an alphabet or a casing that is missing.
UNKNOWN_LIMITS = Limits(warning=0.01, problem=0.1)
# What is lost to single characters is mended easily, so it is worth a word earlier.
MISSING_LIMITS = Limits(warning=0.002, problem=0.02)


def check(measures: VocabularyMeasures) -> Iterator[Finding]:
    """Finds [UNK]s by their share of the tokens, and missing characters by theirs of all words."""
    inspection = measures.inspection
    if (crossed := UNKNOWN_LIMITS.crossed(inspection.unknown_rate)) is not None:
        yield Finding(
            "unknown_tokens",
            crossed[0],
            f"{percent(inspection.unknown_rate)} of the tokens are [UNK]",
            inspection.unknown_rate,
            crossed[1],
            effect="A word with one character that the vocabulary lacks is [UNK] as a whole: what "
            "it said is gone from the text, and as a masked token [UNK] is a right answer that "
            "says nothing, which flatters the MLM accuracy.",
            remedy="Learn the vocabulary from this text.",
            command=measures.commands.vocab(size=measures.fitting_size),
            examples=tuple(
                Example(word, f"{count:,} times") for word, count in inspection.unknown_words
            ),
        )
    num_words, missing = measures.missing_characters
    share = num_words / max(inspection.num_words, 1)
    if (crossed := MISSING_LIMITS.crossed(share)) is not None:
        yield Finding(
            "missing_characters",
            crossed[0],
            f"{percent(share)} of the words are [UNK] for want of {len(missing):,} entries of a "
            "single character",
            share,
            crossed[1],
            effect="A character that is no entry by itself (and with ##, inside a word) makes "
            "[UNK] of every word that isn't covered by longer entries: one rare letter costs the "
            "whole word. `bertsmith vocab` keeps every letter that isn't rare, both ways.",
            remedy="Learn the vocabulary from this text.",
            command=measures.commands.vocab(size=measures.fitting_size),
            examples=tuple(
                Example(f"{entry} (U+{ord(entry[-1]):04X})", f"in {counted(count, 'word')}")
                for entry, count in missing.most_common(measures.num_examples)
            ),
        )
