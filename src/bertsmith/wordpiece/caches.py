"""Remembered chunks: most of a text is chunks that were seen before."""

from typing import Any, TypeVar

import numpy as np

from bertsmith.wordpiece.alignment import AlignedWord, align_chunk
from bertsmith.wordpiece.matching import PieceMatcher
from bertsmith.wordpiece.words import words_of_chunk

__all__ = ["ChunkPieces", "PackedChunks", "remember"]

Value = TypeVar("Value")

MAX_IDS = 1 << 20
"""Entries in a cache of ids, about 200 MB when full. English text keeps getting faster up to it."""

MAX_PIECES = 1 << 16
"""Entries in the cache of pieces, which are larger; about 40 MB when full."""

MAX_LENGTH = 64
"""Longer chunks, in characters, are hardly seen twice and are not kept."""


class PackedWords(dict[str, bytes]):
    """Normalised word → its ids as bytes, worked out when first asked for.

    A `dict` with `__missing__`, so that a word seen before costs one look-up in C and no Python.
    When it is full it is emptied: text is so uneven that the frequent words are back at once, and
    nothing has to be kept in order. Ids are kept as bytes, because joining bytes is the fastest
    way to lay them end to end, and the garbage collector doesn't look at them.
    """

    def __init__(self, matcher: PieceMatcher, unk_id: int, dtype: np.dtype[Any]) -> None:
        self._cut = matcher.cut
        num_ids, size = matcher.vocab_size, dtype.itemsize
        packed = np.arange(num_ids, dtype=dtype).tobytes()
        self._packed = [packed[size * i : size * (i + 1)] for i in range(num_ids)]
        self._unk = self._packed[unk_id]

    def __missing__(self, word: str) -> bytes:
        cut, packed = self._cut(word), self._packed
        ids = self._unk if cut is None else b"".join([packed[i] for i in cut])
        if len(word) <= MAX_LENGTH:
            if len(self) >= MAX_IDS:
                self.clear()
            self[word] = ids
        return ids


class PackedChunks(dict[str, bytes]):
    """Chunk → its ids as bytes, in the same way: `word`, `word,` and `(word` are three chunks."""

    def __init__(
        self, matcher: PieceMatcher, unk_id: int, dtype: np.dtype[Any], lowercase: bool
    ) -> None:
        self._of_word = PackedWords(matcher, unk_id, dtype).__getitem__
        self._lowercase = lowercase

    def __missing__(self, chunk: str) -> bytes:
        words, of_word = words_of_chunk(chunk, self._lowercase), self._of_word
        ids = of_word(words[0]) if len(words) == 1 else b"".join(map(of_word, words))
        if len(chunk) <= MAX_LENGTH:
            if len(self) >= MAX_IDS:
                self.clear()
            self[chunk] = ids
        return ids


PieceInChunk = tuple[int, int, int, int]
"""Token id, start and end in the chunk, index of the word in the chunk."""


class ChunkPieces(dict[str, tuple[PieceInChunk, ...]]):
    """Chunk → pieces with their places in the chunk, worked out when first asked for."""

    def __init__(self, matcher: PieceMatcher, unk_id: int, lowercase: bool) -> None:
        self._match, self._unk_id, self._lowercase = matcher.match, unk_id, lowercase

    def __missing__(self, chunk: str) -> tuple[PieceInChunk, ...]:
        words = align_chunk(chunk, self._lowercase)
        pieces = [piece for index, word in enumerate(words) for piece in self._cut(word, index)]
        return remember(self, chunk, tuple(pieces), MAX_PIECES)

    def _cut(self, word: AlignedWord, index: int) -> list[PieceInChunk]:
        matched = self._match(word.text)
        if matched is None:
            return [(self._unk_id, word.starts[0], word.ends[-1], index)]
        starts = [0, *(end for _, end in matched)]
        return [
            (token_id, word.starts[start], word.ends[end - 1], index)
            for start, (token_id, end) in zip(starts, matched, strict=False)
        ]


def remember(cache: dict[str, Value], chunk: str, value: Value, limit: int) -> Value:
    """Puts a value into a cache, unless the chunk is hardly seen twice; returns the value."""
    if len(chunk) <= MAX_LENGTH:
        if len(cache) >= limit:
            cache.clear()
        cache[chunk] = value
    return value
