"""Raw documents → token ids, a chunk at a time, in this process or in others."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertsmith.corpus import RawDocument, split
from bertsmith.errors import StoreError
from bertsmith.wordpiece import Tokenizer, Vocabulary

__all__ = ["TokenizedChunk", "ids_dtype", "num_processors", "tokenize", "tokenize_chunk"]


@dataclass(frozen=True)
class TokenizedChunk:
    """The token ids of some documents, laid end to end.

    Attributes:
        ids: all token ids, uint16 or uint32 [tokens].
        sentence_lengths: tokens of every sentence, at least 1, int64 [sentences].
        document_lengths: sentences of every document, at least 1, int64 [documents].
        titles: every document's title.
        num_unknown: how many ids are [UNK].
        num_text_bytes: UTF-8 bytes of the documents' text.
        num_sentences_dropped: sentences that had no token.
        num_documents_dropped: documents that had no token.
    """

    ids: NDArray[np.unsignedinteger]
    sentence_lengths: NDArray[np.int64]
    document_lengths: NDArray[np.int64]
    titles: list[str]
    num_unknown: int
    num_text_bytes: int
    num_sentences_dropped: int
    num_documents_dropped: int


def ids_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger]:
    """The smallest type that holds every id of a vocabulary.

    Example:
        >>> ids_dtype(65_536), ids_dtype(65_537)
        (dtype('uint16'), dtype('uint32'))
    """
    return np.dtype(np.uint16 if vocab_size <= 2**16 else np.uint32)


def num_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tokenize_chunk(
    documents: list[RawDocument], tokenizer: Tokenizer, language: str
) -> TokenizedChunk:
    """Cuts documents into sentences and sentences into token ids."""
    ids: list[int] = []
    sentence_lengths: list[int] = []
    document_lengths: list[int] = []
    titles: list[str] = []
    num_text_bytes = num_sentences_dropped = 0
    for raw in documents:
        document = split(raw, language)
        sentences = document.sentences if document else []
        num_kept = 0
        for sentence in sentences:
            found = tokenizer.token_ids(sentence)
            if found:
                ids += found
                sentence_lengths.append(len(found))
                num_kept += 1
        num_sentences_dropped += len(sentences) - num_kept
        num_text_bytes += len(raw.text) if raw.text.isascii() else len(raw.text.encode())
        if num_kept:
            document_lengths.append(num_kept)
            titles.append(raw.title)
    array = np.array(ids, dtype=ids_dtype(len(tokenizer.vocabulary)))
    return TokenizedChunk(
        array,
        np.array(sentence_lengths, dtype=np.int64),
        np.array(document_lengths, dtype=np.int64),
        titles,
        num_unknown=int(np.count_nonzero(array == tokenizer.vocabulary.unk_id)),
        num_text_bytes=num_text_bytes,
        num_sentences_dropped=num_sentences_dropped,
        num_documents_dropped=len(documents) - len(titles),
    )


def tokenize(
    documents: Iterable[RawDocument],
    tokenizer: Tokenizer,
    language: str,
    *,
    chunk_chars: int,
    num_workers: int,
) -> Iterator[TokenizedChunk]:
    """Tokenizes documents chunk by chunk, in order, whatever the number of workers.

    Args:
        documents: the documents; they are read in this process.
        tokenizer: what gives the ids.
        language: whose rules cut sentences.
        chunk_chars: a chunk ends with the document that reaches so many characters.
        num_workers: processes to tokenize in; up to 1 means this one.
    """
    chunks = _chunks(documents, chunk_chars)
    if num_workers <= 1:
        return (tokenize_chunk(chunk, tokenizer, language) for chunk in chunks)
    return _in_processes(chunks, tokenizer, language, num_workers)


def _chunks(documents: Iterable[RawDocument], chunk_chars: int) -> Iterator[list[RawDocument]]:
    chunk, size = list[RawDocument](), 0
    for document in documents:
        chunk.append(document)
        size += len(document.text)
        if size >= chunk_chars:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _in_processes(
    chunks: Iterator[list[RawDocument]], tokenizer: Tokenizer, language: str, num_workers: int
) -> Iterator[TokenizedChunk]:
    pool = ProcessPoolExecutor(
        num_workers,
        # Not "fork": the calling process may have threads, whose locks a fork would copy held.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(tokenizer.vocabulary, tokenizer.lowercase, language),
    )
    # Only so many chunks are under way that the memory stays bounded; results keep their order.
    waiting = deque[Future[TokenizedChunk]]()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_tokenize_in_worker, chunk))
            if len(waiting) > 2 * num_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise StoreError(
            "a worker process was killed, probably for want of memory",
            fix="give fewer --workers",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_worker: tuple[Tokenizer, str] | None = None


def _start_worker(vocabulary: Vocabulary, lowercase: bool, language: str) -> None:
    global _worker
    # Ctrl-C reaches every process of the terminal; the first one ends the others in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = Tokenizer(vocabulary, lowercase=lowercase), language


def _tokenize_in_worker(chunk: list[RawDocument]) -> TokenizedChunk:
    if _worker is None:
        raise RuntimeError("the worker was not started by _start_worker")
    return tokenize_chunk(chunk, *_worker)
