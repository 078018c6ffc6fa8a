"""A real Wikipedia dump: how fast it's read, and whether another stripper finds the same text."""

import bz2
import os
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from bertsmith.corpus import open_corpus
from bertsmith.corpus.wikitext import strip_wikitext

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("BERTSMITH_DATA" not in os.environ, reason="BERTSMITH_DATA is not set"),
]

REFERENCE = re.compile(r"<ref[^<>]*/>|<ref.*?</ref\s*>", re.DOTALL | re.IGNORECASE)


@pytest.fixture(scope="module")
def dump():
    return Path(os.environ["BERTSMITH_DATA"]) / "pretrain" / "enwiki-sample.xml.bz2"


@pytest.fixture(scope="module")
def articles(dump):
    return list(open_corpus(dump))


def test_every_article_is_there(dump, articles):
    pages = bz2.decompress(dump.read_bytes()).decode()
    corpus = open_corpus(dump)
    assert len(list(corpus)) == len(articles) > 100
    assert len(articles) + corpus.counts.total() == pages.count("<page>")
    assert corpus.counts == {"redirects_dropped": 99, "other_pages_dropped": 1}


def test_three_megabytes_a_second_are_read_stripped_and_split(dump):
    num_bytes = len(bz2.decompress(dump.read_bytes()))
    start = time.process_time()
    assert sum(1 for _ in open_corpus(dump).documents()) > 90
    assert num_bytes / 1e6 / (time.process_time() - start) > 3


def test_nothing_ugly_is_left(articles):
    texts = [strip_wikitext(article.text) for article in articles]
    ugly = re.compile(
        r"\[\[|\]\]|\{\{|\}\}|'''|thumb\||<ref|</|&nbsp;|\( ?[,;)]|  | ,|,,|__[A-Z]+__"
    )
    found = Counter(match for text in texts for match in ugly.findall(text))
    assert found.total() <= len(texts) / 20


def trigrams(text):
    words = re.findall(r"\w+", text)
    return list(zip(words, words[1:], words[2:], strict=False))


def test_the_text_is_that_of_mwparserfromhell(articles):
    """It keeps references and lists, which are taken out first; sentences are compared by words."""
    mwparserfromhell = pytest.importorskip("mwparserfromhell")
    counts = Counter()
    for article in articles:
        lines = REFERENCE.sub("", article.text).split("\n")
        kept = "\n".join(line for line in lines if not line.startswith(("*", "#", ":", ";")))
        theirs = mwparserfromhell.parse(kept).strip_code()
        prose = [line for line in theirs.split("\n") if len(line) > 200 and line[-1:] in ".!?"]
        ours = trigrams(strip_wikitext(article.text))
        counts["ours"] += len(ours)
        counts["ours of theirs"] += sum(map(set(trigrams(theirs)).__contains__, ours))
        for line in prose:
            counts["prose"] += len(trigrams(line))
            counts["prose of ours"] += sum(map(set(ours).__contains__, trigrams(line)))
    assert counts["ours of theirs"] > 0.97 * counts["ours"]
    assert counts["prose of ours"] > 0.975 * counts["prose"]
