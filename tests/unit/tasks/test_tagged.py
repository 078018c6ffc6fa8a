import json

import pytest

from bertsmith.errors import DataError
from bertsmith.tasks.data.tagged import read_tagged


def read(tmp_path, name, text, *, labelled=True):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_tagged(path, labelled=labelled)


def test_conll_columns(tmp_path):
    text = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nhas VB I-VP O\n\n\nA\tDT\tI-NP\tO\n"
    sentences = read(tmp_path, "eng.train", text)
    assert [(s.words, s.tags) for s in sentences] == [
        (["EU", "has"], ["B-ORG", "O"]),
        (["A"], ["O"]),
    ]
    assert sentences[0].where.endswith("eng.train:3")
    assert sentences[0].word_where(1).endswith("eng.train:4")


def test_iob1_and_iob2_come_out_the_same(tmp_path):
    words = ["a", "b", "c", "d", "e", "f"]
    iob1 = ["I-X", "I-X", "B-X", "O", "I-Y", "I-X"]
    iob2 = ["B-X", "I-X", "B-X", "O", "B-Y", "B-X"]
    for tags in (iob1, iob2):
        text = "\n".join(f"{word} {tag}" for word, tag in zip(words, tags, strict=True))
        (sentence,) = read(tmp_path, "train.txt", text)
        assert sentence.tags == iob2


def test_bmes_characters_white_space_included(tmp_path):
    text = "高 B-NAME\n勇 E-NAME\n\u3000 O\n\xa0 O\n\n男 S-X\n"
    sentences = read(tmp_path, "train.char.bmes", text)
    assert sentences[0].words == ["高", "勇", "\u3000", "\xa0"]
    assert sentences[0].tags == ["B-NAME", "E-NAME", "O", "O"]
    assert sentences[1].tags == ["S-X"]


def test_tables_of_words_and_tags(tmp_path):
    expected = [(["A", "cat"], ["DT", "NN"])]
    texts = {
        "a.jsonl": json.dumps({"words": ["A", "cat"], "tags": ["DT", "NN"]}),
        "a.csv": "words,tags\nA cat,DT NN\n",
        "a.tsv": "words\ttags\nA cat\tDT NN\n",
        "b.tsv": "A\tDT\ncat\tNN\n",
    }
    for name, text in texts.items():
        assert [(s.words, s.tags) for s in read(tmp_path, name, text)] == expected, name


def test_tags_are_optional_where_nothing_is_learnt(tmp_path):
    (sentence,) = read(tmp_path, "test.txt", "A\ncat\n", labelled=False)
    assert (sentence.words, sentence.tags) == (["A", "cat"], None)
    (sentence,) = read(tmp_path, "test.jsonl", '{"words": ["A"]}', labelled=False)
    assert sentence.tags is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "A DT\ncat\n", r"a\.txt:2: 1 column \('cat'\) where a word and its tag"),
        ("a.txt", "-DOCSTART- O\n\n", "holds no sentences"),
        ("a.csv", "words,tags\nA cat,DT\n", r"a\.csv:2: 1 tag for 2 words"),
        ("a.csv", "words,tags\n ,\n", r"a\.csv:2: has no words"),
        ("a.csv", "text,tags\nA,DT\n", r"a\.csv:2: no column 'words'"),
        ("a.jsonl", '{"words": ["A", 1], "tags": ["O", "O"]}', "'words' is no list of texts"),
        ("a.jsonl", '{"words": ["A"]}', r"a\.jsonl:1: no column 'tags'"),
        ("a.jsonl", '{"words": [], "tags": []}', "has no words"),
    ],
)
def test_broken_files_are_errors(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, name, text)


def test_a_sentence_that_loses_its_tags_midway_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"a\.txt:2: .*'cat'"):
        read(tmp_path, "a.txt", "A DT\ncat\n", labelled=False)
    with pytest.raises(DataError, match=r"a\.txt:2: 2 columns \('cat NN'\) where a word is"):
        read(tmp_path, "a.txt", "A\ncat NN\n", labelled=False)
