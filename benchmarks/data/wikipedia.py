"""Raw Wikipedia XML → paragraphs on one core."""

import bz2
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data.sources import Sources
from benchmarks.figures import Figure
from benchmarks.measuring import measure, median

__all__ = ["figures"]


def figures(sources: Sources) -> Iterator[Figure]:
    """Megabytes of XML a second, unpacked before the clock starts and packed as it comes."""
    packed = sources.data / "pretrain" / "enwiki-sample.xml.bz2"
    unpacked = sources.work / "sample.xml"
    unpacked.write_bytes(bz2.decompress(packed.read_bytes()))
    size = unpacked.stat().st_size / 1e6
    for path, name in ((unpacked, "Wikipedia XML, one core"), (packed, "the same from .bz2")):
        speeds = [size / measure(_read, path).result for _ in range(sources.rounds)]
        yield Figure(
            name, median(speeds), "MB/s", 3, details={"MB/s, each round": speeds, "MB of XML": size}
        )


def _read(path: Path) -> float:
    from bertsmith.corpus import open_corpus

    start = time.perf_counter()
    corpus, counts = open_corpus(path), Counter[str]()
    refiner = corpus.refiner
    for raw in corpus:
        refiner.plain(raw, counts)
    return time.perf_counter() - start
