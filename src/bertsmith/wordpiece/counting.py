"""How often every word occurs: all that learning a vocabulary needs of a text."""

from collections import Counter
from collections.abc import Iterator, Mapping

from bertsmith.errors import VocabularyError
from bertsmith.wordpiece.matching import MAX_WORD_LENGTH
from bertsmith.wordpiece.tallying import WordTally
from bertsmith.wordpiece.words import chunks_of, words_of_chunk

__all__ = ["MAX_WORDS", "WordCounter"]

MAX_WORDS = 2_000_000
"""Distinct words that are held in memory, about 150 bytes each, and learned from."""

MAX_CHUNKS = 1 << 19


class WordCounter:
    """Counts the words of texts as the tokenizer would cut and normalise them.

    Only counts are kept, so the result is the same for any order of texts, and for any division
    of them among counters that are merged afterwards. Memory is bounded: beyond two million
    distinct words the counts are kept on disk, and stay exact. Words over 200 characters are only
    numbered: they are [UNK] anyway.

    Args:
        lowercase: whether words are lower-cased and lose their accents.
        max_words: how many distinct words are held in memory.

    Attributes:
        num_text_bytes: size of the texts in UTF-8.
        num_long_words: words over 200 characters.

    Example:
        >>> counter = WordCounter()
        >>> counter.add("The cat, the dog.")
        >>> sorted(counter.counts.items())
        [(',', 1), ('.', 1), ('cat', 1), ('dog', 1), ('the', 2)]
    """

    def __init__(self, *, lowercase: bool = True, max_words: int = MAX_WORDS) -> None:
        self.lowercase = lowercase
        self.num_text_bytes = 0
        self._num_long_words = 0
        self._tally = WordTally(max_words)
        # Distinct chunks are few beside all chunks, so normalising waits until they are counted.
        self._chunks: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Counts the words of a text; a word must not go on in the next text."""
        self.num_text_bytes += num_bytes_of(text)
        self._chunks.update(chunks_of(text))
        if len(self._chunks) >= MAX_CHUNKS:
            self._fold()

    def add_counts(self, counts: Mapping[str, int], *, num_long_words: int = 0) -> None:
        """Adds words that were counted elsewhere, normalised as this counter does it."""
        self._tally.add(counts.keys(), counts.values())
        self._num_long_words += num_long_words

    def merge(self, other: "WordCounter") -> None:
        """Adds the counts of another counter.

        Raises:
            VocabularyError: one of the two lower-cases and the other doesn't.
        """
        self.require_casing(other.lowercase)
        self.num_text_bytes += other.num_text_bytes
        self.add_counts(other.counts, num_long_words=other.num_long_words)

    def require_casing(self, lowercase: bool) -> None:
        """Checks how the words were counted.

        Raises:
            VocabularyError: they were lower-cased and must not be, or the other way round.
        """
        if lowercase != self.lowercase:
            what = "words were counted with lower-casing in one place and without it in another"
            raise VocabularyError(what, fix="count all texts with the same setting")

    @property
    def num_long_words(self) -> int:
        """Words over 200 characters so far; they are not among the counts."""
        self._fold()
        return self._num_long_words

    @property
    def counts(self) -> Mapping[str, int]:
        """How often every word has occurred so far, all in memory."""
        return dict(self.items())

    def items(self) -> Iterator[tuple[str, int]]:
        """Yields every word with its count, in no particular order, without holding them all."""
        self._fold()
        return self._tally.items()

    def most_frequent(self, num_words: int = MAX_WORDS) -> dict[str, int]:
        """The most frequent words with their counts; ties go to the smaller strings."""
        self._fold()
        return self._tally.most_frequent(num_words)

    def _fold(self) -> None:
        words: dict[str, int] = {}
        for chunk, count in self._chunks.items():
            for word in words_of_chunk(chunk, self.lowercase):
                words[word] = words.get(word, 0) + count
        self._chunks.clear()
        self.add_counts(words, num_long_words=drop_long_words(words))


def num_bytes_of(text: str) -> int:
    """Size of a text in UTF-8; half a surrogate pair counts three bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def drop_long_words(words: dict[str, int]) -> int:
    """Takes out words that are [UNK] for their length; returns how many there were in the text."""
    long = [word for word in words if len(word) > MAX_WORD_LENGTH]
    return sum(words.pop(word) for word in long)
