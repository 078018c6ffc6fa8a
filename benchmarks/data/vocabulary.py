"""A vocabulary of 30,522 from 240 MB on two cores: time, memory, and the same bytes every time."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data.sources import Sources
from benchmarks.figures import Figure
from benchmarks.measuring import measure, median

__all__ = ["figures", "sameness_figures"]

_SIZE = 30_522


def figures(sources: Sources) -> Iterator[Figure]:
    """Time and memory with two workers."""
    corpus = [sources.text("wiki_en"), sources.text("books_en")]
    done = [measure(_learn, corpus, 2, cores=2) for _ in range(sources.rounds)]
    seconds = [run.result["seconds"] for run in done]
    name = f"vocabulary of {_SIZE:,} from 240 MB, two cores"
    details = {"seconds, each round": seconds}
    yield Figure(name, median(seconds), "s", 60, bound="at most", details=details)
    peak = max(run.peak_bytes for run in done) / 1e6
    yield Figure(f"{name}: memory, all processes", peak, "MB", 2000, bound="at most")


def sameness_figures(sources: Sources) -> Iterator[Figure]:
    """Ten runs with 1, 2 and 3 workers."""
    corpus = [sources.text("wiki_en"), sources.text("books_en")]
    hashes = []
    for run in range(10):
        done = measure(_learn, corpus, 1 + run % 3, cores=2)
        hashes.append((1 + run % 3, done.result["sha256"]))
    yield Figure(
        "vocabulary, ten runs with 1, 2, 3 workers: different files",
        len({sha256 for _, sha256 in hashes}), "", 1, bound="at most",
        details={"workers, SHA-256": hashes},
    )  # fmt: skip


def _learn(corpus: list[Path], num_workers: int) -> dict[str, object]:
    from bertsmith._parallel import Workers
    from bertsmith.corpus import open_corpus
    from bertsmith.wordpiece import count_words, learn_from_counts

    start = time.perf_counter()
    counter = count_words(open_corpus(corpus), Workers(num_workers), lowercase=True)
    vocabulary = learn_from_counts(counter.counts, size=_SIZE)
    return {"seconds": time.perf_counter() - start, "sha256": vocabulary.sha256}
