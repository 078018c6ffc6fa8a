"""Reading a corpus once to find what can be known only of the whole: duplicates, boilerplate."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from bertsmith._parallel import Workers, ordered_map
from bertsmith._progress import progress
from bertsmith.corpus.document import RawDocument
from bertsmith.corpus.examining import Chunk, Examiner
from bertsmith.corpus.findings import Findings
from bertsmith.corpus.notes import Notes
from bertsmith.corpus.refining import Refiner

if TYPE_CHECKING:
    from bertsmith.corpus.corpus import Corpus

__all__ = ["survey"]

_CHUNK_CHARS, _CHUNK_DOCUMENTS = 2**20, 2**12


def survey(corpus: "Corpus", workers: Workers | None = None) -> Findings:
    """Reads a corpus and finds what its cleaning settings ask for.

    The corpus is read once. Workers clean and hash its documents; what they find is noted on disk
    (in the folder for temporary files: 12 bytes a line, 12 a document, for near-duplicates 0.8 KB
    a document) and decided upon at the end, in the order of the documents: first which have the
    same text as one before, then which resemble one that stays, then which lines stand in many of
    those that are left. So a document that stands there a hundred times doesn't make its own lines
    boilerplate, and nothing depends on the number of workers.

    Args:
        corpus: the text; what comes from it is read as if nothing had been found.
        workers: where to work; a process for each processor where None.

    Raises:
        CorpusError: text that is not what it should be, or no room for the notes.
    """
    refiner = Refiner(corpus.settings)
    under_way = deque[Chunk]()

    def chunks() -> Iterator[Chunk]:
        for chunk in _chunks(corpus.read()):
            under_way.append(chunk)
            yield chunk

    with closing(Notes(refiner)) as notes:
        with progress("surveying", corpus.num_bytes or None, "bytes") as bar:
            done = 0
            for examined in ordered_map(Examiner(refiner), chunks(), workers):
                notes.add(under_way.popleft(), examined)
                bar.advance(corpus.bytes_read - done)
                done = corpus.bytes_read
        return notes.conclude()


def _chunks(documents: Iterator[RawDocument]) -> Iterator[Chunk]:
    number, taken, size = 0, list[RawDocument](), 0
    for document in documents:
        taken.append(document)
        size += len(document.text)
        if size >= _CHUNK_CHARS or len(taken) >= _CHUNK_DOCUMENTS:
            yield Chunk(number, taken)
            number, taken, size = number + len(taken), [], 0
    if taken:
        yield Chunk(number, taken)
