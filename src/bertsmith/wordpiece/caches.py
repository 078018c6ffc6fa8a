"""Remembered chunks: most of a text is chunks that were seen before."""

from bertsmith.wordpiece.alignment import AlignedWord, align_chunk
from bertsmith.wordpiece.matching import PieceMatcher
from bertsmith.wordpiece.words import words_of

__all__ = ["ChunkIds", "ChunkPieces"]

MAX_CHUNKS = 1 << 18
MAX_CHUNK_LENGTH = 64


class ChunkIds(dict[str, tuple[int, ...]]):
    """Chunk → token ids, worked out when first asked for.

    A `dict` with `__missing__`, so that a chunk seen before costs one look-up in C and none of
    Python's. When it is full it is emptied: text is so uneven that the frequent chunks are back
    at once, and nothing has to be kept in order. Chunks over 64 characters are hardly seen
    twice and are not kept.
    """

    def __init__(self, matcher: PieceMatcher, unk_id: int, lowercase: bool):
        self._match, self._unk_id, self._lowercase = matcher.match, unk_id, lowercase

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        ids: list[int] = []
        for word in words_of(chunk, self._lowercase):
            pieces = self._match(word)
            if pieces is None:
                ids.append(self._unk_id)
            else:
                ids += [token_id for token_id, _ in pieces]
        return _remember(self, chunk, tuple(ids))


PieceInChunk = tuple[int, int, int, int]
"""Token id, start and end in the chunk, index of the word in the chunk."""


class ChunkPieces(dict[str, tuple[PieceInChunk, ...]]):
    """Chunk → pieces with their places in the chunk, worked out when first asked for."""

    def __init__(self, matcher: PieceMatcher, unk_id: int, lowercase: bool):
        self._match, self._unk_id, self._lowercase = matcher.match, unk_id, lowercase

    def __missing__(self, chunk: str) -> tuple[PieceInChunk, ...]:
        words = align_chunk(chunk, self._lowercase)
        pieces = [piece for index, word in enumerate(words) for piece in self._cut(word, index)]
        return _remember(self, chunk, tuple(pieces))

    def _cut(self, word: AlignedWord, index: int) -> list[PieceInChunk]:
        matched = self._match(word.text)
        if matched is None:
            return [(self._unk_id, word.starts[0], word.ends[-1], index)]
        starts = [0, *(end for _, end in matched)]
        return [
            (token_id, word.starts[start], word.ends[end - 1], index)
            for start, (token_id, end) in zip(starts, matched, strict=False)
        ]


def _remember[T](cache: dict[str, T], chunk: str, value: T) -> T:
    if len(chunk) <= MAX_CHUNK_LENGTH:
        if len(cache) >= MAX_CHUNKS:
            cache.clear()
        cache[chunk] = value
    return value
