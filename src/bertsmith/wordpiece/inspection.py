"""How a vocabulary fits a text: [UNK]s, pieces per word, what is split, what is never used."""

import heapq
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bertsmith.wordpiece.characters import is_chinese
from bertsmith.wordpiece.counting import WordCounter
from bertsmith.wordpiece.matching import PieceMatcher
from bertsmith.wordpiece.tokenizer import Tokenizer
from bertsmith.wordpiece.vocabulary import SPECIAL_TOKENS

__all__ = ["ScriptInspection", "VocabularyInspection", "inspect_counts", "inspect_vocabulary"]


@dataclass(frozen=True)
class ScriptInspection:
    """What a vocabulary makes of the words of one script.

    Attributes:
        script: the first word of its letters' Unicode names, such as "Latin", "Greek" or "Han"
            (Chinese characters); "digits" and "signs" for words without a letter.
        num_words: words of the text.
        num_tokens: tokens that they become.
        num_unknown: how many of them are [UNK].
    """

    script: str
    num_words: int
    num_tokens: int
    num_unknown: int


@dataclass(frozen=True)
class VocabularyInspection:
    """How a vocabulary fits a text. Words are counted as often as they occur.

    Attributes:
        num_words: words of the text, as the tokenizer cuts it: a punctuation mark is one.
        num_tokens: tokens that they become.
        num_unknown: words that are [UNK].
        num_text_bytes: size of the text in UTF-8.
        num_whole_words: words that are one piece, and not [UNK].
        unknown_words: the most frequent words that are [UNK], each with its count.
        split_words: the words whose splitting costs most tokens, each with its pieces and count.
        num_entries: tokens of the vocabulary, special and `[unused]` ones not counted.
        num_unused_entries: how many of these the text never gives.
        scripts: what becomes of every script, the most frequent first.
    """

    num_words: int
    num_tokens: int
    num_unknown: int
    num_text_bytes: int
    num_whole_words: int
    unknown_words: list[tuple[str, int]]
    split_words: list[tuple[str, list[str], int]]
    num_entries: int
    num_unused_entries: int
    scripts: list[ScriptInspection]

    @property
    def unknown_rate(self) -> float:
        """The share of tokens that are [UNK]."""
        return self.num_unknown / max(self.num_tokens, 1)

    @property
    def whole_word_rate(self) -> float:
        """The share of words that are one piece."""
        return self.num_whole_words / max(self.num_words, 1)

    @property
    def pieces_per_word(self) -> float:
        """Tokens a word, also called fertility."""
        return self.num_tokens / max(self.num_words, 1)

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text that a token stands for: the more, the longer the text that fits."""
        return self.num_text_bytes / max(self.num_tokens, 1)


def inspect_vocabulary(
    tokenizer: Tokenizer, texts: Iterable[str], *, num_examples: int = 10
) -> VocabularyInspection:
    """Inspects how a tokenizer's vocabulary fits texts.

    Args:
        tokenizer: the vocabulary, and whether text is lower-cased.
        texts: texts, lines or documents; a word must not go on from one to the next.
        num_examples: length of the lists of words.

    Example:
        >>> from bertsmith.wordpiece import Vocabulary
        >>> tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, "a", "##b", "c", "[unused0]"]))
        >>> found = inspect_vocabulary(tokenizer, ["a ab ab d"])
        >>> found.num_words, found.num_tokens, found.unknown_words, found.num_unused_entries
        (4, 6, [('d', 1)], 1)
        >>> found.split_words, found.pieces_per_word
        ([('ab', ['a', '##b'], 2)], 1.5)
    """
    counter = WordCounter(lowercase=tokenizer.lowercase)
    for text in texts:
        counter.add(text)
    return inspect_counts(tokenizer, counter, num_examples=num_examples)


def inspect_counts(
    tokenizer: Tokenizer, counter: WordCounter, *, num_examples: int = 10
) -> VocabularyInspection:
    """Inspects how a tokenizer's vocabulary fits counted words.

    Every distinct word is cut once. The result doesn't depend on the order of the texts.

    Args:
        tokenizer: the vocabulary; its casing has to be the counter's.
        counter: the words.
        num_examples: length of the lists of words.

    Raises:
        VocabularyError: the words were counted with another casing.
    """
    counter.require_casing(tokenizer.lowercase)
    vocabulary = tokenizer.vocabulary
    match = PieceMatcher(vocabulary).match
    used = bytearray(len(vocabulary))
    totals, num_whole_words = Counter[tuple[str, str]](), 0
    unknown, split = _Commonest(num_examples), _Commonest(num_examples)
    for word, count in counter.items():
        pieces, script = match(word), script_of(word)
        totals[script, "words"] += count
        totals[script, "tokens"] += count * (1 if pieces is None else len(pieces))
        if pieces is None:
            totals[script, "unknown"] += count
            unknown.add(word, count, count)
            continue
        for token_id, _ in pieces:
            used[token_id] = 1
        if len(pieces) == 1:
            num_whole_words += count
        else:
            split.add(word, count, count * (len(pieces) - 1))
    if counter.num_long_words:
        for kind in ("words", "tokens", "unknown"):
            totals["over 200 characters", kind] = counter.num_long_words
    special = [vocabulary.ids[token] for token in SPECIAL_TOKENS]
    entries = set(range(len(vocabulary))).difference(special, vocabulary.unused_ids)
    scripts = [
        ScriptInspection(script, *(totals[script, kind] for kind in ("words", "tokens", "unknown")))
        for script in {script for script, _ in totals}
    ]
    return VocabularyInspection(
        num_words=sum(script.num_words for script in scripts),
        num_tokens=sum(script.num_tokens for script in scripts),
        num_unknown=sum(script.num_unknown for script in scripts),
        num_text_bytes=counter.num_text_bytes,
        num_whole_words=num_whole_words,
        unknown_words=[(word, count) for word, count in unknown.sorted()],
        split_words=[
            (word, [vocabulary.tokens[token_id] for token_id, _ in match(word) or []], count)
            for word, count in split.sorted()
        ],
        num_entries=len(entries),
        num_unused_entries=sum(not used[token_id] for token_id in entries),
        scripts=sorted(scripts, key=lambda script: (-script.num_words, script.script)),
    )


def script_of(word: str) -> str:
    """The script of a word's first letter.

    Example:
        >>> [script_of(word) for word in ("the", "мир", "好", "1990", "...")]
        ['Latin', 'Cyrillic', 'Han', 'digits', 'signs']
    """
    if word.isascii() and word.isalpha():
        return "Latin"
    letter = next((character for character in word if character.isalpha()), None)
    if letter is None:
        return "digits" if any(map(str.isnumeric, word)) else "signs"
    if is_chinese(letter):
        return "Han"
    # Letters in another dress, such as full-width ones, are named for what they look like.
    plain = unicodedata.normalize("NFKC", letter)[0]
    return unicodedata.name(plain, "unnamed").partition(" ")[0].capitalize()


class _Commonest:
    """The words of the greatest weight; ties go to the smaller strings."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._words: list[tuple[int, str, int]] = []

    def add(self, word: str, count: int, weight: int) -> None:
        self._words.append((-weight, word, count))
        if len(self._words) > 1000 + 10 * self._size:
            self._words = heapq.nsmallest(self._size, self._words)

    def sorted(self) -> list[tuple[str, int]]:
        return [(word, count) for _, word, count in heapq.nsmallest(self._size, self._words)]
