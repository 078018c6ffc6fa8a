"""Parquet: a column of texts and perhaps one of titles."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from bertsmith.corpus.document import RawDocument
from bertsmith.corpus.source import Source
from bertsmith.errors import CorpusError

__all__ = ["NEEDS_SEEKING", "read"]

NEEDS_SEEKING = True
_BATCH_ROWS = 256
_BUFFER_BYTES = 2**20


def read(stream: BinaryIO, source: Source) -> Iterator[RawDocument]:
    """Yields a document for each row; a line break in its text ends a paragraph."""
    if not stream.seekable():
        raise CorpusError(
            "the server cannot start in the middle of a file, which Parquet needs",
            where=source.where,
            fix="download the file first",
        )
    row = 0
    for texts, titles in _columns(stream, source):
        for text, title in zip(texts, titles, strict=True):
            row += 1
            document = _document(text, title, row, source)
            if document is not None:
                yield document


def _document(
    text: bytes | None, title: bytes | None, row: int, source: Source
) -> RawDocument | None:
    if text and len(text) > source.settings.max_line_bytes:
        source.fault(
            "long_records_dropped",
            f"the text of this row is longer than {source.settings.max_line_bytes:,} bytes",
            line=row,
            fix="cut it into several rows",
            instead="drop it",
        )
        return None
    decoded = source.decode(text or b"", line=row)
    if not decoded.strip():
        source.fault(
            "empty_documents", "the text of this row is empty", line=row, instead="skip it"
        )
        return None
    name = " ".join(source.decode(title or b"", line=row).split())
    return RawDocument(name, decoded, False, source.at(row))


def _columns(
    stream: BinaryIO, source: Source
) -> Iterator[tuple[list[bytes | None], list[bytes | None]]]:
    """Batches of texts and titles, as bytes: Parquet promises UTF-8, but nobody checks it."""
    num_rows = 0
    try:
        file = pq.ParquetFile(
            stream, buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True
        )
        text_column, title_column = _chosen_columns(file.schema_arrow, source)
        columns = [text_column, *([title_column] if title_column else [])]
        for batch in _batches(file, columns):
            texts = _as_bytes(batch.column(text_column))
            titles = _as_bytes(batch.column(title_column)) if title_column else [None] * len(texts)
            num_rows += len(texts)
            yield texts, titles
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        source.fault(
            "truncated_files" if num_rows else "broken_files",
            f"cannot be read as Parquet ({' '.join(str(error).split())[:200]}; "
            f"{num_rows:,} rows before that are good)",
            fix="copy or download the file again, or write it anew",
            instead="keep what is good",
        )


def _batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches that end with their row group, so that nothing of a good one is lost to a bad one."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(
            _BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False
        )


def _chosen_columns(schema: pa.Schema, source: Source) -> tuple[str, str | None]:
    text, title = source.settings.text_column, source.settings.title_column
    if schema.names.count(text) != 1:
        names = ", ".join(repr(name[:40]) for name in schema.names[:8])
        raise CorpusError(
            f"has no column {text!r}, only {names or 'no column at all'}",
            where=source.where,
            fix="name the column that holds the text with --text-column",
        )
    kind = schema.field(text).type
    if not _is_text(kind):
        lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        raise CorpusError(
            f"column {text!r} holds {kind}, not text",
            where=source.where,
            fix="join the pieces of each row into one text first"
            if lists and _is_text(kind.value_type)
            else "name the column that holds the text with --text-column",
        )
    has_title = schema.names.count(title) == 1 and title != text
    usable = has_title and _is_text(schema.field(title).type)
    return text, title if usable else None


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _as_bytes(column: pa.Array) -> list[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())
    return list(column.cast(pa.large_binary()).to_pylist())
