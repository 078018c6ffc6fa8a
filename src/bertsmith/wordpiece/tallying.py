"""Exact counts of any number of words in bounded memory."""

import shutil
import struct
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

__all__ = ["WordTally"]

_NUM_PARTS = 64
_HEADER = struct.Struct("<qq")


class WordTally:
    """Counts of words; where there are too many to hold, they are laid on disk.

    What doesn't fit is divided among 64 temporary files by the words' hashes, and the memory is
    used anew. A word is always in the same file, so that adding up one file at a time gives exact
    counts of everything. The files go away with the tally.

    Args:
        max_words: how many distinct words are held in memory.

    Example:
        >>> tally = WordTally(max_words=2)
        >>> for words in (["a", "b"], ["b", "c"], ["c", "d", "b"]):
        ...     tally.add(words, [1] * len(words))
        >>> sorted(tally.items())
        [('a', 1), ('b', 3), ('c', 2), ('d', 1)]
        >>> tally.most_frequent(2)
        {'b': 3, 'c': 2}
    """

    def __init__(self, max_words: int) -> None:
        self._max_words = max_words
        self._words: dict[str, int] = {}
        self._folder: Path | None = None

    def add(self, words: Iterable[str], counts: Iterable[int]) -> None:
        """Adds counts; a word may come several times."""
        held = self._words
        get = held.get
        for word, count in zip(words, counts, strict=True):
            held[word] = get(word, 0) + count
        if len(held) > self._max_words:
            self._spill()

    def items(self) -> Iterator[tuple[str, int]]:
        """Yields every word with its count, in no particular order."""
        if self._folder is None:
            yield from self._words.items()
            return
        self._spill()
        for path in self._paths():
            words: dict[str, int] = {}
            with path.open("rb") as file:
                while header := file.read(_HEADER.size):
                    num_words, num_bytes = _HEADER.unpack(header)
                    block = file.read(num_bytes).decode("utf-8", "surrogatepass").split("\n")
                    counts = np.frombuffer(file.read(8 * num_words), dtype="<i8").tolist()
                    for word, count in zip(block, counts, strict=True):
                        words[word] = words.get(word, 0) + count
            yield from words.items()

    def most_frequent(self, num_words: int) -> dict[str, int]:
        """The most frequent words with their counts; ties go to the smaller strings."""
        if self._folder is None and len(self._words) <= num_words:
            return dict(self._words)
        kept: list[tuple[int, str]] = []
        worst: tuple[int, str] | None = None
        for word, count in self.items():
            if worst is None or (-count, word) < worst:
                kept.append((-count, word))
                if len(kept) >= 2 * num_words:
                    worst = _trim(kept, num_words)
        _trim(kept, num_words)
        return {word: -count for count, word in kept}

    def _paths(self) -> list[Path]:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="bertsmith-words-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return [self._folder / f"{part:02}" for part in range(_NUM_PARTS)]

    def _spill(self) -> None:
        # Python's own hash differs from process to process, but a tally lives in one alone.
        parts: list[list[str]] = [[] for _ in range(_NUM_PARTS)]
        for word in self._words:
            parts[hash(word) % _NUM_PARTS].append(word)
        for path, words in zip(self._paths(), parts, strict=True):
            text = "\n".join(words).encode("utf-8", "surrogatepass")
            counts = np.array([self._words[word] for word in words], dtype="<i8")
            if words:
                with path.open("ab") as file:
                    file.write(_HEADER.pack(len(words), len(text)) + text + counts.tobytes())
            path.touch()
        self._words.clear()


def _trim(kept: list[tuple[int, str]], size: int) -> tuple[int, str]:
    """Leaves the smallest ones, in order; returns the last of them."""
    kept.sort()
    del kept[size:]
    return kept[-1]
