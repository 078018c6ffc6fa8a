"""Entries that no text gives."""

from collections import Counter
from collections.abc import Iterator

from bertsmith.doctor.finding import Example, Finding, Limits, percent
from bertsmith.doctor.vocabulary_measures import VocabularyMeasures
from bertsmith.wordpiece.characters import is_chinese, is_punctuation
from bertsmith.wordpiece.matching import MAX_WORD_LENGTH
from bertsmith.wordpiece.vocabulary import CONTINUATION
from bertsmith.wordpiece.words import words_of

__all__ = ["check", "why_impossible"]

# A few are in Google's English vocabularies, a third of its Chinese one (## before characters).
IMPOSSIBLE_LIMITS = Limits(info=0.005, warning=0.5)
# Of Google's English entries, a sixth don't occur in 100 MB of Wikipedia.
UNSEEN_LIMITS = Limits(info=0.3, warning=0.6)
# In less text than this, that an entry doesn't occur says nothing.
MIN_TOKENS_AN_ENTRY = 100


def why_impossible(token: str, lowercase: bool) -> str | None:
    """Says why the tokenizer can never give an entry, or None where it can.

    Args:
        token: the entry.
        lowercase: whether text is lower-cased and stripped of accents.

    Example:
        >>> [why_impossible(token, True) for token in ("cat", "##s", "Cat", "##中", "a-b")]
        [None, None, 'capitals or accents', 'a Chinese character inside a word', \
'a sign inside a word']
    """
    continues = token.startswith(CONTINUATION) and token != CONTINUATION
    body = token.removeprefix(CONTINUATION) if continues else token
    # What a piece that continues a word is part of starts with something else.
    word = f"a{body}" if continues else body
    if len(word) > MAX_WORD_LENGTH:
        return f"over {MAX_WORD_LENGTH} characters"
    if words_of(word, lowercase) == [word]:
        return None
    if len(word) > 1 and any(map(is_chinese, word)):
        return "a Chinese character inside a word"
    if len(word) > 1 and any(map(is_punctuation, word)):
        return "a sign inside a word"
    if lowercase and words_of(word, lowercase=False) == [word]:
        return "capitals or accents"
    return "white space or control characters"


def check(measures: VocabularyMeasures) -> Iterator[Finding]:
    """Finds entries that the tokenizer can't give, and those that this text doesn't give."""
    tokens, lowercase = measures.tokenizer.vocabulary.tokens, measures.tokenizer.lowercase
    own = measures.own_entries
    reasons = {
        entry: reason for entry in own if (reason := why_impossible(tokens[entry], lowercase))
    }
    share = len(reasons) / max(len(own), 1)
    if (crossed := IMPOSSIBLE_LIMITS.crossed(share)) is not None:
        kinds = ", ".join(f"{why}: {n:,}" for why, n in Counter(reasons.values()).most_common())
        yield Finding(
            "impossible_entries",
            crossed[0],
            f"{len(reasons):,} entries ({percent(share)}) can never be a token ({kinds})",
            share,
            crossed[1],
            effect="The tokenizer sets Chinese characters and signs apart and, where it "
            "lower-cases, turns capitals and accented letters into plain ones, so no text gives "
            "these entries. Their embeddings are never trained and take memory; as random "
            "replacements of masked tokens they are still drawn.",
            remedy="Nothing has to be done about a published vocabulary. One of your own is "
            "better learned again.",
            command=measures.commands.vocab(size=measures.fitting_size),
            examples=tuple(
                Example(tokens[entry], f"id {entry}: {reason}")
                for entry, reason in list(reasons.items())[: measures.num_examples]
            ),
        )
    yield from _unseen(measures, [entry for entry in own if entry not in reasons])


def _unseen(measures: VocabularyMeasures, possible: list[int]) -> Iterator[Finding]:
    tokens = measures.tokenizer.vocabulary.tokens
    unseen = [entry for entry in possible if not measures.entry_counts[entry]]
    share = len(unseen) / max(len(possible), 1)
    crossed = UNSEEN_LIMITS.crossed(share)
    if crossed is None or measures.inspection.num_tokens < MIN_TOKENS_AN_ENTRY * len(tokens):
        return
    yield Finding(
        "unseen_entries",
        crossed[0],
        f"{len(unseen):,} entries ({percent(share)}) don't occur in the text",
        share,
        crossed[1],
        effect="Their embeddings are trained by nothing but the softmax, which pushes them all "
        "the same way; they take memory and time in every step and stand for nothing.",
        remedy="Learn the vocabulary from this text, unless you go on from a model that has it.",
        command=measures.commands.vocab(size=measures.fitting_size),
        examples=tuple(
            Example(tokens[entry], f"id {entry}") for entry in unseen[: measures.num_examples]
        ),
    )
