"""Words cut into many pieces."""

from collections.abc import Iterator

from bertsmith.doctor.finding import Example, Finding, Limits
from bertsmith.doctor.vocabulary_measures import VocabularyMeasures

__all__ = ["check"]

# A vocabulary of 30,000 entries learned from the text itself gives 1.1 to 1.3 in English; from 1.6
# on it was learned from other text, and from 2.5 on from another language.
LIMITS = Limits(warning=1.6, problem=2.5)


def check(measures: VocabularyMeasures) -> Iterator[Finding]:
    """Finds too many pieces a word."""
    inspection = measures.inspection
    crossed = LIMITS.crossed(inspection.pieces_per_word)
    if crossed is None:
        return
    yield Finding(
        "many_pieces",
        crossed[0],
        f"a word is {inspection.pieces_per_word:.2f} pieces on average",
        inspection.pieces_per_word,
        crossed[1],
        effect="Examples hold that much less text at the same cost, and a masked piece is mostly "
        "guessed from the other pieces of its word, which is spelling and not language.",
        remedy="Learn the vocabulary from this text, with more entries if it was; to go on from "
        "a pre-trained model, add the text's words to its vocabulary.",
        command=measures.commands.extend(),
        examples=tuple(
            Example(f"{word} → {' '.join(pieces)}", f"{count:,} times")
            for word, pieces, count in inspection.split_words
        ),
    )
