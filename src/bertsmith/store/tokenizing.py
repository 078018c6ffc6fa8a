"""Raw documents → token ids, a chunk at a time: the work that is spread over workers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertsmith.corpus import Corpus, CorpusPosition, RawDocument, Refiner, split
from bertsmith.store.words import JiebaWords
from bertsmith.wordpiece import Tokenizer

__all__ = ["DocumentChunk", "TokenizedChunk", "Tokenizing", "document_chunks"]


@dataclass(frozen=True)
class DocumentChunk:
    """Some documents of a corpus, one after another.

    Attributes:
        documents: the documents, at least one.
        end: where the corpus goes on after them.
    """

    documents: list[RawDocument]
    end: CorpusPosition


@dataclass(frozen=True)
class TokenizedChunk:
    """The token ids of some documents, laid end to end.

    Attributes:
        ids: all token ids, uint16 or uint32 [tokens].
        sentence_lengths: tokens of every sentence, at least 1, int64 [sentences].
        document_lengths: sentences of every document, at least 1, int64 [documents].
        titles: every document's title.
        num_unknown: how many ids are [UNK].
        num_text_bytes: UTF-8 bytes of the documents' text, mark-up taken out.
        counts: what was taken out, name → number; `sentences_dropped` and `documents_dropped` had
            no token.
        end: where the corpus goes on after these documents.
        word_starts: which tokens start a word, bool [tokens]; None where their `##` tells.
    """

    ids: NDArray[np.unsignedinteger]
    sentence_lengths: NDArray[np.int64]
    document_lengths: NDArray[np.int64]
    titles: list[str]
    num_unknown: int
    num_text_bytes: int
    counts: dict[str, int]
    end: CorpusPosition
    word_starts: NDArray[np.bool_] | None = None


def document_chunks(
    corpus: Corpus, start: CorpusPosition | None, chunk_chars: int
) -> Iterator[DocumentChunk]:
    """Yields a corpus's documents from a position on, so many at a time.

    Args:
        corpus: the text; it is read as chunks are asked for.
        start: where to start; None for the start.
        chunk_chars: a chunk ends with the document that reaches so many characters.
    """
    documents, size = list[RawDocument](), 0
    for document in corpus.read(start):
        documents.append(document)
        size += len(document.text)
        if size >= chunk_chars:
            yield DocumentChunk(documents, corpus.position)
            documents, size = [], 0
    if documents:
        yield DocumentChunk(documents, corpus.position)


@dataclass(frozen=True)
class Tokenizing:
    """Cuts documents into sentences and sentences into token ids; a job for workers.

    Args:
        tokenizer: what gives the ids.
        refiner: what cleans documents and cuts them into sentences.
        words: what finds where words start, or None where the tokens' `##` tells.
    """

    tokenizer: Tokenizer
    refiner: Refiner
    words: JiebaWords | None = None

    def __call__(self, chunk: DocumentChunk) -> TokenizedChunk:
        """Tokenizes a chunk. What has no token is dropped and counted."""
        dtype = self.tokenizer.dtype
        packed: list[bytes] = []
        word_starts: list[bool] = []
        sentence_lengths: list[int] = []
        document_lengths: list[int] = []
        titles: list[str] = []
        counts = Counter[str]()
        num_text_bytes = 0
        for raw in chunk.documents:
            plain = self.refiner.plain(raw, counts)
            document = None if plain is None else split(plain, self.refiner.settings.language)
            if plain is None or document is None:
                continue
            num_text_bytes += len(plain.text) if plain.text.isascii() else len(plain.text.encode())
            num_before = len(sentence_lengths)
            for sentence in document.sentences:
                if self.words is None:
                    found = self.tokenizer.packed_ids(sentence)
                else:
                    ids, starts = self.words(sentence)
                    found = np.array(ids, dtype).tobytes()
                    word_starts += starts
                if found:
                    packed.append(found)
                    sentence_lengths.append(len(found) // dtype.itemsize)
            num_kept = len(sentence_lengths) - num_before
            counts["sentences_dropped"] += len(document.sentences) - num_kept
            if num_kept:
                document_lengths.append(num_kept)
                titles.append(raw.title)
            else:
                counts["documents_dropped"] += 1
        array = np.frombuffer(b"".join(packed), dtype)
        return TokenizedChunk(
            array,
            np.array(sentence_lengths, dtype=np.int64),
            np.array(document_lengths, dtype=np.int64),
            titles,
            num_unknown=int(np.count_nonzero(array == self.tokenizer.vocabulary.unk_id)),
            num_text_bytes=num_text_bytes,
            counts={name: number for name, number in counts.items() if number},
            end=chunk.end,
            word_starts=None if self.words is None else np.array(word_starts, dtype=np.bool_),
        )
