import json

import pytest

from bertsmith.errors import DataError
from bertsmith.tasks.data.questions import Answer, read_questions

CONTEXT = "Ann met Bob. Bob left."


def squad(*qas, context=CONTEXT):
    return json.dumps({"data": [{"paragraphs": [{"context": context, "qas": list(qas)}]}]})


def read(tmp_path, text, name="train.json", *, labelled=True):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_questions(path, labelled=labelled)


def test_squad_1_and_2(tmp_path):
    first = {"id": "1", "question": "Who?", "answers": [{"text": "Bob", "answer_start": 13}]}
    second = {"id": "2", "question": "Why?", "answers": [], "is_impossible": True}
    one, two = read(tmp_path, squad(first, second))
    assert (one.id, one.context, one.answers) == ("1", CONTEXT, (Answer("Bob", 13),))
    assert two.answers == ()


def test_impossible_questions_ignore_what_could_pass_for_an_answer(tmp_path):
    item = {"id": "2", "question": "Why?", "is_impossible": True}
    item["answers"] = [{"text": "Bob", "answer_start": 8}]
    assert read(tmp_path, squad(item))[0].answers == ()


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [("Bob", 8, 8), ("Bob", 9, None), ("Bob", -9, None), ("Bob", 999, None), (" ", 3, None)],
)
def test_starts_are_checked_against_the_context(tmp_path, text, start, expected):
    item = {"id": "1", "question": "Who?", "answers": [{"text": text, "answer_start": start}]}
    assert read(tmp_path, squad(item))[0].answers == (Answer(text, expected),)


@pytest.mark.parametrize(
    "answers",
    [
        [{"text": "Bob", "answer_start": 8}],
        [{"text": "Bob"}],
        ["Bob"],
        {"text": ["Bob"], "answer_start": [8]},
        {"text": ["Bob"]},
    ],
)
def test_answers_come_in_several_forms(tmp_path, answers):
    line = json.dumps({"question": "Who?", "context": CONTEXT, "answers": answers})
    (question,) = read(tmp_path, line, "train.jsonl")
    assert question.answers == (Answer("Bob", 8),)
    assert question.id.endswith("train.jsonl:1")


def test_csv_has_one_answer_or_none(tmp_path):
    text = "id,question,context,answer,answer_start\n"
    text += f'a,Who?,"{CONTEXT}",Bob,13\nb,Who?,"{CONTEXT}",Bob,\nc,Why?,"{CONTEXT}",,\n'
    one, two, three = read(tmp_path, text, "train.csv")
    assert (one.answers, two.answers, three.answers) == (
        (Answer("Bob", 13),),
        (Answer("Bob", 8),),
        (),
    )
    assert [one.id, two.id, three.id] == ["a", "b", "c"]


def test_answers_are_optional_where_nothing_is_learnt(tmp_path):
    item = {"id": "1", "question": "Who?"}
    assert read(tmp_path, squad(item), labelled=False)[0].answers is None
    line = json.dumps({"question": "Who?", "context": CONTEXT})
    assert read(tmp_path, line, "test.jsonl", labelled=False)[0].answers is None
    with pytest.raises(DataError, match=r"data\[0\].paragraphs\[0\].qas\[0\]: has no 'answers'"):
        read(tmp_path, squad(item))
    with pytest.raises(DataError, match=r"train\.jsonl:1: no column 'answers' or 'answer'"):
        read(tmp_path, line, "train.jsonl")


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ('{"data": [', "a.json", "is not JSON at line 1"),
        ("[1, 2]", "a.json", "has no list 'data'"),
        ('{"data": []}', "a.json", "holds no questions"),
        ('{"data": [{"title": "x"}]}', "a.json", r"data\[0\]: has no list 'paragraphs'"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', "a.json", "has no text 'context'"),
        (squad({"answers": []}), "a.json", r"qas\[0\]: has no text 'question'"),
        (squad({"question": "?", "answers": []}, context=" "), "a.json", "its context is empty"),
        (squad({"question": "?", "answers": 3}), "a.json", "'answers' are no list"),
        (squad({"question": "?", "answers": [{"answer_start": 1}]}), "a.json", "no text 'text'"),
        (
            squad({"question": "?", "answers": [{"text": "a", "answer_start": "1"}]}),
            "a.json",
            "answer_start '1' is not a position",
        ),
        (
            squad({"question": "?", "answers": {"text": ["a"], "answer_start": [1, 2]}}),
            "a.json",
            "1 texts and 2 starts",
        ),
        ("question,context,answer,answer_start\n?,b,b,x\n", "a.csv", "answer_start 'x' is not"),
        ("question,answer\n?,b\n", "a.csv", r"a\.csv:2: no column 'context'"),
    ],
)
def test_broken_files_are_errors(tmp_path, text, name, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, name)
