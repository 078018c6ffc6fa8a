"""Folders of books: one file, one document."""

import gzip
import time
from collections import Counter

import pytest

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.errors import CorpusError
from corpus_files import read_bytes

BOOK = """CHAPTER I

The rain had only ceased. It was late
when Mr. Beard rose. He looked out of the
window. "No," he said.

CHAPTER II

It was a fine day. Nobody had thought
of that. They went out.
"""
PARAGRAPHS = [
    "CHAPTER I",
    "The rain had only ceased. It was late when Mr. Beard rose. He looked out of the window. "
    '"No," he said.',
    "CHAPTER II",
    "It was a fine day. Nobody had thought of that. They went out.",
]
HEADER = """The Project Gutenberg eBook of Rain

This ebook is for the use of anyone anywhere. You may copy it. Title: Rain

*** START OF THE PROJECT GUTENBERG EBOOK RAIN ***
"""
LICENCE = """*** END OF THE PROJECT GUTENBERG EBOOK RAIN ***

Updated editions will replace the previous one. Donate.
"""


def paragraphs(text, **settings):
    (raw,) = read_bytes(text.encode(), text_form="document", **settings)
    return raw.text.split("\n")


def test_a_folder_of_books(tmp_path):
    for name in ("Beard/rain.txt", "Beard/snow.txt.gz", "Anon/Late days.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        data = BOOK.encode()
        if name.endswith(".gz"):
            data = gzip.compress(data)
        (tmp_path / name).write_bytes(data)
    found = list(open_corpus(tmp_path))
    assert [raw.title for raw in found] == ["Late days", "rain", "snow"]
    assert all(raw.text.split("\n") == PARAGRAPHS for raw in found)


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_of_every_system(end):
    assert paragraphs(BOOK.replace("\n", end)) == PARAGRAPHS
    raws = read_bytes(end.join(["One.", "Two.", "", "Three."]).encode(), text_form="sentences")
    assert [raw.text for raw in raws] == ["One.\nTwo.", "Three."]


def test_a_form_feed_ends_a_page():
    assert paragraphs(BOOK.replace("\n\nCHAPTER II", "\n\n\f\nCHAPTER II")) == PARAGRAPHS
    assert paragraphs(BOOK.replace("CHAPTER II", "\fCHAPTER II")) == PARAGRAPHS


def test_project_gutenbergs_licence_is_dropped_and_counted():
    counts = Counter()
    assert paragraphs(HEADER + BOOK + LICENCE, counts=counts) == PARAGRAPHS
    assert counts == {"licence_lines_dropped": 8}
    assert paragraphs(HEADER + BOOK) == PARAGRAPHS
    (raw,) = read_bytes((HEADER + BOOK + LICENCE).encode())
    assert (raw.title, raw.where) == ("a", "a.txt:6")


@pytest.mark.parametrize("filler", [0, 3000])
def test_books_one_after_another_in_a_file_are_all_read(filler):
    long_book = BOOK + "\nIt rained on and on and on.\n" * filler
    counts = Counter()
    found = paragraphs((HEADER + long_book + LICENCE) * 3, counts=counts)
    assert found == (PARAGRAPHS + ["It rained on and on and on."] * filler) * 3
    assert counts == {"licence_lines_dropped": 3 * 8}


@pytest.mark.parametrize(
    "start",
    [
        "***START OF THE PROJECT GUTENBERG EBOOK RAIN***",
        "*** START OF THIS PROJECT GUTENBERG EBOOK RAIN ***",
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
    ],
)
@pytest.mark.parametrize(
    "end",
    ["End of the Project Gutenberg EBook of Rain, by Beard", "***END OF THE PROJECT GUTENBERG"],
)
def test_marks_of_all_ages(start, end):
    text = f"Project Gutenberg's Rain\n\n{start}\n\n{BOOK}\n{end}\n\nDonate.\n"
    assert paragraphs(text) == PARAGRAPHS


def test_other_books_keep_every_line():
    text = f"{BOOK}\nEnd of the Project Gutenberg story.\n\n*** END OF IT ***"
    counts = Counter()
    assert len(paragraphs(text, counts=counts)) == 6
    assert not counts


def test_a_book_in_another_encoding_is_named(tmp_path):
    (tmp_path / "a.txt").write_text(BOOK)
    (tmp_path / "b.txt").write_bytes(BOOK.replace("He looked", "H\u00e9 looked").encode("latin-1"))
    (tmp_path / "c.txt").write_bytes(BOOK.encode("utf-16"))
    with pytest.raises(CorpusError, match=r"b\.txt:4: byte 0xe9 at byte offset \d+ is not UTF-8"):
        list(open_corpus(tmp_path))
    with pytest.raises(CorpusError, match=r"c\.txt:1: byte 0xff at .* 0 is not UTF-8, but looks"):
        list(open_corpus(tmp_path / "c.txt"))
    corpus = open_corpus(tmp_path / "b.txt", CorpusSettings(errors="replace"))
    assert len(list(corpus)) == 1
    assert corpus.counts == {"bad_bytes": 1}


def test_thousands_of_small_files_are_read_fast(tmp_path):
    for number in range(2000):
        (tmp_path / f"{number % 30}").mkdir(exist_ok=True)
        (tmp_path / f"{number % 30}" / f"{number}.txt").write_text("It rained. It was late.")
    start = time.process_time()
    corpus = open_corpus(tmp_path, CorpusSettings(text_form="document"))
    assert len(list(corpus)) == 2000
    assert time.process_time() - start < 2.0
