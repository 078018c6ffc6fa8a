"""How often every word occurs: all that learning a vocabulary needs of a text."""

from collections import Counter
from collections.abc import Mapping

from bertsmith.errors import VocabularyError
from bertsmith.wordpiece.matching import MAX_WORD_LENGTH
from bertsmith.wordpiece.words import chunks_of, words_of

__all__ = ["WordCounter"]

MAX_CHUNKS = 1 << 19


class WordCounter:
    """Counts the words of texts as the tokenizer would cut and normalise them.

    Only counts are kept, so the result is the same for any order of texts, and for any division
    of them among counters that are merged afterwards. Memory grows with the number of distinct
    words, not with the text. Words over 200 characters are not counted: they are [UNK] anyway.

    Args:
        lowercase: whether words are lower-cased and lose their accents.

    Example:
        >>> counter = WordCounter()
        >>> counter.add("The cat, the dog.")
        >>> sorted(counter.counts.items())
        [(',', 1), ('.', 1), ('cat', 1), ('dog', 1), ('the', 2)]
    """

    def __init__(self, *, lowercase: bool = True) -> None:
        self.lowercase = lowercase
        self._words: dict[str, int] = {}
        # Distinct chunks are few beside all chunks, so normalising waits until they are counted.
        self._chunks: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Counts the words of a text; a word must not go on in the next text."""
        self._chunks.update(chunks_of(text))
        if len(self._chunks) >= MAX_CHUNKS:
            self._fold()

    def merge(self, other: "WordCounter") -> None:
        """Adds the counts of another counter.

        Raises:
            VocabularyError: one of the two lower-cases and the other doesn't.
        """
        if other.lowercase != self.lowercase:
            what = "word counts with and without lower-casing cannot be added"
            raise VocabularyError(what, fix="count all texts with the same setting")
        for word, count in other.counts.items():
            self._words[word] = self._words.get(word, 0) + count

    @property
    def counts(self) -> Mapping[str, int]:
        """How often every word has occurred so far."""
        self._fold()
        return self._words

    def _fold(self) -> None:
        words = self._words
        for chunk, count in self._chunks.items():
            for word in words_of(chunk, self.lowercase):
                if len(word) <= MAX_WORD_LENGTH:
                    words[word] = words.get(word, 0) + count
        self._chunks.clear()
