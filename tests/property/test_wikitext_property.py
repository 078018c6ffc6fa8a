"""What holds for any mark-up."""

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bertsmith.corpus.wikitext import strip_wikitext

MARKS = re.findall(
    r"\S+",
    "{{ }} {{{ }}} [[ ]] {| |} |- | ! <ref> </ref> <ref/> <ref <math> </math> <nowiki> </nowiki> "
    "<table> </table> <ul> </ul> <!-- --> '' ''' '''' ''''' = == === [http:// [//a [ ] -{ }- ; , "
    "( ) __ __A__ & &amp; &#39; * # : File: [[File: [[Category: {{lang|fr| {{quote| http://a. "
    "References word Wort mot 雨 . ： 。",
)
SPACES = [" ", "\n", "\n\n", "\t", "  "]
MARKUP = st.lists(st.sampled_from([*MARKS, *SPACES, "a", "b\n"]), max_size=60).map("".join)


@given(MARKUP | st.text())
@example("。File:")
@settings(deadline=None, max_examples=300)
def test_paragraphs_are_clean(markup):
    text = strip_wikitext(markup)
    for line in text.split("\n") if text else []:
        assert line == " ".join(line.split()) != ""
        assert any(map(str.isalnum, line))


def put_into(outer, texts):
    """Puts a text in the place of the @ of one of several pieces of mark-up."""
    return st.builds(lambda mark, text: mark.replace("@", text), st.sampled_from(outer), texts)


def in_a_series(name):
    return st.integers(1, 99).map(lambda number: f"{name}{number}")


HIDING_MARKS = ["{{cite|a=@|[[b]]}}", "{{c|{{d|@}}|''e''}}", "<ref>@</ref>", "<!--@-->"]
HIDING_MARKS += [
    "<math>@</math>",
    "<gallery>@</gallery>",
    "[[File:a.png|@ [[b]]]]",
    "[[Category:@]]",
]
SHOWING_MARKS = ["@", "'''@'''", "[[@]]", "[[a|@]]", "[http://a @]", "<b>@</b>", "{{lang|fr|@}}"]
BLOCK_MARKS = ["{|\n|@\n|}", "* @", "# @", ": @", "== @ ==", "{{box\n|a=@\n}}", "<ul><li>@</ul>"]

HIDING = st.recursive(
    put_into(HIDING_MARKS, in_a_series("hidden")),
    lambda inner: put_into(HIDING_MARKS, inner.filter(lambda text: "<" not in text)),
    max_leaves=3,
)
SHOWING = put_into(SHOWING_MARKS, in_a_series("seen"))
SENTENCES = st.lists(st.one_of(SHOWING, HIDING), min_size=1, max_size=6).map(
    lambda parts: " ".join(parts) + " end."
)


@given(st.lists(st.one_of(put_into(BLOCK_MARKS, in_a_series("hidden")), SENTENCES), max_size=8))
@settings(deadline=None, max_examples=150)
def test_text_is_kept_in_order_and_the_rest_is_dropped(blocks):
    markup = "\n\n".join(blocks)
    text = strip_wikitext(markup)
    assert "hidden" not in text
    assert re.findall(r"seen\d+|end\.", text) == re.findall(r"seen\d+|end\.", markup)


@pytest.mark.parametrize("first", MARKS)
def test_time_grows_with_length_alone(first):
    size, limit_seconds = 40_000, 1.0
    for second in ("", "\n", "a", "}}"):
        unit = first + second
        start = time.process_time()
        strip_wikitext(unit * (size // len(unit)))
        assert time.process_time() - start < limit_seconds


@pytest.mark.parametrize(
    "markup",
    [
        "<math>" * 100_000,
        "<ref>" * 100_000,
        "[[xxxxxxxxxx" * 150_000 + "]]" * 150_000,
        "Rain (a)" + ", ;" * 50_000 + "fell.",
    ],
    ids=["elements", "references", "links", "commas"],
)
def test_what_opens_again_and_again_takes_no_square_time(markup):
    start = time.process_time()
    strip_wikitext(markup)
    assert time.process_time() - start < 3.0
