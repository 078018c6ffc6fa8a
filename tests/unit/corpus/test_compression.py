"""Compressed files: whole, in several members, cut off, corrupt."""

import io
import random
import tracemalloc
from collections import Counter

import pytest

from bertsmith.corpus import CorpusSettings
from bertsmith.corpus.compression import COMPRESSIONS, decompressed, strip_compression
from bertsmith.corpus.source import Source
from bertsmith.errors import CorpusError
from corpus_files import COMPRESS

TEXT = b"".join(b"line %d of %d\n" % (n, random.Random(n).getrandbits(60)) for n in range(4_000))
EVERY = pytest.mark.parametrize("compression", sorted(COMPRESSIONS))


def opened(data, compression, counts=None, errors="strict"):
    counts = Counter() if counts is None else counts
    source = Source(f"a.txt{compression}", CorpusSettings(errors=errors), counts)
    return decompressed(io.BytesIO(data), compression, source)


def unpack(data, compression):
    return opened(data, compression).read()


def test_every_compression_is_tested():
    assert set(COMPRESS) == set(COMPRESSIONS)


def test_extensions_are_found_in_any_case():
    assert strip_compression("A.TXT.GZ") == ("A.TXT", ".gz")
    assert strip_compression("a.txt") == ("a.txt", "")


@EVERY
def test_what_was_packed_comes_back(compression):
    pack = COMPRESS[compression]
    assert unpack(pack(TEXT), compression) == TEXT
    assert unpack(pack(TEXT) + pack(b"") + pack(b"more"), compression) == TEXT + b"more"
    assert unpack(pack(b"a") + bytes(512), compression) == b"a"


@EVERY
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_off_says_how_much_is_good(compression, share):
    packed = COMPRESS[compression](TEXT)
    stream = opened(packed[: int(len(packed) * share)], compression)
    parts = []
    with pytest.raises(CorpusError) as caught:
        parts.extend(iter(lambda: stream.read1(1000), b""))
    good = b"".join(parts)
    assert TEXT.startswith(good)
    told = f"a.txt{compression}: the {compression} data ends too early ({len(good):,} bytes of text"
    assert str(caught.value).startswith(told)


@EVERY
def test_one_byte_less_is_noticed(compression):
    with pytest.raises(CorpusError, match="ends too early"):
        unpack(COMPRESS[compression](TEXT)[:-1], compression)


@EVERY
def test_a_corrupt_file_is_named(compression):
    packed = bytearray(COMPRESS[compression](TEXT))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(CorpusError, match=rf"a\.txt\{compression}: the \{compression} data "):
        unpack(bytes(packed), compression)
    with pytest.raises(CorpusError, match="is corrupt"):
        unpack(b"\x01this is no archive at all", compression)
    with pytest.raises(CorpusError, match="is corrupt"):
        unpack(COMPRESS[compression](TEXT) + b"rest of something else", compression)


@EVERY
def test_a_block_of_zeros_is_unpacked_little_by_little(compression):
    packed = COMPRESS[compression](bytes(16 * 2**20))
    stream, size = opened(packed, compression), 0
    while part := stream.read(2**20):
        assert part.count(0) == len(part)
        size += len(part)
    assert size == 16 * 2**20


@pytest.mark.parametrize("compression", [".bz2", ".xz"])
def test_a_small_file_of_many_zeros_takes_little_memory(compression):
    packed = COMPRESS[compression](bytes(100 * 2**20))
    assert len(packed) < 16_000
    stream, size = opened(packed, compression), 0
    tracemalloc.start()
    try:
        while part := stream.read(2**20):
            size += len(part)
        assert tracemalloc.get_traced_memory()[1] < 24 * 2**20
    finally:
        tracemalloc.stop()
    assert size == 100 * 2**20


@EVERY
@pytest.mark.parametrize("size", [2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20])
def test_texts_of_whole_parts_come_back(compression, size):
    data = bytes(size)
    assert unpack(COMPRESS[compression](data) * 2, compression) == data * 2
    with pytest.raises(CorpusError, match="ends too early"):
        unpack(COMPRESS[compression](data)[:-1], compression)


@EVERY
@pytest.mark.parametrize("damage", ["ends too early", "is corrupt"])
def test_what_is_good_can_be_kept(compression, damage):
    second = bytearray(COMPRESS[compression](TEXT))
    if damage == "is corrupt":
        second[len(second) // 2 :] = bytes(len(second) // 2)
    data = COMPRESS[compression](TEXT) + second[: len(second) * 3 // 4]
    with pytest.raises(CorpusError, match="or give --errors replace to keep what is good"):
        unpack(data, compression)
    counts = Counter()
    good = opened(data, compression, counts, errors="replace").read()
    assert good.startswith(TEXT)
    assert good == TEXT + TEXT[: len(good) - len(TEXT)] or damage == "is corrupt"
    assert counts == {"truncated_files": 1}


class _ByteByByte(io.RawIOBase):
    """A stream that hands out a byte at a time, as a slow connection may."""

    def __init__(self, data):
        self._bytes = iter(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        byte = next(self._bytes, None)
        if byte is None:
            return 0
        buffer[0] = byte
        return 1


@EVERY
def test_a_byte_at_a_time_is_enough(compression):
    data, source = COMPRESS[compression](b"It rained."), Source("a", CorpusSettings(), Counter())
    assert decompressed(_ByteByByte(data * 2), compression, source).read() == b"It rained." * 2
