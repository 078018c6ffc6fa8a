import json

import pytest

from bertsmith.errors import DataError
from bertsmith.tasks.data.choices import read_choices

SWAG = (
    ",video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3,label\n"
)


def read(tmp_path, name, text, *, labelled=True):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_choices(path, labelled=labelled)


def test_swag(tmp_path):
    text = (
        SWAG + '0,v,1,A man sits. He,"A man, old, sits.",He,gold,runs,eats,"sleeps, late",waits,2\n'
    )
    (example,) = read(tmp_path, "train.csv", text)
    assert example.context == "A man, old, sits."
    assert example.choices == ("He runs", "He eats", "He sleeps, late", "He waits")
    assert example.label == 2


def test_codah(tmp_path):
    (example,) = read(tmp_path, "full_data.tsv", 'i\tThe "man\ta\tb\tc\td\t3\n')
    assert (example.context, example.choices, example.label) == (
        'The "man',
        ("a", "b", "c", "d"),
        3,
    )


def test_tables(tmp_path):
    line = json.dumps({"context": "x", "choices": ["a", "b", "c"], "label": 1})
    texts = {
        "a.jsonl": line,
        "a.csv": "context,choice0,choice1,choice2,label\nx,a,b,c,1\n",
        "a.tsv": "label\tcontext\tending2\tending0\tending1\n1\tx\tc\ta\tb\n",
    }
    for name, text in texts.items():
        (example,) = read(tmp_path, name, text)
        assert (example.context, example.choices, example.label) == ("x", ("a", "b", "c"), 1), name


def test_the_eleventh_choice_comes_after_the_tenth(tmp_path):
    names = ",".join(f"choice{i}" for i in range(12))
    values = ",".join(str(i) for i in range(12))
    (example,) = read(tmp_path, "a.csv", f"context,{names},label\nx,{values},11\n")
    assert example.choices == tuple(str(i) for i in range(12))


def test_labels_are_optional_where_nothing_is_learnt(tmp_path):
    text = "context,choice0,choice1\nx,a,b\n"
    assert read(tmp_path, "a.csv", text, labelled=False)[0].label is None
    with pytest.raises(DataError, match=r"a\.csv:2: no column 'label'"):
        read(tmp_path, "a.csv", text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.csv",
            "context,choice0,choice1,label\nx,a,b,2\n",
            r"a\.csv:2: label '2' is not one",
        ),
        ("a.csv", "context,choice0,choice1,label\nx,a,b,\n", r"a\.csv:2: label '' is not one of"),
        ("a.csv", "context,choice0,choice1,label\nx,a,b,-1\n", "label '-1' is not one of 0 to 1"),
        ("a.csv", "context,choice0,label\nx,a,0\n", r"a\.csv:2: 1 choices; give two"),
        (
            "a.jsonl",
            '{"context": "x", "choices": ["a", "b"], "label": 0}\n'
            '{"context": "x", "choices": ["a", "b", "c"], "label": 0}\n',
            r"a\.jsonl:2: 3 choices where the first row has 2",
        ),
        ("a.jsonl", '{"context": "x", "choices": "ab", "label": 0}', "no list of texts"),
        ("a.tsv", "i\tThe man\ta\tb\tc\t3\n", r"a\.tsv:1: 6 columns where 7 are expected"),
    ],
)
def test_broken_files_are_errors(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, name, text)
