"""Adding a domain's words to a vocabulary that a model was trained with."""

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from bertsmith.errors import VocabularyError
from bertsmith.wordpiece.matching import PieceMatcher
from bertsmith.wordpiece.vocabulary import CONTINUATION, Vocabulary

__all__ = ["AddedWord", "Extension", "extend_vocabulary", "pieces_of_new_tokens"]


@dataclass(frozen=True)
class AddedWord:
    """A word that a vocabulary was given.

    Attributes:
        word: the word.
        token_id: its id.
        pieces: what it was cut into before.
        count: how often the text has it.
        num_saved: how many tokens fewer the text has with it, words that begin with it included.
    """

    word: str
    token_id: int
    pieces: list[str]
    count: int
    num_saved: int


@dataclass(frozen=True)
class Extension:
    """A vocabulary with words added, and what came of it.

    Attributes:
        vocabulary: the new vocabulary; every token of the old one has its old id, but for
            `[unused]` ones that were filled.
        added: the words, the one that saves most first.
        num_words: words of the text.
        num_tokens_before: tokens of the text with the old vocabulary, [UNK] counted as one.
        num_tokens_after: tokens with the new one.
    """

    vocabulary: Vocabulary
    added: list[AddedWord]
    num_words: int
    num_tokens_before: int
    num_tokens_after: int


def extend_vocabulary(
    vocabulary: Vocabulary,
    counts: Mapping[str, int],
    num_added: int,
    *,
    min_frequency: int = 2,
    use_unused: bool = False,
) -> Extension:
    """Adds the words that save the most tokens on a text.

    One word after another is added, always the one with which the text has the fewest tokens. For
    most words the saving is count × (pieces − 1); but the longest match from the left finds a new
    word at the start of longer words too, and what it saves or costs there counts as well. A word
    whose adding would turn another word of the text into [UNK] is left out. Ties go to the
    smaller strings, so the result is the same for any order of the text.

    Words that are [UNK] now are not added: they save no token. Learn a new vocabulary where there
    are many of them (`inspect_vocabulary` shows them).

    Args:
        vocabulary: the vocabulary to add to.
        counts: how often every normalised word of the text occurs, cased as the vocabulary is
            used.
        num_added: how many words to add.
        min_frequency: how often a word has to occur.
        use_unused: put words in the places of `[unused0]`, `[unused1]`, … as long as there are
            any; otherwise, and after that, they are appended.

    Returns:
        The new vocabulary; with fewer words where no more of them save tokens.

    Raises:
        VocabularyError: no words in the text, or nothing to add.

    Example:
        >>> old = Vocabulary("[PAD] [UNK] [CLS] [SEP] [MASK] [unused0] gas ##tr ##itis".split())
        >>> extension = extend_vocabulary(old, {"gastritis": 3, "gas": 9}, 1, use_unused=True)
        >>> extension.added  # doctest: +NORMALIZE_WHITESPACE
        [AddedWord(word='gastritis', token_id=5, pieces=['gas', '##tr', '##itis'], count=3,
        num_saved=6)]
        >>> extension.num_tokens_before, extension.num_tokens_after
        (18, 12)
    """
    if not counts:
        raise VocabularyError("the text holds no words", fix="give text of the domain")
    if num_added < 1:
        raise VocabularyError(f"{num_added} words are to be added", fix="add at least 1")
    text = _Text(vocabulary, counts)
    num_tokens_before = text.num_tokens
    free = vocabulary.unused_ids if use_unused else []
    tokens = list(vocabulary.tokens)
    added: list[AddedWord] = []
    matcher = PieceMatcher(vocabulary)
    for word, num_saved in islice(_choices(text, min_frequency), num_added):
        token_id = free[len(added)] if len(added) < len(free) else len(tokens)
        tokens[token_id : token_id + 1] = [word]
        pieces = [vocabulary.tokens[piece] for piece, _ in matcher.match(word) or []]
        added.append(AddedWord(word, token_id, pieces, counts[word], num_saved))
    return Extension(
        Vocabulary(tokens), added, sum(counts.values()), num_tokens_before, text.num_tokens
    )


def pieces_of_new_tokens(old: Vocabulary, new: Vocabulary) -> dict[int, list[int]]:
    """Returns what the old vocabulary cuts the new tokens of an extended one into.

    Args:
        old: the vocabulary that was extended.
        new: the extended one: all old tokens have their old ids, but for `[unused]` ones.

    Returns:
        Id of a new token → old ids of its pieces, at least one; [UNK]'s where it has none.

    Raises:
        VocabularyError: the new vocabulary doesn't extend the old one.

    Example:
        >>> old = Vocabulary("[PAD] [UNK] [CLS] [SEP] [MASK] [unused0] a ##b".split())
        >>> new = Vocabulary("[PAD] [UNK] [CLS] [SEP] [MASK] abb a ##b ##bb".split())
        >>> pieces_of_new_tokens(old, new)
        {5: [6, 7, 7], 8: [7, 7]}
    """
    if len(new) < len(old):
        raise VocabularyError(f"it has {len(new):,} tokens, fewer than the {len(old):,} before")
    free = set(old.unused_ids)
    changed = [i for i, token in enumerate(old.tokens) if new.tokens[i] != token]
    for i in changed:
        if i not in free:
            raise VocabularyError(f"token {i} is {new.tokens[i]!r}, and {old.tokens[i]!r} before")
    matcher, pieces_of = PieceMatcher(old), {}
    for i in [*changed, *range(len(old), len(new))]:
        token = new.tokens[i]
        continues = token.startswith(CONTINUATION) and token != CONTINUATION
        pieces = matcher.match(token, len(CONTINUATION) if continues else 0)
        pieces_of[i] = [piece for piece, _ in pieces] if pieces else [old.unk_id]
    return pieces_of


class _Text:
    """The words of a text, cut with a vocabulary that grows.

    Attributes:
        num_tokens: tokens of the text, [UNK] counted as one.
    """

    def __init__(self, vocabulary: Vocabulary, counts: Mapping[str, int]) -> None:
        self._match = PieceMatcher(vocabulary).match
        self._words = sorted(counts)
        self.counts = counts
        #: Of every word that is not [UNK]: number of pieces, and where the first one ends.
        self.cuts: dict[str, tuple[int, int]] = {}
        for word in self._words:
            if pieces := self._match(word):
                self.cuts[word] = len(pieces), pieces[0][1]
        self.num_tokens = sum(
            count * self.cuts.get(word, (1, 0))[0] for word, count in counts.items()
        )

    def new_cuts(self, prefix: str) -> dict[str, tuple[int, int]] | None:
        """How the words that begin with a word would be cut if it was a piece.

        Returns:
            The words that change; None if one of them would become [UNK].
        """
        changed, length = {}, len(prefix)
        for place in range(bisect_left(self._words, prefix), len(self._words)):
            word = self._words[place]
            if not word.startswith(prefix):
                break
            cut = self.cuts.get(word)
            if cut is not None and cut[1] >= length:
                continue
            rest = self._match(word, length)
            if rest is not None:
                changed[word] = 1 + len(rest), length
            elif cut is not None:
                return None
        return changed

    def saving(self, word: str) -> int:
        """How many tokens a word would save; words that are [UNK] now are left out."""
        changed = self.new_cuts(word) or {}
        return sum(
            self.counts[other] * (self.cuts[other][0] - num_pieces)
            for other, (num_pieces, _) in changed.items()
            if other in self.cuts
        )

    def add(self, word: str) -> Iterable[str]:
        """Takes a word for a piece; returns the words that are cut otherwise than before."""
        changed = self.new_cuts(word) or {}
        for other, cut in changed.items():
            before = self.cuts.get(other, (1, 0))[0]
            self.num_tokens += self.counts[other] * (cut[0] - before)
            self.cuts[other] = cut
        return changed


def _choices(text: _Text, min_frequency: int) -> Iterator[tuple[str, int]]:
    """Yields words and what they save, every one given those before it."""
    savings: dict[str, int] = {}
    heap: list[tuple[int, str]] = []

    def weigh(words: Iterable[str]) -> None:
        for word in words:
            num_pieces, _ = text.cuts.get(word, (1, 0))
            if num_pieces > 1 and text.counts[word] >= min_frequency:
                savings[word] = text.saving(word)
                if savings[word] > 0:
                    heapq.heappush(heap, (-savings[word], word))

    weigh(text.counts)
    while heap:
        negative, word = heapq.heappop(heap)
        if savings.get(word) != -negative:
            continue
        changed = text.add(word)
        del savings[word]
        yield word, -negative
        # What a word saves depends on the words that begin with it.
        weigh({other[:end] for other in changed for end in range(1, len(other) + 1)})
