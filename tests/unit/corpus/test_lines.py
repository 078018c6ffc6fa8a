"""Bytes into lines, in blocks."""

import io
import tracemalloc
from collections import Counter

import pytest

from bertsmith.corpus import CorpusSettings, lines
from bertsmith.corpus.lines import read_lines
from bertsmith.corpus.source import Source
from bertsmith.errors import CorpusError


def read(data, cut_long=True, **settings):
    counts = Counter()
    source = Source("a.txt", CorpusSettings(**settings), counts)
    return list(read_lines(io.BytesIO(data), source, cut_long=cut_long)), counts


@pytest.fixture(params=[2**20, 1, 7])
def block(request, monkeypatch):
    """Every test runs with blocks so small that lines and characters lie across them."""
    monkeypatch.setattr(lines, "_BLOCK_BYTES", request.param)
    return request.param


def test_lines_are_numbered(block):
    assert read("eins\n\nzwölf 雨\r\n\u2028x\x0b".encode())[0] == [
        (1, "eins"),
        (2, ""),
        (3, "zwölf 雨\r"),
        (4, "\u2028x\x0b"),
    ]
    assert read(b"a\n")[0] == [(1, "a")]
    assert read(b"")[0] == []


def test_a_byte_order_mark_is_no_text(block):
    assert read(b"\xef\xbb\xbfa\n\xef\xbb\xbfb")[0] == [(1, "a"), (2, "\ufeffb")]
    assert read(b"\xef\xbb\xbf")[0] == []
    assert read(b"\xef\xbba", errors="replace")[0] == [(1, "\ufffda")]


def test_a_byte_order_mark_that_comes_by_itself_does_not_end_the_file(monkeypatch):
    monkeypatch.setattr(lines, "_BLOCK_BYTES", 3)
    assert read(b"\xef\xbb\xbfabc\nde")[0] == [(1, "abc"), (2, "de")]


def test_bytes_that_are_not_utf8_are_named(block):
    data = "gut\nböse ".encode() + b"caf\xe9 x\xff\xfe\nlast"
    with pytest.raises(CorpusError) as caught:
        read(data)
    assert data[13] == 0xE9
    assert str(caught.value) == (
        "a.txt:2: byte 0xe9 at byte offset 13 is not UTF-8; convert the file to UTF-8, or give "
        "--errors replace to read U+FFFD in its place"
    )
    found, counts = read(data, errors="replace")
    assert found == [(1, "gut"), (2, "böse caf\ufffd x\ufffd\ufffd"), (3, "last")]
    assert counts == {"bad_bytes": 3}


def test_a_character_cut_off_at_the_end_is_named(block):
    with pytest.raises(CorpusError, match=r"a\.txt:2: byte 0xe9 at byte offset 3 "):
        read(b"ab\n\xe9\x9b")


def test_the_offset_counts_a_byte_order_mark(block):
    if block > 2:
        with pytest.raises(CorpusError, match="byte offset 5 "):
            read(b"\xef\xbb\xbf12\xff")


def test_nul_bytes_are_named(block):
    with pytest.raises(
        CorpusError, match=r"a\.txt:2: has a NUL byte; give --errors replace to drop"
    ):
        read(b"a\nb\0c\0\n")
    found, counts = read(b"a\nb\0c\0\n", errors="replace")
    assert (found, counts) == ([(1, "a"), (2, "bc")], {"nul_bytes": 2})


LONG = b"short\n" + b"word four " * 10 + b"\nend"


def test_a_long_line_is_an_error(block):
    with pytest.raises(CorpusError, match=r"a\.txt:2: the line is longer than 50 bytes"):
        read(LONG, max_line_bytes=50)
    assert len(read(LONG, max_line_bytes=100)[0]) == 3


def test_a_long_line_is_cut_at_white_space(block):
    found, counts = read(LONG, errors="replace", max_line_bytes=47)
    assert counts == {"long_lines_cut": 1}
    assert [number for number, _ in found] == [1, 2, 2, 2, 3]
    assert "".join(text for _, text in found[1:4]) == "word four " * 10
    assert all(len(text) <= 47 and text[-1] == " " for _, text in found[1:4])


def test_a_long_record_is_dropped(block):
    found, counts = read(LONG, cut_long=False, errors="replace", max_line_bytes=47)
    assert found == [(1, "short"), (3, "end")]
    assert counts == {"long_records_dropped": 1}


def test_a_long_line_without_white_space_is_cut_between_characters(block):
    found, counts = read("雨".encode() * 40, errors="replace", max_line_bytes=16)
    assert counts == {"long_lines_cut": 1}
    assert [text for _, text in found] == ["雨" * 5] * 8


def test_offsets_stay_right_after_a_long_line(block):
    data = b"x" * 100 + b"\nb\xffc\n"
    found, _ = read(data, errors="replace", max_line_bytes=16)
    assert found[-1] == (2, "b\ufffdc")
    with pytest.raises(CorpusError, match=r"a\.txt:2: byte 0xff at byte offset 102 "):
        read(data, max_line_bytes=100)


class Endless(io.RawIOBase):
    """A line of 200 MB that is never in memory."""

    left = 200 * 2**20

    def read(self, size=-1):
        size = min(size, self.left)
        self.left -= size
        return (b"word ..." * (size // 8 + 1))[:size]


@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_a_line_of_any_length_takes_bounded_memory(errors):
    counts = Counter()
    source = Source("a.txt", CorpusSettings(errors=errors, max_line_bytes=4 * 2**20), counts)
    stream = Endless()
    tracemalloc.start()
    try:
        size = sum(len(text) for _, text in read_lines(stream, source))
        assert size == Endless.left
        assert counts == {"long_lines_cut": 1}
    except CorpusError:
        assert errors == "strict"
        assert Endless.left - stream.left < 6 * 2**20
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 25 * 2**20
