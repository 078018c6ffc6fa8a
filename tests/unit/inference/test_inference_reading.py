import json

import pytest

from bertsmith.errors import BertsmithError, DataError, InputError
from bertsmith.inference import pipeline, predict_rows, read_inputs


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(path):
    return [row.values for row in read_inputs(path)]


def test_lines_of_text(tmp_path):
    path = write(tmp_path / "in.txt", "\ufeffAnn met Bob.\r\nParis\x0b is é\u2028東京")
    assert values(path) == [{"text": "Ann met Bob."}, {"text": "Paris\x0b is é\u2028東京"}]
    assert [row.where for row in read_inputs(path)] == [f"{path}, line 1", f"{path}, line 2"]


def test_json_lines(tmp_path):
    rows = [
        {"text": "a", "text_pair": "b", "id": 7},
        {"words": ["Ann", "met"]},
        {"words": "Ann met"},
        {"question": "Who?", "context": "Ann\ndid."},
    ]
    path = write(tmp_path / "in.jsonl", "\n".join(map(json.dumps, rows)))
    assert values(path) == [
        {"text": "a", "text_pair": "b"},
        {"words": ["Ann", "met"]},
        {"words": ["Ann", "met"]},
        {"question": "Who?", "context": "Ann\ndid."},
    ]


def test_tables(tmp_path):
    content = 'id,text,text_pair\n1,"a, b","says ""no""\nand goes"\n2,c,d\n'
    assert values(write(tmp_path / "in.csv", content)) == [
        {"text": "a, b", "text_pair": 'says "no"\nand goes'},
        {"text": "c", "text_pair": "d"},
    ]
    assert values(write(tmp_path / "in.tsv", 'text\twords\n"a\tb c"\n')) == [
        {"text": '"a', "words": ["b", 'c"']}
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.txt", "", "in.txt: holds no input"),
        ("in.txt", "a\n\nb", "in.txt, line 2: is blank"),
        ("in.txt", b"good\nbad \xff\xfe", "in.txt, line 2: is not UTF-8 at byte 4"),
        ("in.xml", "a", "in.xml: is of an unknown kind; give a file named .txt, .jsonl"),
        ("in.jsonl", '{"text": "a"}\n{"text": ', "in.jsonl, line 2: is no JSON"),
        ("in.jsonl", '["a"]', "in.jsonl, line 1: is no JSON object"),
        ("in.jsonl", '{"text": 7}', "in.jsonl, line 1: text is 7; give text"),
        ("in.jsonl", '{"text": "  "}', "in.jsonl, line 1: text is ' '; give text"),
        ("in.jsonl", '{"words": ["a", ""]}', r"words is \['a', ''\]; give a list of words"),
        ("in.jsonl", '{"words": []}', r"words is \[\]; give a list of words"),
        ("in.jsonl", '{"words": {"a": 1}}', r"words is {'a': 1}; give a list of words"),
        ("in.jsonl", '{"txt": "a"}', "line 1: has no known column; name one text"),
        (
            "in.csv",
            "text,text_pair\na\n",
            "in.csv, row 2: has 1 fields where the first row names 2",
        ),
        ("in.csv", "text\n\na\n", "in.csv, row 2: has 0 fields"),
        ("in.csv", 'text\n"a\n', "in.csv, row 2: cannot be read"),
        ("in.csv", "text\n", "in.csv: holds no input"),
        ("in.tsv", "sentence\na\n", "row 2: has no known column"),
        ("in.tsv", "text\n" + "a" * 200_000, "row 2: cannot be read .field larger"),
    ],
)
def test_broken_files(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(BertsmithError, match=message) as caught:
        values(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none.txt: is no file"):
        values(tmp_path / "none.txt")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(InputError, match=r"folder.txt: is no file"):
        values(tmp_path / "folder.txt")


def test_rows_are_predicted_in_order_whatever_the_chunk(save, tmp_path):
    classify = pipeline("classify", save("BertForSequenceClassification"))
    rows = [{"text": "ann " * (i % 5 + 1), "text_pair": "bob"} for i in range(7)]
    path = write(tmp_path / "in.jsonl", "\n".join(map(json.dumps, rows)))
    small = list(predict_rows(classify, read_inputs(path), rows_at_once=2))
    assert [row.values for row, _ in small] == rows
    for (row, found), wanted in zip(small, predict_rows(classify, read_inputs(path)), strict=True):
        assert row == wanted[0]
        assert found[0]["label"] == wanted[1][0]["label"]
        alone = classify(row.values["text"], row.values["text_pair"])
        assert found[0]["score"] == pytest.approx(alone[0]["score"], abs=1e-5)
    unpaired = classify([row["text"] for row in rows])
    assert abs(unpaired[0][0]["score"] - small[0][1][0]["score"]) > 1e-4


def test_trouble_with_a_row_is_told_by_file_and_line(save, tmp_path):
    fill = pipeline("fill-mask", save("BertForMaskedLM"))
    path = write(tmp_path / "in.txt", "a [MASK]\nb [MASK]\nno mask\n")
    with pytest.raises(InputError, match=r"in.txt, line 3: text has no \[MASK\]; write"):
        list(predict_rows(fill, read_inputs(path), rows_at_once=2))
    path = write(tmp_path / "in.jsonl", '{"words": ["a"]}')
    with pytest.raises(DataError, match=r"line 1: has words; give text"):
        list(predict_rows(fill, read_inputs(path)))
    answer = pipeline("answer", save("BertForQuestionAnswering"))
    path = write(tmp_path / "in.csv", "question,context\nwho?,\x07\n")
    with pytest.raises(InputError, match=r"row 2: context holds no text"):
        list(predict_rows(answer, read_inputs(path)))
    path = write(tmp_path / "in.jsonl", '{"question": "a", "context": "b"}\n{"question": "a"}')
    with pytest.raises(DataError, match=r"line 2: has no context"):
        list(predict_rows(answer, read_inputs(path)))


def test_other_names_count_where_a_row_has_all_of_them(tmp_path):
    """A question with its context is no question with its sentence."""
    names = [{"question": "text", "sentence": "text_pair"}]
    path = tmp_path / "in.tsv"

    def values(text, names=names):
        path.write_text(text)
        return [row.values for row in read_inputs(path, names)]

    assert values("question\tsentence\nq\ts\n") == [{"text": "q", "text_pair": "s"}]
    assert values("question\tcontext\nq\tc\n") == [{"question": "q", "context": "c"}]
    assert values("question\tsentense\nq\ts\n") == [{"question": "q"}]
    assert values("question\ttext\ttext_pair\nq\ta\tb\n") == [{"text": "a", "text_pair": "b"}]
    optional = [*names, {"question": "text"}]
    assert values("question\tx\nq\ts\n", optional) == [{"text": "q"}]


def test_a_second_text_is_not_dropped(save, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "the city"}\n{"text": "paris", "text_pair": "rome"}\n')
    classify = pipeline("classify", save("BertForSequenceClassification"))
    with pytest.raises(
        DataError, match=r"line 2: has a text_pair, and the first row has none; put"
    ):
        list(predict_rows(classify, read_inputs(path)))
