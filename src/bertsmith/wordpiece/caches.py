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


class PackedChunks(dict[str, bytes]):
    """Chunk → its ids as bytes, worked out when first asked for.

    `word`, `word!` and `word's` are three chunks. A `dict` with `__missing__`, so that a chunk seen
    before costs one look-up in C and no Python. When it is full it is emptied: text is so uneven
    that the frequent chunks are back at once, and nothing has to be kept in order. Ids are kept as
    bytes, because joining bytes is the fastest way to lay them end to end, and the garbage
    collector doesn't look at them.
    """

    def __init__(
        self, matcher: PieceMatcher, unk_id: int, dtype: np.dtype[Any], lowercase: bool
    ) -> None:
        self._cut, self._lowercase = matcher.cut, lowercase
        num_ids, size = matcher.vocab_size, dtype.itemsize
        packed = np.arange(num_ids, dtype=dtype).tobytes()
        self._packed = [packed[size * i : size * (i + 1)] for i in range(num_ids)]
        self._unk = self._packed[unk_id]
        # Words with other letters: as a chunk they could be normalised once more, and change.
        self._of_other_word: dict[str, bytes] = {}

    def __missing__(self, chunk: str) -> bytes:
        if chunk.isalnum() and chunk.isascii() and (not self._lowercase or chunk == chunk.lower()):
            ids = self._ids_of_word(chunk)
        else:
            words = words_of_chunk(chunk, self._lowercase)
            ids = b"".join([self._look_up(word) for word in words])
        return remember(self, chunk, ids, MAX_IDS)

    def _look_up(self, word: str) -> bytes:
        if word.isascii():
            # Such a word is a chunk as well, and the same one: it is remembered as that.
            known: dict[str, bytes] = self
        else:
            known = self._of_other_word
        ids = known.get(word)
        return remember(known, word, self._ids_of_word(word), MAX_IDS) if ids is None else ids

    def _ids_of_word(self, word: str) -> bytes:
        cut, packed = self._cut(word), self._packed
        return self._unk if cut is None else b"".join([packed[i] for i in cut])


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
