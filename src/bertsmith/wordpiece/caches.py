"""Remembered chunks: most of a text is chunks that were seen before."""

from itertools import chain
from typing import TypeVar

from bertsmith.wordpiece.alignment import AlignedWord, align_chunk
from bertsmith.wordpiece.matching import PieceMatcher
from bertsmith.wordpiece.words import words_of

__all__ = ["ChunkIds", "ChunkPieces"]

Value = TypeVar("Value")

MAX_IDS = 1 << 19
"""Entries in a cache of ids, about 120 MB when full. English text keeps getting faster up to it."""

MAX_PIECES = 1 << 16
"""Entries in the cache of pieces, which are larger; about 40 MB when full."""

MAX_LENGTH = 64
"""Longer chunks, in characters, are hardly seen twice and are not kept."""


class WordIds(dict[str, tuple[int, ...]]):
    """Normalised word → token ids, worked out when first asked for.

    A `dict` with `__missing__`, so that a word seen before costs one look-up in C and no Python.
    When it is full it is emptied: text is so uneven that the frequent words are back at once, and
    nothing has to be kept in order.
    """

    def __init__(self, matcher: PieceMatcher, unk_id: int) -> None:
        self._match, self._unk_ids = matcher.match, (unk_id,)

    def __missing__(self, word: str) -> tuple[int, ...]:
        pieces = self._match(word)
        ids = self._unk_ids if pieces is None else tuple([token_id for token_id, _ in pieces])
        return _remember(self, word, ids, MAX_IDS)


class ChunkIds(dict[str, tuple[int, ...]]):
    """Chunk → token ids, in the same way: `word`, `word,` and `(word` are three chunks."""

    def __init__(self, matcher: PieceMatcher, unk_id: int, lowercase: bool) -> None:
        self._ids_of_word = WordIds(matcher, unk_id).__getitem__
        self._lowercase = lowercase

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        words = words_of(chunk, self._lowercase)
        ids = tuple(chain.from_iterable(map(self._ids_of_word, words)))
        return _remember(self, chunk, ids, MAX_IDS)


PieceInChunk = tuple[int, int, int, int]
"""Token id, start and end in the chunk, index of the word in the chunk."""


class ChunkPieces(dict[str, tuple[PieceInChunk, ...]]):
    """Chunk → pieces with their places in the chunk, worked out when first asked for."""

    def __init__(self, matcher: PieceMatcher, unk_id: int, lowercase: bool) -> None:
        self._match, self._unk_id, self._lowercase = matcher.match, unk_id, lowercase

    def __missing__(self, chunk: str) -> tuple[PieceInChunk, ...]:
        words = align_chunk(chunk, self._lowercase)
        pieces = [piece for index, word in enumerate(words) for piece in self._cut(word, index)]
        return _remember(self, chunk, tuple(pieces), MAX_PIECES)

    def _cut(self, word: AlignedWord, index: int) -> list[PieceInChunk]:
        matched = self._match(word.text)
        if matched is None:
            return [(self._unk_id, word.starts[0], word.ends[-1], index)]
        starts = [0, *(end for _, end in matched)]
        return [
            (token_id, word.starts[start], word.ends[end - 1], index)
            for start, (token_id, end) in zip(starts, matched, strict=False)
        ]


def _remember(cache: dict[str, Value], chunk: str, value: Value, limit: int) -> Value:
    if len(chunk) <= MAX_LENGTH:
        if len(cache) >= limit:
            cache.clear()
        cache[chunk] = value
    return value
