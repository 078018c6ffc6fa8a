"""What a worker finds out about a chunk of documents, for the survey."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertsmith.corpus.cleaning import hashed_lines
from bertsmith.corpus.document import RawDocument
from bertsmith.corpus.duplicates import NUM_SLOTS, Banding, hash_shingles, signatures
from bertsmith.corpus.duplicates.signatures import Signatures
from bertsmith.corpus.occurrences import Documents, Keys
from bertsmith.corpus.refining import Refiner
from bertsmith.corpus.text_hash import hash_text

__all__ = ["Chunk", "Examined", "Examiner", "line_texts"]

_NO_KEYS, _NO_DOCUMENTS = np.zeros(0, np.uint64), np.zeros(0, np.uint32)


@dataclass(frozen=True)
class Chunk:
    """Documents that follow each other in a corpus.

    Attributes:
        first: the number of the first one.
        documents: as they were read.
    """

    first: int
    documents: Sequence[RawDocument]


@dataclass(frozen=True)
class Examined:
    """What there is to know about a chunk. Documents of which nothing is left are left out.

    Attributes:
        documents: numbers of the documents in the corpus [n].
        texts: hash of each one's text [n].
        lines: hashes of their lines, each once a document [l].
        line_documents: the number of the document in which each stands [l].
        signatures: MinHash signatures [n, 128].
        bands: hashes of their bands [n, bands].
    """

    documents: Documents
    texts: Keys
    lines: Keys
    line_documents: Documents
    signatures: Signatures
    bands: Keys


@dataclass(frozen=True)
class Examiner:
    """Hashes texts and lines, and computes signatures, as far as the settings ask for them.

    Args:
        refiner: what the texts are cleaned with; it knows of no boilerplate yet.
    """

    refiner: Refiner

    def __call__(self, chunk: Chunk) -> Examined:
        """Examines a chunk."""
        cleaning = self.refiner.settings.cleaning
        numbers, plain = list[int](), list[RawDocument]()
        for number, raw in enumerate(chunk.documents, chunk.first):
            document = self.refiner.plain(raw, Counter())
            if document is not None:
                numbers.append(number)
                plain.append(document)
        documents = np.array(numbers, np.uint32)
        texts, rows, bands = _NO_KEYS, np.zeros((0, NUM_SLOTS), np.uint32), _NO_KEYS
        if cleaning.duplicates != "keep":
            texts = np.array([hash_text(document.text) for document in plain], np.uint64)
        if cleaning.duplicates == "near":
            rows = signatures([hash_shingles(document.text) for document in plain])
            bands = Banding.for_similarity(cleaning.near_duplicate_similarity).keys(rows)
        lines, line_documents = _NO_KEYS, _NO_DOCUMENTS
        if cleaning.boilerplate_documents is not None:
            hashed = [list(line_texts(raw, cleaning.boilerplate_min_bytes)) for raw in plain]
            lines = np.array([key for keys in hashed for key in keys], np.uint64)
            line_documents = np.repeat(documents, [len(keys) for keys in hashed])
        return Examined(documents, texts, lines, line_documents, rows, bands)


def line_texts(plain: RawDocument, min_bytes: int) -> dict[int, str]:
    """The lines of a document that may be boilerplate, by their hashes."""
    return {key: line for line, key in hashed_lines(plain, min_bytes) if key is not None}
