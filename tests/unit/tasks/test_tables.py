import json

import pytest

from bertsmith.errors import DataError
from bertsmith.tasks.data.tables import Layout, read_table

HEADERLESS = Layout(headerless=("source", "label", "sentence"), header_mark="sentence")


def read(tmp_path, name, text, layout=None):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_table(path, layout)


def test_tsv_takes_quotes_as_they_are(tmp_path):
    table = read(tmp_path, "a.tsv", 'label\ttext\n1\t"He said\n0\tit\'s "so"\r\n\n')
    assert [dict(row.values) for row in table.rows] == [
        {"label": "1", "text": '"He said'},
        {"label": "0", "text": 'it\'s "so"'},
    ]
    assert table.rows[1].where.endswith("a.tsv:3")


def test_csv_takes_quotes_as_quotes(tmp_path):
    text = 'text,label\n"a, ""b""\nc",1\nd,0\n'
    rows = read(tmp_path, "a.csv", text).rows
    assert [row.values["text"] for row in rows] == ['a, "b"\nc', "d"]
    assert [row.where.rpartition(":")[2] for row in rows] == ["2", "4"]


def test_jsonl_takes_objects(tmp_path):
    rows = read(tmp_path, "a.jsonl", '{"text": "a", "label": 1}\n\n{"text": "b\\u2028"}\n').rows
    assert rows[0].text(("label",)) == "1"
    assert rows[1].where.endswith(":3")
    assert rows[1].text(("label",), required=False) is None


def test_a_first_line_is_a_header_if_it_names_the_mark(tmp_path):
    text = "gj04\t1\tA cat.\nx\t0\tsentence\n"
    rows = read(tmp_path, "train.tsv", text, HEADERLESS).rows
    assert [row.values["sentence"] for row in rows] == ["A cat.", "sentence"]
    rows = read(tmp_path, "test.tsv", "index\tsentence\n0\tA cat.\n", HEADERLESS).rows
    assert [dict(row.values) for row in rows] == [{"index": "0", "sentence": "A cat."}]


def test_broken_rows_are_errors_or_counted(tmp_path):
    text = "text\tlabel\na\t1\nb\nc\t0\textra\nd\t1\n"
    with pytest.raises(DataError, match=r"a\.tsv:3: 1 column where 2 are expected \(text, label\)"):
        read(tmp_path, "a.tsv", text)
    table = read(tmp_path, "a.tsv", text, Layout(skip_broken_rows=True))
    assert [row.values["text"] for row in table.rows] == ["a", "d"]
    assert table.num_skipped == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "text\tlabel\n", "has no rows below its header"),
        ("a.csv", 'text,label\n"a,1\n', r"a\.csv:2: is not CSV"),
        ("a.csv", 'text,label\na,1\n"b"x,1\n', r"a\.csv:3: is not CSV"),
        ("a.jsonl", '{"a": 1}\n{"a": }\n', r"a\.jsonl:2: is not JSON"),
        ("a.jsonl", '{"a": 1}\n[1]\n', r"a\.jsonl:2: is not a JSON object"),
    ],
)
def test_broken_files_are_errors(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, name, text)


def test_columns_are_found_by_any_of_their_names(tmp_path):
    (row,) = read(tmp_path, "a.jsonl", json.dumps({"sentence": "a", "n": 2.5, "l": [1]})).rows
    assert row.text(("text", "sentence")) == "a"
    assert row.text(("n",)) == "2.5"
    with pytest.raises(DataError, match=r"no column 'text' or 'body'; there are: 'sentence', 'n'"):
        row.text(("text", "body"))
    with pytest.raises(DataError, match=r"column 'l' holds \[1\], not text"):
        row.text(("l",))
