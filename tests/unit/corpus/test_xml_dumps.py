"""Wikipedia XML dumps: which pages are read, and files that are none or broken."""

import bz2
import io
import time
import tracemalloc
from collections import Counter

import pytest

from bertsmith.corpus import CorpusSettings, Document, open_corpus
from bertsmith.corpus.formats import find_format, xml
from bertsmith.corpus.source import Source
from bertsmith.errors import CorpusError
from corpus_files import read_bytes, xml_dump, xml_page

RAIN = xml_page("Rain", "'''Rain''' is [[water]].")
NS = "http://www.mediawiki.org/xml/export-0.11/"


def titles(data, **options):
    return [raw.title for raw in read_bytes(data, "xml", **options)]


def test_articles_are_read_in_mark_up():
    (raw,) = read_bytes(xml_dump(RAIN), "xml")
    assert (raw.title, raw.text, raw.markup) == ("Rain", "'''Rain''' is [[water]].", "wikitext")
    assert not raw.sentences_given


def test_articles_come_out_plain(tmp_path):
    path = tmp_path / "wiki.xml.bz2"
    pages = [RAIN, xml_page("Empty", "{{a}}"), xml_page("Snow", "Snow falls. It is cold.\n\n* a")]
    data = xml_dump(*pages)
    path.write_bytes(b"".join(bz2.compress(data[n : n + 100]) for n in range(0, len(data), 100)))
    corpus = open_corpus(path)
    assert list(corpus.documents()) == [
        Document("Rain", ["Rain is water."]),
        Document("Snow", ["Snow falls.", "It is cold."]),
    ]
    assert corpus.counts == {"pages_without_text": 1}


def test_what_is_no_article_is_dropped_and_counted():
    pages = [
        xml_page("Talk:Rain", "Really?", namespace=1),
        xml_page("Wet", "#REDIRECT [[Rain]]", extra='<redirect title="Rain" />'),
        xml_page("Nass", "#WEITERLEITUNG [[Rain]]"),
        xml_page("Blank", " \n"),
        RAIN.replace("<text>", "<model>wikibase-item</model><text>"),
        RAIN,
    ]
    counts = Counter()
    assert titles(xml_dump(*pages), counts=counts) == ["Rain"]
    assert counts == {"other_pages_dropped": 2, "redirects_dropped": 2, "pages_without_text": 1}
    assert titles(xml_dump(*pages), xml_namespaces=(0, 1)) == ["Talk:Rain", "Rain"]


@pytest.mark.parametrize("number", ["", "--1", "x", "²", "9" * 5000])
def test_a_namespace_that_is_no_number_is_that_of_articles(number):
    assert titles(xml_dump(RAIN.replace("<ns>0<", f"<ns>{number}<"))) == ["Rain"]
    assert titles(xml_dump(f'<namespace key="{number}">Talk</namespace>', RAIN)) == ["Rain"]


def test_what_only_looks_like_a_redirect_takes_no_square_time():
    start = time.process_time()
    assert titles(xml_dump(xml_page("a", "#a" + " " * 200_000 + "b"))) == ["a"]
    assert time.process_time() - start < 3


def test_dumps_of_before_2012_have_namespaces_in_titles():
    namespaces = (
        '<siteinfo><namespaces><namespace key="-2">Media</namespace><namespace key="0" />'
        '<namespace key="1">Talk</namespace></namespaces></siteinfo>'
    )
    pages = [RAIN, RAIN.replace("Rain<", "Talk:Rain<"), RAIN.replace("Rain<", "Re:Rain<")]
    data = xml_dump(namespaces, *(page.replace("<ns>0</ns>", "") for page in pages))
    assert titles(data) == ["Rain", "Re:Rain"]


def test_the_last_revision_is_read():
    data = xml_dump(RAIN.replace("<revision>", "<revision><text>Old.</text></revision><revision>"))
    (raw,) = read_bytes(data, "xml")
    assert raw.text == "'''Rain''' is [[water]]."


def test_a_declared_name_space_and_attributes_change_nothing():
    data = xml_dump(RAIN).replace(b"<mediawiki", f'<mediawiki xmlns="{NS}"'.encode())
    data = b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\n" + data
    assert titles(data.replace(b"<text>", b'<text bytes="9" xml:space="preserve">')) == ["Rain"]


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 1000])
def test_blocks_end_anywhere(monkeypatch, block_bytes):
    monkeypatch.setattr(xml, "_BLOCK_BYTES", block_bytes)
    (raw,) = read_bytes(xml_dump(xml_page("雨", "é 雨 \U0001f327 &amp;amp; <x>")), "xml")
    assert (raw.title, raw.text) == ("雨", "é 雨 \U0001f327 &amp;amp; <x>")
    with pytest.raises(CorpusError, match=r"a\.xml:2: byte 0xe9 at byte offset \d+ is not UTF-8"):
        read_bytes(xml_dump(xml_page("a", "caf\u00e9")).replace(b"\xc3\xa9", b"\xe9"), "xml")


def test_a_page_without_text():
    pages = [RAIN.replace("<text>'''Rain''' is [[water]].</text>", ""), RAIN]
    with pytest.raises(CorpusError) as caught:
        titles(xml_dump(*pages))
    assert str(caught.value) == (
        "a.xml:2: the page has no <text>; give a dump with text (pages-articles), or give "
        "--errors replace to skip the page"
    )
    counts = Counter()
    assert titles(xml_dump(*pages), errors="replace", counts=counts) == ["Rain"]
    assert counts == {"broken_records": 1}
    deleted = RAIN.replace("<text>'''Rain''' is [[water]].</text>", '<text deleted="deleted" />')
    assert titles(xml_dump(deleted, RAIN)) == ["Rain"]


def test_a_page_over_the_limit():
    pages = [xml_page("Long", "x" * 101), RAIN]
    with pytest.raises(CorpusError, match=r"a\.xml:2: the page's text is longer than 100 charact"):
        titles(xml_dump(*pages), max_line_bytes=100)
    counts = Counter()
    options = {"max_line_bytes": 100, "errors": "replace", "counts": counts}
    assert titles(xml_dump(*pages), **options) == ["Rain"]
    assert counts == {"long_records_dropped": 1}


def test_a_dump_cut_in_the_middle():
    data = xml_dump(RAIN, xml_page("Snow", "Snow."))
    cut = data[: data.index(b"Snow.")]
    with pytest.raises(
        CorpusError, match=rf"the XML ends too early \({len(cut)} bytes of text wer"
    ):
        titles(cut)
    counts = Counter()
    assert titles(cut, errors="replace", counts=counts) == ["Rain"]
    assert counts == {"truncated_files": 1}


def test_broken_xml():
    data = xml_dump(RAIN, xml_page("Snow", "Snow.").replace("</title>", ""), RAIN)
    good = data.index(b"/page>", data.index(b"/page>") + 1) + 1
    told = rf"a\.xml:3: is broken XML \(mismatched tag; {good} bytes of text before that are good"
    with pytest.raises(CorpusError, match=told):
        titles(data)
    counts = Counter()
    assert titles(data, errors="replace", counts=counts) == ["Rain"]
    assert counts == {"truncated_files": 1}


BOMB = '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><mediawiki>&b;</mediawiki>'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<rss><page/></rss>", "no MediaWiki export (its first element is <rss>, not <mediawiki>)"),
        ("<!DOCTYPE html><html></html>", "(it declares the document type 'html')"),
        (BOMB, "(it declares the document type 'lolz')"),
        ("<mediawiki>" + "<a>" * 99, "(elements nest over 32 deep)"),
        ('<mediawiki a="' + "x" * 2**21, "(has a tag of over 1,048,576 bytes)"),
        ("<mediawiki><!-- " + "x" * 2**21, "(has a tag of over 1,048,576 bytes)"),
        ("It rains.", "is no XML (syntax error); give a dump such as enwiki-latest-pages-art"),
        ("\n\n", "holds no XML element"),
    ],
)
def test_files_that_are_no_dump(text, what):
    with pytest.raises(CorpusError) as caught:
        titles(text.encode())
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)
    counts = Counter()
    assert titles(text.encode(), errors="replace", counts=counts) == []
    assert counts.total() == 1


def test_memory_does_not_grow_with_the_dump():
    class Endless(io.RawIOBase):
        """A dump of 64 MB."""

        def __init__(self):
            self.page = xml_page("Rain", "Rain falls. " * 1000).encode() * 10
            self.parts = iter([b"<mediawiki>", *[self.page] * 530, b"</mediawiki>"])

        def read(self, size=-1):
            return next(self.parts, b"")

    source = Source("a.xml", CorpusSettings(), Counter())
    tracemalloc.start()
    try:
        number = sum(1 for _ in find_format("xml").read(Endless(), source))
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()
    assert number == 5300
