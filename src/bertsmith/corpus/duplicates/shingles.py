"""Text → hashes of its shingles, the runs of five words that it is compared by."""

from functools import cache

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.occurrences import Keys

__all__ = ["hash_shingles", "hash_words"]

_SHINGLE_WORDS = 5
_BLOCK_CHARS = 2**18
_WORD, _SPACE, _ALONE = 0, 1, 2

# Scripts that put no spaces between words: Thai and Lao, Burmese, Khmer, kana, Han (all planes).
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF),
)  # fmt: skip

_MULTIPLIER = 0x9E3779B97F4A7C15
_POWERS = np.cumprod(np.full(256, _MULTIPLIER, np.uint64), dtype=np.uint64)


def hash_shingles(text: str) -> Keys:
    """Hashes every run of five words of a text, capitals and white space aside.

    A word is what stands between white space; in scripts without spaces between words (Chinese,
    Japanese, Thai, ...) every character is one. A text of fewer than five words is one shingle.

    Returns:
        64-bit hashes, in reading order, with repeats; none for a text of white space alone.

    Example:
        >>> len(hash_shingles("one two three four five six")), len(hash_shingles("雨停了，回家吧"))
        (2, 3)
    """
    words = hash_words(text)
    length = min(len(words), _SHINGLE_WORDS)
    if not length:
        return words
    hashes = np.zeros(len(words) - length + 1, np.uint64)
    for place in range(length):
        hashes += words[place : place + len(hashes)] * _POWERS[place]
    return _mixed(hashes)


def hash_words(text: str) -> Keys:
    """Hashes every word of a text; see `hash_shingles`.

    Example:
        >>> hashes = hash_words("Rain, rain RAIN, 雨雨")
        >>> len(hashes), len(set(hashes.tolist()))
        (5, 3)
    """
    blocks = range(0, len(text), _BLOCK_CHARS)
    return np.concatenate(
        [np.zeros(0, np.uint64), *(_block_words(text[i : i + _BLOCK_CHARS]) for i in blocks)]
    )


def _block_words(text: str) -> Keys:
    """A word's hash is a sum over its characters, each weighted by its place in the word."""
    encoded = text.lower().encode("utf-32-le", "surrogatepass")
    code_points = np.frombuffer(encoded, "<u4")
    kinds = _character_kinds()[code_points]
    in_word = kinds == _WORD
    is_start = kinds == _ALONE
    is_start[:1] |= in_word[:1]
    is_start[1:] |= in_word[1:] & ~in_word[:-1]
    starts = np.flatnonzero(is_start)
    if not len(starts):
        return np.zeros(0, np.uint64)
    first = starts[0]
    word = np.cumsum(is_start[first:]) - 1
    places = np.arange(first, len(code_points)) - starts[word]
    weighted = (code_points[first:].astype(np.uint64) + np.uint64(1)) * _POWERS[places & 255]
    weighted[kinds[first:] == _SPACE] = 0
    return _mixed(np.add.reduceat(weighted, starts - first))


@cache
def _character_kinds() -> npt.NDArray[np.uint8]:
    """For every code point whether it is white space, a word by itself, or part of a word."""
    kinds = np.full(0x110000, _WORD, np.uint8)
    kinds[[point for point in range(0x3001) if chr(point).isspace()]] = _SPACE
    for first, last in _UNSPACED:
        kinds[first : last + 1] = _ALONE
    return kinds


def _mixed(hashes: Keys) -> Keys:
    """The finaliser of splitmix64: every bit of the result depends on every bit given."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
