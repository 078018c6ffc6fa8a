"""Arrow IPC files: written from tokenized chunks, memory-mapped for reading."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bertsmith._files import sha256_of_file
from bertsmith.errors import StoreError
from bertsmith.store.manifest import Shard
from bertsmith.store.tokenizing import TokenizedChunk

__all__ = ["MappedShard", "ShardWriter", "map_shard"]


class ShardWriter:
    """Gathers tokenized documents and writes a shard whenever there are enough tokens.

    Args:
        folder: where the files go.
        dtype: type of a token id.
        shard_tokens: a shard ends with the document that reaches so many tokens.

    Attributes:
        shards: the shards written so far.
    """

    def __init__(
        self, folder: Path, dtype: np.dtype[np.unsignedinteger], shard_tokens: int
    ) -> None:
        self._folder, self._dtype, self._shard_tokens = folder, dtype, shard_tokens
        self._parts: list[TokenizedChunk] = []
        self._num_tokens = 0
        self.shards: list[Shard] = []

    def add(self, chunk: TokenizedChunk) -> None:
        """Takes up a chunk's documents, in order."""
        sentence_stops = np.cumsum(chunk.document_lengths)
        token_stops = np.cumsum(chunk.sentence_lengths)[sentence_stops - 1]
        first = 0
        while first < len(sentence_stops):
            before = int(token_stops[first - 1]) if first else 0
            wanted = self._shard_tokens - self._num_tokens + before
            last = min(int(np.searchsorted(token_stops, wanted)), len(token_stops) - 1)
            self._parts.append(_slice(chunk, sentence_stops, token_stops, first, last + 1))
            self._num_tokens += int(token_stops[last]) - before
            if self._num_tokens >= self._shard_tokens:
                self.close()
            first = last + 1

    def close(self) -> None:
        """Writes what has been gathered, if anything."""
        if not self._parts:
            return
        lengths = np.concatenate([part.sentence_lengths for part in self._parts])
        documents = np.concatenate([part.document_lengths for part in self._parts])
        ids = np.concatenate([part.ids for part in self._parts])
        titles = [title for part in self._parts for title in part.titles]
        name = f"shard-{len(self.shards):05d}.arrow"
        _write(self._folder / name, ids, lengths, documents, titles, _schema(self._dtype))
        self.shards.append(
            Shard(
                name=name,
                sha256=sha256_of_file(self._folder / name),
                num_file_bytes=(self._folder / name).stat().st_size,
                num_documents=len(documents),
                num_sentences=len(lengths),
                num_tokens=len(ids),
            )
        )
        self._parts, self._num_tokens = [], 0


@dataclass(frozen=True)
class MappedShard:
    """A shard in memory-mapped form; nothing is read before it is looked at.

    Attributes:
        ids: all token ids, uint16 or uint32 [tokens].
        sentence_offsets: where sentences start, in tokens, int32 [sentences + 1].
        document_offsets: where documents start, in sentences, int32 [documents + 1].
        titles: the documents' titles.
    """

    ids: NDArray[np.unsignedinteger]
    sentence_offsets: NDArray[np.int32]
    document_offsets: NDArray[np.int32]
    titles: pa.StringArray


def map_shard(folder: Path, shard: Shard, dtype: str) -> MappedShard:
    """Maps a shard into memory and checks that it is what the manifest says.

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
        with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
            if reader.num_record_batches != 1 or reader.schema != _schema(np.dtype(dtype)):
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
        )
    except FileNotFoundError:
        raise StoreError("is missing", where=path, fix=again) from None
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"cannot be read ({error})", where=path, fix=again) from error
    counts = shard.num_documents, shard.num_sentences, shard.num_tokens
    fits = _are_offsets(mapped.document_offsets, counts[0], counts[1])
    fits = fits and _are_offsets(mapped.sentence_offsets, counts[1], counts[2])
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


def _schema(dtype: np.dtype[np.unsignedinteger]) -> pa.Schema:
    token = pa.field("token", pa.from_numpy_dtype(dtype), nullable=False)
    sentence = pa.field("sentence", pa.list_(token), nullable=False)
    return pa.schema(
        [
            pa.field("title", pa.string(), nullable=False),
            pa.field("sentences", pa.list_(sentence), nullable=False),
        ]
    )


def _write(
    path: Path,
    ids: NDArray[np.unsignedinteger],
    sentence_lengths: NDArray[np.int64],
    document_lengths: NDArray[np.int64],
    titles: list[str],
    schema: pa.Schema,
) -> None:
    if len(ids) > np.iinfo(np.int32).max:
        raise StoreError("a document has over 2,147,483,647 tokens", fix="cut it into several")
    kind = schema.field("sentences").type
    sentences = pa.ListArray.from_arrays(
        _offsets(sentence_lengths), pa.array(ids), type=kind.value_type
    )
    documents = pa.ListArray.from_arrays(_offsets(document_lengths), sentences, type=kind)
    batch = pa.RecordBatch.from_arrays([pa.array(titles, pa.string()), documents], schema=schema)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(batch)


def _offsets(lengths: NDArray[np.int64]) -> pa.Int32Array:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.array(offsets)


def _slice(
    chunk: TokenizedChunk,
    sentence_stops: NDArray[np.int64],
    token_stops: NDArray[np.int64],
    first: int,
    stop: int,
) -> TokenizedChunk:
    """Documents `first` up to `stop` of a chunk, without its counts."""
    sentence = int(sentence_stops[first - 1]) if first else 0
    token = int(token_stops[first - 1]) if first else 0
    return TokenizedChunk(
        chunk.ids[token : token_stops[stop - 1]],
        chunk.sentence_lengths[sentence : sentence_stops[stop - 1]],
        chunk.document_lengths[first:stop],
        chunk.titles[first:stop],
        num_unknown=0,
        num_text_bytes=0,
        num_sentences_dropped=0,
        num_documents_dropped=0,
    )
