"""Documents into sentences."""

import time

import pytest

from bertsmith.corpus import Document, RawDocument, split
from bertsmith.corpus.splitting import split_paragraph


def sentences(text, language="en", given=False):
    document = split(RawDocument("t", text, given, "a.txt:1"), language)
    return document.sentences if document else None


def test_paragraphs_are_cut_into_sentences():
    assert sentences("Mr. Smith paid $3.50 for it. Did he?\n\nA heading\nHe did!") == [
        "Mr. Smith paid $3.50 for it.",
        "Did he?",
        "A heading",
        "He did!",
    ]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\f", "\u2028", "\u2029", "\x85", "\v"])
def test_every_line_break_ends_a_paragraph(line_break):
    assert sentences(f"one{line_break}two") == ["one", "two"]


def test_chinese_and_german():
    assert sentences("她来了。“你好吗？”他问。真的！", "zh")[0] == "她来了。"
    assert sentences("她来了。他走了！为什么？", "zh") == ["她来了。", "他走了！", "为什么？"]
    german = "Er kam am 3. Mai nach Bonn. Dort blieb er."
    assert sentences(german, "de") == ["Er kam am 3. Mai nach Bonn.", "Dort blieb er."]
    assert sentences(german, "en") != sentences(german, "de")


def test_given_sentences_stay_as_they_are():
    text = "Two. Sentences here.\r\n  indented \n\u2028lone\u2028break\r.\n \t\nlast"
    assert sentences(text, given=True) == [
        "Two. Sentences here.",
        "indented",
        "lone\u2028break .",
        "last",
    ]


def test_nothing_but_white_space_is_no_document():
    assert sentences(" \n\t\n\u3000") is None
    assert sentences(" \n", given=True) is None
    assert split(RawDocument("t", "a", True, "x"), "en") == Document("t", ["a"])


@pytest.mark.parametrize(
    ("sentence", "language"),
    [("The old man went home at last. ", "en"), ("雨停了，他们回家去了。", "zh")],
)
def test_a_long_paragraph_is_cut_the_same_way_as_a_short_one(sentence, language):
    assert split_paragraph(sentence * 1000, language) == [sentence] * 1000


def test_a_run_without_an_end_is_cut_at_spaces():
    text = "word " * 5000
    pieces = split_paragraph(text, "en")
    assert "".join(pieces) == text
    assert all(piece.endswith("word ") and len(piece) <= 8000 for piece in pieces)
    unbroken = split_paragraph("x" * 20_001, "en")
    assert "".join(unbroken) == "x" * 20_001
    assert max(map(len, unbroken)) == 8000


@pytest.mark.parametrize("unit", ["一句话。再一句！", "“", "«Q. "])
def test_time_grows_with_length_only(unit):
    """sentencex alone takes the square of the length here: over a minute for the longer one."""
    started = time.process_time()
    text = unit * (100_000 // len(unit))
    assert "".join(split_paragraph(text, "zh")) == text
    assert time.process_time() - started < 10
