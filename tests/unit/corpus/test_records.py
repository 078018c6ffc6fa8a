"""JSON lines and Parquet: fields, and records that are not what they should be."""

import io
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertsmith.errors import CorpusError
from corpus_files import read_bytes


def jsonl(*records):
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return "\n".join(lines).encode()


def parquet(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def texts(data, name="jsonl", **settings):
    return [(raw.title, raw.text) for raw in read_bytes(data, name, **settings)]


def test_fields_are_named_in_the_settings():
    data = jsonl({"body": "One.", "name": "first\nline"}, "", {"name": 7, "body": "Two.\r\nThree."})
    options = {"text_column": "body", "title_column": "name"}
    assert texts(data, **options) == [("first line", "One."), ("7", "Two.\r\nThree.")]
    data = parquet(body=["One.", "Two."], name=["first", None])
    assert texts(data, "parquet", **options) == [("first", "One."), ("", "Two.")]
    assert texts(parquet(text=["One."], title=[1]), "parquet") == [("", "One.")]


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_every_kind_of_text_column_is_read(kind):
    column = pa.array(["One.", "雨。", "One."]).cast(kind)
    assert texts(parquet(text=column), "parquet") == [("", "One."), ("", "雨。"), ("", "One.")]


@pytest.mark.parametrize(
    ("record", "name", "what"),
    [
        ('{"text": ', "broken_records", r"a\.jsonl:2: is not JSON \(Expecting value at column 10"),
        (
            "[1]",
            "broken_records",
            "is of type list, not an object with named fields; mend the line",
        ),
        ("[" * 100_000, "broken_records", "is not JSON"),
        ('{"text": ' + "9" * 5000 + "}", "broken_records", "is not JSON"),
        ('{"text": 3}', "broken_records", "field 'text' is of type int, not text"),
        ('{"text": " \\n"}', "empty_documents", r"a\.jsonl:2: the text is empty"),
        ('{"text": null}', "empty_documents", "the text is empty"),
    ],
)
def test_broken_and_empty_records(record, name, what):
    data = jsonl({"text": "One."}, record, {"text": "Two."})
    with pytest.raises(CorpusError, match=what) as caught:
        texts(data)
    assert str(caught.value).startswith("a.jsonl:2: ")
    assert "--errors replace to skip" in str(caught.value)
    counts = Counter()
    assert texts(data, counts=counts, errors="replace") == [("", "One."), ("", "Two.")]
    assert counts == {name: 1}


def test_half_characters_in_escapes():
    data = b'{"text": "a \\ud800 \\ud83d\\ude00"}'
    with pytest.raises(CorpusError, match="U\\+D800 is half a character"):
        texts(data)
    counts = Counter()
    assert texts(data, counts=counts, errors="replace") == [("", "a \ufffd \U0001f600")]
    assert counts == {"lone_surrogates": 1}


@pytest.mark.parametrize("array", ['[{"text": "One."}]', '\n[\n{"text": "One."}\n]', "[1]\n{}"])
def test_an_array_is_told_how_it_becomes_lines(array):
    with pytest.raises(
        CorpusError, match=r"make JSON lines of the array with `jq -c '\.\[\]'`, or"
    ):
        texts(array.encode())


@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_a_missing_field_names_those_that_there_are(errors):
    with pytest.raises(CorpusError) as caught:
        texts(jsonl({"body": "Two.", "id": 3}, {"text": "One."}), errors=errors)
    assert str(caught.value) == (
        "a.jsonl:1: has no field 'text', only 'body', 'id'; name the field that holds the text "
        "with --text-column"
    )
    with pytest.raises(CorpusError, match="has no column 'text', only 'body', 'id'; name"):
        texts(parquet(body=["Two."], id=[3]), "parquet", errors=errors)
    with pytest.raises(CorpusError, match="column 'text' holds int64, not text"):
        texts(parquet(text=[1]), "parquet", errors=errors)


def test_parquet_rows_that_are_not_what_they_should_be():
    bad = pa.Array.from_buffers(
        pa.string(),
        2,
        [None, pa.py_buffer(b"\0\0\0\0\4\0\0\0\7\0\0\0"), pa.py_buffer(b"caf\xe9One")],
    )
    with pytest.raises(CorpusError, match=r"a\.parquet:1: byte 0xe9 is not UTF-8"):
        texts(parquet(text=bad), "parquet")
    assert texts(parquet(text=bad), "parquet", errors="replace") == [("", "caf\ufffd"), ("", "One")]
    data = parquet(text=["One.", " ", None, "x" * 100])
    with pytest.raises(CorpusError, match=r"a\.parquet:2: the text of this row is empty"):
        texts(data, "parquet")
    counts = Counter()
    options = {"errors": "replace", "max_line_bytes": 50, "counts": counts}
    assert texts(data, "parquet", **options) == [("", "One.")]
    assert counts == {"empty_documents": 2, "long_records_dropped": 1}


def test_a_parquet_column_of_lists():
    data = parquet(text=[["One.", "Two."]])
    with pytest.raises(
        CorpusError, match=r"column 'text' holds list<.*>, not text; join the pieces"
    ):
        texts(data, "parquet")


def test_a_parquet_file_cut_off():
    data = parquet(text=["One."])[:-5]
    with pytest.raises(CorpusError, match=r"a\.parquet: cannot be read as Parquet"):
        texts(data, "parquet")
    counts = Counter()
    assert texts(data, "parquet", errors="replace", counts=counts) == []
    assert counts == {"broken_files": 1}


def test_a_parquet_file_damaged_in_the_middle():
    out, rows = io.BytesIO(), [f"Row {number} of the file." for number in range(4000)]
    options = {"row_group_size": 1000, "write_page_checksum": True, "compression": "none"}
    pq.write_table(pa.table({"text": rows}), out, use_dictionary=False, **options)
    data = out.getvalue().replace(b"Row 2500 of", b"Row 2500 if")
    # A group that is good is kept whole, though it isn't a whole number of batches.
    with pytest.raises(CorpusError, match=r"Parquet \(.*; 2,000 rows before that are good\)"):
        texts(data, "parquet")
    counts = Counter()
    found = texts(data, "parquet", errors="replace", counts=counts)
    assert found == [("", row) for row in rows[:2000]]
    assert counts == {"truncated_files": 1}


def test_a_later_record_without_the_text_is_a_fault_like_others():
    data, counts = jsonl({"text": "One."}, {"body": "lost"}, {"text": "Two."}), Counter()
    with pytest.raises(CorpusError, match=r"a\.jsonl:2: has no field 'text'.*--errors replace"):
        texts(data)
    assert texts(data, counts=counts, errors="replace") == [("", "One."), ("", "Two.")]
    assert counts == {"broken_records": 1}
