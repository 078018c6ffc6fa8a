"""What holds for any text."""

import io
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.corpus import CorpusSettings, RawDocument, lines, split
from bertsmith.corpus.lines import read_lines
from bertsmith.corpus.source import Source
from bertsmith.corpus.splitting import split_paragraph
from bertsmith.corpus.text_form import guess_text_form

LANGUAGES = st.sampled_from(["en", "zh", "ja", "de", "hi", "xx"])
PIECES = ["Mr. Smith", " went", ". ", "! ", '"', "“", "”", "(", "。", "「", "雨", "I.", "\u00a0"]
PARAGRAPHS = st.text().map(lambda text: " ".join(text.splitlines())) | st.builds(
    lambda pieces, times: "".join(pieces) * times,
    st.lists(st.sampled_from(PIECES), max_size=30),
    st.integers(1, 60),
)


@given(PARAGRAPHS, LANGUAGES)
@settings(deadline=None, max_examples=200)
def test_splitting_loses_nothing(paragraph, language):
    pieces = split_paragraph(paragraph, language)
    assert "".join(pieces) == paragraph
    assert all(pieces)


@given(st.text(st.characters(exclude_categories=["Cs"])), LANGUAGES, st.booleans())
@settings(deadline=None)
def test_sentences_are_never_blank_or_broken(text, language, given_):
    document = split(RawDocument("", text, given_, "a.txt:1"), language)
    assert (document is None) == (not text.strip())
    for sentence in document.sentences if document else []:
        assert sentence == sentence.strip() != ""
        assert not {"\n", "\r"} & set(sentence)
    joined = "".join("".join(document.sentences).split()) if document else ""
    assert joined == "".join(text.split())


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]))), st.integers(1, 50))
@settings(deadline=None)
def test_lines_do_not_depend_on_the_block_size(texts, block_bytes):
    data = "\n".join(texts).encode()
    source = Source("a", CorpusSettings(), Counter())
    whole = [text for _, text in read_lines(io.BytesIO(data), source)]
    assert whole == ([*texts[:-1], *filter(None, texts[-1:])] if data else [])
    before = lines._BLOCK_BYTES
    lines._BLOCK_BYTES = max(block_bytes, 3)
    try:
        assert [text for _, text in read_lines(io.BytesIO(data), source)] == whole
    finally:
        lines._BLOCK_BYTES = before


@given(st.lists(st.text()), LANGUAGES)
@settings(deadline=None)
def test_every_text_has_a_form(texts, language):
    texts = [text.encode(errors="replace").decode() for text in texts]
    assert guess_text_form(texts, language) in {"sentences", "paragraphs", "document"}
