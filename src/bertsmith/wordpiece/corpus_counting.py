"""Counting the words of a whole corpus, in this process or in many."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bertsmith._parallel import Workers, ordered_map
from bertsmith._progress import progress
from bertsmith.errors import CorpusError
from bertsmith.wordpiece.caches import remember
from bertsmith.wordpiece.counting import WordCounter, drop_long_words, num_bytes_of
from bertsmith.wordpiece.words import chunks_of, words_of_chunk

if TYPE_CHECKING:
    from bertsmith.corpus import Corpus, RawDocument, Refiner

__all__ = ["count_words"]

_TASK_CHARS = 8_000_000
_MAX_CHUNKS = 1 << 19


def count_words(
    corpus: "Corpus", workers: Workers | None = None, *, lowercase: bool = True
) -> WordCounter:
    """Counts the words of a corpus.

    The files are read here; the workers clean and cut the documents and send back the distinct
    words of about eight million characters with their counts. Sums don't depend on who added them
    up: the result is the same for any workers and any order of the files.

    Args:
        corpus: the documents.
        workers: where to count; one process for each processor where None. What fits into one
            task is counted here all the same.
        lowercase: whether words are lower-cased and lose their accents.

    Returns:
        The counter; `corpus.counts` says what cleaning took out.

    Raises:
        CorpusError: text that is not what it should be, or cleaning has left nothing of it.
        WorkerError: workers die again and again, or the cluster cannot be reached.
    """
    counter = WordCounter(lowercase=lowercase)
    corpus.survey(workers)
    with progress("counting words", corpus.num_bytes or None, "bytes") as bar:
        done = 0
        tasks = _tasks(corpus)
        first = list(islice(tasks, 2))
        job = _Counting(corpus.refiner, lowercase)
        workers = Workers(1) if len(first) < 2 else workers
        for part in ordered_map(job, chain(first, tasks), workers):
            part.add_to(counter)
            corpus.counts.update(part.dropped)
            bar.advance(corpus.bytes_read - done)
            done = corpus.bytes_read
    if not counter.num_text_bytes:
        from bertsmith.corpus.left_out import fix_for_nothing_left

        fix = fix_for_nothing_left(corpus.counts)
        raise CorpusError("no text is left", where=corpus.files[0], fix=fix)
    return counter


@dataclass(frozen=True)
class _WordCounts:
    """The distinct words of some documents, in a form that is small and quick to send.

    Attributes:
        words: the words, a line each.
        counts: how often each occurs, int64 [words].
        num_long_words: words over 200 characters.
        num_text_bytes: size of the text in UTF-8.
        dropped: what cleaning took out.
    """

    words: str
    counts: NDArray[np.int64]
    num_long_words: int
    num_text_bytes: int
    dropped: Counter[str]

    def add_to(self, counter: WordCounter) -> None:
        words = self.words.split("\n") if self.words else []
        counts = dict(zip(words, self.counts.tolist(), strict=True))
        counter.add_counts(counts, num_long_words=self.num_long_words)
        counter.num_text_bytes += self.num_text_bytes


class _Counting:
    """Documents → their word counts; runs in the workers.

    Args:
        refiner: what cleans the documents.
        lowercase: whether words are lower-cased and lose their accents.
    """

    def __init__(self, refiner: "Refiner", lowercase: bool) -> None:
        self._refiner, self._lowercase = refiner, lowercase
        self._words_of_chunk = _ChunkWords(lowercase)

    def __call__(self, documents: "list[RawDocument]") -> _WordCounts:
        chunks, dropped = Counter[str](), Counter[str]()
        num_text_bytes = 0
        for raw in documents:
            plain = self._refiner.plain(raw, dropped)
            if plain is not None:
                num_text_bytes += num_bytes_of(plain.text)
                chunks.update(chunks_of(plain.text))
        words: dict[str, int] = {}
        words_of_chunk = self._words_of_chunk.__getitem__
        for chunk, count in chunks.items():
            for word in words_of_chunk(chunk):
                words[word] = words.get(word, 0) + count
        num_long_words = drop_long_words(words)
        counts = np.fromiter(words.values(), dtype=np.int64, count=len(words))
        return _WordCounts("\n".join(words), counts, num_long_words, num_text_bytes, dropped)

    def __reduce__(self) -> tuple[object, ...]:
        return _Counting, (self._refiner, self._lowercase)


class _ChunkWords(dict[str, tuple[str, ...]]):
    """Chunk → its words, worked out when first asked for: tasks have most chunks in common."""

    def __init__(self, lowercase: bool) -> None:
        self._lowercase = lowercase

    def __missing__(self, chunk: str) -> tuple[str, ...]:
        return remember(self, chunk, tuple(words_of_chunk(chunk, self._lowercase)), _MAX_CHUNKS)


def _tasks(corpus: "Corpus") -> "Iterator[list[RawDocument]]":
    task: list[RawDocument] = []
    num_chars = 0
    for raw in corpus:
        task.append(raw)
        num_chars += len(raw.text)
        if num_chars >= _TASK_CHARS:
            yield task
            task, num_chars = [], 0
    if task:
        yield task
