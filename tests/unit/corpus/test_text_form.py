"""Telling Google's form from free text."""

import io
import json
import textwrap
from collections import Counter

import pytest

from bertsmith.corpus import CorpusSettings
from bertsmith.corpus.formats.txt import read
from bertsmith.corpus.source import Source
from bertsmith.corpus.text_form import are_json_lines, guess_text_form
from bertsmith.errors import CorpusError
from corpus_files import read_bytes

FORMS = ("sentences", "paragraphs", "document")
PARAGRAPHS = [
    "The rain had only ceased with the morning. The settlement awoke to a moral sense of "
    "cleanliness. Nobody had expected so much of it, least of all Mr. Beard.",
    "A leak in his cabin roof had roused him at four. The chips from his wood pile refused to "
    "kindle a fire, so he went to a neighbor. That was nearly opposite.",
    "He crossed the highway and stopped. Something glittered in the nearest red pool before him. "
    "It was gold, without a doubt! But it was a ring.",
]
SENTENCES = [
    "The rain had only ceased with the morning.",
    "Mr. Beard rose at four; he was not looking for gold.",
    '"No room!" he cried.',
    "Possibly this was the reason.",
]
OTHER_SPLITTER = [*SENTENCES * 2, "He came. He saw it all."]
LONG_SENTENCE = (
    "The rain which had fallen all through the night upon the roofs of the settlement and upon "
    "the road that led out of it towards the river had only ceased with the gray streaks of the "
    "morning, and those who were awake, of whom there were few, said so. "
)
WRAPPED = "\n\n".join(textwrap.fill(paragraph, 60) for paragraph in PARAGRAPHS)


def guess(text, language="en"):
    return guess_text_form(text.split("\n"), language)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("\n".join(SENTENCES) + "\n\n" + "\n".join(SENTENCES), "sentences"),
        ("\n\n".join(SENTENCES), "sentences"),
        ("no punctuation at all\nin these lines\n\nwhich are queries\nlower cased", "sentences"),
        ("\n".join(PARAGRAPHS), "paragraphs"),
        ("\n".join(PARAGRAPHS) + "\n\n" + "\n".join(PARAGRAPHS), "paragraphs"),
        ("\n\n".join(PARAGRAPHS), "document"),
        (WRAPPED, "document"),
        ("\n".join(OTHER_SPLITTER * 5), "sentences"),
        (textwrap.fill(LONG_SENTENCE * 20, 40), "document"),
        ("Hello there. How are you?", "document"),
        ("Hello there.", "sentences"),
        ("", "sentences"),
    ],
)
def test_layouts_are_told_apart(text, form):
    assert guess(text) == form


def test_google_form_is_read_unchanged():
    lines = [*SENTENCES, "", *SENTENCES[::-1], " ", "", "  Indented, too.  "]
    found = read_bytes("\r\n".join(lines).encode())
    assert [raw.text.split("\n") for raw in found] == [
        SENTENCES,
        SENTENCES[::-1],
        ["Indented, too."],
    ]
    assert all(raw.sentences_given for raw in found)
    assert [raw.where for raw in found] == ["a.txt:1", "a.txt:6", "a.txt:12"]


def test_wrapped_prose_is_one_document_of_joined_paragraphs():
    (raw,) = read_bytes(b"\n\n" + WRAPPED.encode())
    assert not raw.sentences_given
    assert raw.text.split("\n") == PARAGRAPHS
    assert raw.where == "a.txt:3"


def test_paragraphs_a_line_are_documents_between_blank_lines():
    text = "\n".join(PARAGRAPHS) + "\n\n" + "\n".join(PARAGRAPHS)
    found = read_bytes(text.encode())
    assert [raw.text.split("\n") for raw in found] == [PARAGRAPHS, PARAGRAPHS]
    assert not found[0].sentences_given


def test_the_form_can_be_given():
    assert [len(read_bytes(WRAPPED.encode(), text_form=form)) for form in FORMS] == [3, 3, 1]
    assert read_bytes(WRAPPED.encode(), text_form="sentences")[0].sentences_given


@pytest.mark.parametrize("form", FORMS)
def test_a_document_too_long_is_cut_between_lines(form):
    counts = Counter()
    text = "A line of it.\n\n" * 100 if form == "document" else "A line of it.\n" * 100
    found = read_bytes(text.encode(), counts=counts, text_form=form, max_document_chars=200)
    assert "\n".join(raw.text for raw in found) == "\n".join(["A line of it."] * 100)
    assert max(len(raw.text) for raw in found) <= 200
    assert counts == {"documents_cut": len(found) - 1}
    assert len(found) == 8


JSON_LINES = "\n\n".join(json.dumps({"text": sentence}) for sentence in SENTENCES)


@pytest.mark.parametrize("errors", ["strict", "replace"])
@pytest.mark.parametrize(
    ("where", "fix"),
    [
        ("a.txt", "let its name end in .jsonl"),
        ("b/a.txt.gz", "let its name end in .jsonl.gz"),
        ("standard input", "give --standard-input-format jsonl"),
    ],
)
def test_json_lines_are_no_text(errors, where, fix):
    source = Source(where, CorpusSettings(errors=errors), Counter())
    with pytest.raises(CorpusError) as caught:
        list(read(io.BytesIO(b"\n" + JSON_LINES.encode()), source))
    assert str(caught.value) == (
        f"{where}: holds JSON lines, not plain text; {fix}, or --text-form sentences to read them "
        "as text"
    )


def test_json_lines_are_text_to_who_says_so():
    for form in FORMS:
        assert read_bytes(JSON_LINES.encode(), text_form=form)


@pytest.mark.parametrize(
    "text", ["", "{She} rose.", "[1]", '{"text": ', "{" * 100_000, '{"a": ' * 100_000, "3\n{}"]
)
def test_what_only_looks_like_json_is_text(text):
    assert not are_json_lines(text.split("\n"))
    assert not are_json_lines([*JSON_LINES.split("\n"), text or "It rained."])


def test_only_the_first_lines_are_asked():
    assert are_json_lines(['{"text": ""}'] * 10 + ["It rained."])
    assert not are_json_lines(['{"text": ""}'] * 9 + ["It rained."])
