"""`prepare` from `.jsonl.zst`: speed a core, two workers against one, memory on a large corpus."""

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data.sources import Sources, records_of
from benchmarks.figures import Figure
from benchmarks.measuring import alternate, measure, median

__all__ = ["figures", "memory_figures", "scaling_figures"]

_LARGE_BYTES, _MIDDLE_BYTES = 5_000_000_000, 950_000_000


def figures(sources: Sources) -> Iterator[Figure]:
    """Speed of the command with one worker on one core, and with two on two."""
    texts = [sources.text("wiki_en"), sources.text("books_en")]
    vocab, store = sources.vocabulary("uncased_en"), sources.work / "store"
    size = sum(len(record.encode()) for text in texts for record in records_of(text)) / 1e6
    seconds = alternate(
        [
            lambda: measure(_command, texts, vocab, store, 1, cores=1).result,
            lambda: measure(_command, texts, vocab, store, 2, cores=2).result,
        ],
        sources.rounds,
    )
    speeds = [[size / second for second in each] for each in seconds]
    one, two = map(median, speeds)
    details = {"MB/s, each round": speeds, "MB of text": size}
    yield Figure("prepare from .jsonl.zst, one core", one, "MB/s", 6, details=details)
    yield Figure(
        "prepare, two workers on two cores", two, "MB/s", 1.8,
        reference=one, reference_name="one worker on one core", details=details,
    )  # fmt: skip
    hashes = {
        workers: measure(_prepare, texts, vocab, store, workers, cores=2).result["hash"]
        for workers in (1, 2, 3)
    }
    yield Figure(
        "prepare with 1, 2, 3 workers: different stores", len(set(hashes.values())), "", 1,
        bound="at most", details={"SHA-256 of all files": hashes},
    )  # fmt: skip


def memory_figures(sources: Sources) -> Iterator[Figure]:
    """Memory of the largest process while 5 GB are prepared."""
    vocab, large = sources.vocabulary("uncased_en"), sources.work / "large.jsonl.zst"
    size = _repeat(sources, large, _LARGE_BYTES)
    done = measure(_prepare, [large], vocab, sources.work / "store", 2, cores=2)
    large.unlink()
    details = {
        "GB of text": size / 1e9,
        "seconds": done.result["seconds"],
        "MB/s": size / 1e6 / done.result["seconds"],
        "MB, all processes": done.peak_bytes / 1e6,
    }
    peak = done.peak_bytes_of_one / 1e6
    yield Figure(
        "prepare of 5 GB, memory of the largest process", peak, "MB", 1000, bound="at most",
        details=details,
    )  # fmt: skip


def scaling_figures(sources: Sources) -> Iterator[Figure]:
    """Two workers against one where the start of processes and cold caches weigh less."""
    vocab, text = sources.vocabulary("uncased_en"), sources.work / "middle.jsonl.zst"
    size, store = _repeat(sources, text, _MIDDLE_BYTES) / 1e6, sources.work / "store"
    two, one = (
        size / measure(_command, [text], vocab, store, workers, cores=workers).result
        for workers in (2, 1)
    )
    text.unlink()
    yield Figure(
        "prepare of 1 GB, two workers on two cores", two, "MB/s", 1.8,
        reference=one, reference_name="one worker on one core", details={"MB of text": size},
    )  # fmt: skip


def _repeat(sources: Sources, path: Path, num_bytes: int) -> int:
    """Lays the English texts end to end until there are so many bytes; returns how many."""
    parts = [sources.text("wiki_en"), sources.text("books_en")]
    once = sum(len(record.encode()) for part in parts for record in records_of(part))
    size = 0
    with path.open("wb") as file:
        while size < num_bytes:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, file)
            size += once
    return size


def _command(corpus: list[Path], vocab: Path, folder: Path, workers: int) -> float:
    """Seconds of `bertsmith prepare` as a user runs it, the start of Python included."""
    options = ["--vocab", vocab, "-o", folder, "--workers", workers, "--overwrite"]
    command = [sys.executable, "-m", "bertsmith", "prepare", *corpus, *options]
    start = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return time.perf_counter() - start


def _prepare(corpus: list[Path], vocab: Path, folder: Path, workers: int) -> dict[str, object]:
    from bertsmith._parallel import Workers
    from bertsmith.corpus import open_corpus
    from bertsmith.store import write_store
    from bertsmith.wordpiece import Tokenizer

    start = time.perf_counter()
    text, team = open_corpus(corpus), Workers(workers)
    write_store(text, Tokenizer(vocab), folder, workers=team, overwrite=True)
    seconds = time.perf_counter() - start
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return {"seconds": seconds, "hash": digest.hexdigest()}
