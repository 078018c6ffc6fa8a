"""Text files in every format, and how to read them, for tests."""

import bz2
import gzip
import io
import json
import lzma
from collections import Counter
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from bertsmith.corpus import CorpusSettings
from bertsmith.corpus.compression import decompressed
from bertsmith.corpus.formats import find_format
from bertsmith.corpus.source import Source


def write_txt(documents):
    """Google's form; it has no titles."""
    return "\n\n".join("\n".join(document.sentences) for document in documents).encode() + b"\n"


def write_jsonl(documents):
    records = ({"title": d.title, "text": "\n".join(d.sentences)} for d in documents)
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def write_parquet(documents):
    table = pa.table(
        {
            "title": [document.title for document in documents],
            "text": ["\n".join(document.sentences) for document in documents],
        },
        schema=pa.schema([("title", pa.string()), ("text", pa.string())]),
    )
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=3)
    return out.getvalue()


def xml_page(title, text, *, namespace=0, extra=""):
    """A page of a MediaWiki export; the text is written as it stands."""
    return (
        f"<page><title>{escape(title)}</title><ns>{namespace}</ns>{extra}"
        f"<revision><text>{escape(text)}</text></revision></page>\n"
    )


def xml_dump(*pages):
    return f'<mediawiki xml:lang="en">\n{"".join(pages)}</mediawiki>\n'.encode()


def write_xml(documents):
    return xml_dump(*(xml_page(d.title, "\n\n".join(d.sentences)) for d in documents))


WRITERS = {"txt": write_txt, "jsonl": write_jsonl, "parquet": write_parquet, "xml": write_xml}
"""How to write every format; a new format needs its own."""

COMPRESS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}


def read_bytes(data, name="txt", counts=None, compression="", **settings):
    """Reads bytes in a format, as raw documents."""
    counts = Counter() if counts is None else counts
    source = Source(f"a.{name}", CorpusSettings(**settings), counts)
    stream = decompressed(io.BytesIO(data), compression, source)
    return list(find_format(name).read(stream, source))
