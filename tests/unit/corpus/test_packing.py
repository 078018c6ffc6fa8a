"""Files that are packed otherwise than their names say."""

import io
import sys
from itertools import permutations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.corpus.packing import packing_of
from bertsmith.errors import CorpusError
from corpus_files import COMPRESS

TEXT = "It rained. It was late.\nHe rose, très tôt.\n" * 200
EVERY = pytest.mark.parametrize("compression", sorted(COMPRESS))
REPLACE = CorpusSettings(errors="replace")


def is_refused(path, message):
    """Says so in one line; and is left out and counted where errors aren't strict."""
    with pytest.raises(CorpusError) as caught:
        list(open_corpus(path))
    assert str(caught.value) == f"{path}: {message}, or give --errors replace to skip it"
    other = path.with_name(f"other.{path.name}.txt")
    other.write_text("It rained.")
    corpus = open_corpus([path, other], REPLACE)
    assert [raw.text for raw in corpus] == ["It rained."]
    assert corpus.counts == {"broken_files": 1}


@EVERY
@pytest.mark.parametrize("data", [TEXT.encode(), b""], ids=["text", "nothing"])
def test_the_first_bytes_tell_how_data_is_packed(compression, data):
    assert packing_of(COMPRESS[compression](data)) == compression


@pytest.mark.parametrize("start", [b"", b"B", b"BZh", b"BZh9 is a text", b"PAR1 is one", b"PK..."])
def test_text_is_not_packed(start):
    assert packing_of(start) == ""


@pytest.mark.parametrize(("found", "named"), list(permutations(COMPRESS, 2)))
def test_another_compression_than_the_name_says(tmp_path, found, named):
    path = tmp_path / f"a.txt{named}"
    path.write_bytes(COMPRESS[found](TEXT.encode()))
    fix = f"put {found} in place of {named} at the end of its name"
    is_refused(path, f"is {found} data, not {named}; {fix}")


@EVERY
def test_text_named_as_packed(tmp_path, compression):
    path = tmp_path / f"a.txt{compression}"
    path.write_text(TEXT)
    told = f"is text that isn't packed, not {compression} data; take {compression} off its name"
    is_refused(path, told)


@EVERY
@pytest.mark.parametrize("name", ["txt", "jsonl", "xml"])
def test_packed_data_named_as_text(tmp_path, name, compression):
    path = tmp_path / f"a.{name}"
    path.write_bytes(COMPRESS[compression](TEXT.encode()))
    fix = f"add {compression} to its name, or unpack it"
    is_refused(path, f"is {compression} data, not text; {fix}")


def parquet():
    out = io.BytesIO()
    pq.write_table(pa.table({"text": ["One."]}), out)
    return out.getvalue()


def test_other_data_named_as_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(parquet())
    fix = "give it as a file whose name ends in .parquet"
    is_refused(path, f"is .parquet data, not text; {fix}")
    path.write_bytes(b"PK\x03\x04" + bytes(range(100)))
    is_refused(path, "is .zip data, not text; unpack it into a folder, and name that")
    path.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    is_refused(path, "is .pdf data, not text; take the text out of it first")


def pipe(monkeypatch, data, **settings):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    return list(open_corpus("-", CorpusSettings(**settings)))


@pytest.mark.parametrize("errors", ["strict", "replace"])
@pytest.mark.parametrize("name", ["txt", "jsonl", "xml"])
@pytest.mark.parametrize(
    ("compression", "tool"),
    [(".gz", "zcat"), (".bz2", "bzcat"), (".xz", "xzcat"), (".zst", "zstdcat")],
)
def test_packed_standard_input_is_told(monkeypatch, compression, tool, name, errors):
    data = COMPRESS[compression](TEXT.encode())
    with pytest.raises(CorpusError) as caught:
        pipe(monkeypatch, data, standard_input_format=name, errors=errors)
    assert str(caught.value) == (
        f"standard input: is {compression} data, not text; unpack it on its way: put "
        f"{tool} before bertsmith"
    )


def test_parquet_on_standard_input_is_told(monkeypatch):
    with pytest.raises(CorpusError, match=r"is \.parquet data, not text; give it as a file whose"):
        pipe(monkeypatch, parquet())


@pytest.mark.parametrize("size", [1, 2, 8190, 8191, 8192, 8193, 2**20, 2**20 + 1, 3 * 2**20])
def test_a_look_at_the_first_bytes_loses_none(monkeypatch, size):
    text = ("abcdefg " * (size // 8 + 1))[:size].rstrip()
    (raw,) = pipe(monkeypatch, text.encode(), text_form="sentences")
    assert raw.text == text
