"""Arrow IPC files: written from tokenized chunks, memory-mapped for reading."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bertsmith._files import sha256_of_file, sync
from bertsmith.errors import StoreError
from bertsmith.store.manifest import Shard
from bertsmith.store.tokenizing import TokenizedChunk

__all__ = ["MappedShard", "map_shard", "write_shard"]


def write_shard(folder: Path, name: str, chunks: Sequence[TokenizedChunk]) -> Shard:
    """Writes chunks, which hold a token together, as one file, synced to the disk.

    Args:
        folder: where the file goes; what stands there by that name is replaced.
        name: the file's name.
        chunks: the documents.
    """
    lengths = np.concatenate([chunk.sentence_lengths for chunk in chunks])
    documents = np.concatenate([chunk.document_lengths for chunk in chunks])
    ids = np.concatenate([chunk.ids for chunk in chunks])
    titles = [title for chunk in chunks for title in chunk.titles]
    starts = [chunk.word_starts for chunk in chunks if chunk.word_starts is not None]
    word_starts = np.concatenate(starts) if starts else None
    path = folder / name
    _write(path, ids, word_starts, lengths, documents, titles)
    sync(path)
    return Shard(
        name=name,
        sha256=sha256_of_file(path),
        num_file_bytes=path.stat().st_size,
        num_documents=len(documents),
        num_sentences=len(lengths),
        num_tokens=len(ids),
    )


@dataclass(frozen=True)
class MappedShard:
    """A shard in memory-mapped form; nothing is read before it is looked at.

    Attributes:
        ids: all token ids, uint16 or uint32 [tokens].
        sentence_offsets: where sentences start, in tokens, int32 [sentences + 1].
        document_offsets: where documents start, in sentences, int32 [documents + 1].
        titles: the documents' titles.
        word_starts: which tokens start a word, a bit each from the lowest on, uint8
            [⌈tokens / 8⌉]; None where the store doesn't hold that.
    """

    ids: NDArray[np.unsignedinteger]
    sentence_offsets: NDArray[np.int32]
    document_offsets: NDArray[np.int32]
    titles: pa.StringArray
    word_starts: NDArray[np.uint8] | None


def map_shard(folder: Path, shard: Shard, dtype: str, *, has_words: bool = False) -> MappedShard:
    """Maps a shard into memory and checks that it is what the manifest says.

    Args:
        folder: the store.
        shard: which of its shards.
        dtype: type of a token id.
        has_words: whether the store holds where words start.

    Raises:
        StoreError: the file is missing, cut off or not what the manifest says.
    """
    path = folder / shard.name
    again = "copy the store again, or prepare it again with `bertsmith prepare`"
    try:
        size = path.stat().st_size
        if size != shard.num_file_bytes:
            what = f"has {size:,} bytes instead of {shard.num_file_bytes:,}"
            raise StoreError(what, where=path, fix=again)
        schema = _schema(np.dtype(dtype), has_words)
        # As bytes: pyarrow takes a string for UTF-8, which a folder's name need not be.
        with pa.memory_map(os.fsencode(path)) as file, pa.ipc.open_file(file) as reader:
            if reader.num_record_batches != 1 or reader.schema != schema:
                raise StoreError("is not a shard of this store", where=path, fix=again)
            batch = reader.get_batch(0)
            batch.validate()
        documents = batch.column("sentences")
        sentences = documents.values
        mapped = MappedShard(
            sentences.values.to_numpy(zero_copy_only=True),
            sentences.offsets.to_numpy(zero_copy_only=True),
            documents.offsets.to_numpy(zero_copy_only=True),
            batch.column("title"),
            _bits(batch.column("word_starts"), documents) if has_words else None,
        )
    except FileNotFoundError:
        raise StoreError("is missing", where=path, fix=again) from None
    except PermissionError as error:
        what = "cannot be read (Permission denied)"
        raise StoreError(what, where=path, fix="check its permissions") from error
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"cannot be read ({error})", where=path, fix=again) from error
    counts = shard.num_documents, shard.num_sentences, shard.num_tokens
    fits = _are_offsets(mapped.document_offsets, counts[0], counts[1])
    fits = fits and _are_offsets(mapped.sentence_offsets, counts[1], counts[2])
    if mapped.word_starts is not None:
        fits = fits and len(mapped.word_starts) == (counts[2] + 7) // 8
    if not fits or len(mapped.ids) != counts[2] or len(mapped.titles) != counts[0]:
        raise StoreError("does not hold what the manifest says", where=path, fix=again)
    return mapped


def _are_offsets(offsets: NDArray[np.int32], number: int, total: int) -> bool:
    """Whether offsets divide `total` things into `number` parts, none of them empty."""
    return (
        len(offsets) == number + 1
        and offsets[0] == 0
        and offsets[-1] == total
        and bool((offsets[1:] > offsets[:-1]).all())
    )


def _bits(word_starts: pa.ListArray, documents: pa.ListArray) -> NDArray[np.uint8]:
    """The bits of a column of word starts, where its lists are those of the tokens; else none."""
    sentences, tokens = word_starts.values, documents.values
    if not word_starts.offsets.equals(documents.offsets) or not sentences.offsets.equals(
        tokens.offsets
    ):
        return np.empty(0, np.uint8)
    bits = np.frombuffer(sentences.values.buffers()[1], np.uint8)
    return bits[: (len(tokens.values) + 7) // 8]


def _schema(dtype: np.dtype[np.unsignedinteger], has_words: bool) -> pa.Schema:
    columns = [
        pa.field("title", pa.string(), nullable=False),
        pa.field("sentences", _nested("token", pa.from_numpy_dtype(dtype)), nullable=False),
    ]
    if has_words:
        kind = _nested("starts_word", pa.bool_())
        columns.append(pa.field("word_starts", kind, nullable=False))
    return pa.schema(columns)


def _nested(name: str, kind: pa.DataType) -> pa.DataType:
    value = pa.field(name, kind, nullable=False)
    return pa.list_(pa.field("sentence", pa.list_(value), nullable=False))


def _write(
    path: Path,
    ids: NDArray[np.unsignedinteger],
    word_starts: NDArray[np.bool_] | None,
    sentence_lengths: NDArray[np.int64],
    document_lengths: NDArray[np.int64],
    titles: list[str],
) -> None:
    if len(ids) > np.iinfo(np.int32).max:
        raise StoreError("a document has over 2,147,483,647 tokens", fix="cut it into several")
    schema = _schema(ids.dtype, word_starts is not None)
    columns: list[pa.Array] = [pa.array(titles, pa.string())]
    for values in (ids, word_starts):
        if values is not None:
            kind = schema.field(len(columns)).type
            sentences = pa.ListArray.from_arrays(
                _offsets(sentence_lengths), pa.array(values), type=kind.value_type
            )
            columns.append(
                pa.ListArray.from_arrays(_offsets(document_lengths), sentences, type=kind)
            )
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    with pa.OSFile(os.fsencode(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(batch)


def _offsets(lengths: NDArray[np.int64]) -> pa.Int32Array:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.array(offsets)
