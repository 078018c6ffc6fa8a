"""Files on web servers and in stores, through fsspec."""

import gzip
import io
import json
import random
import sys

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertsmith.corpus import CorpusSettings, open_corpus, remote_stream
from bertsmith.errors import CorpusError
from web_server import serve

RANDOM = random.Random(1)
SENTENCES = [f"Sentence {number} has {RANDOM.getrandbits(200):x} in it." for number in range(3000)]


@pytest.fixture
def site(tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(remote_stream, "_WAITS_SECONDS", (0.01, 0.01, 0.01))
    monkeypatch.setattr(remote_stream, "_BLOCK_BYTES", 2**16)
    folder = tmp_path / "site"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": s}) + "\n" for s in SENTENCES))
    (folder / "sub" / "b.txt.gz").write_bytes(gzip.compress("\n".join(SENTENCES[:9]).encode()))
    (folder / "sub" / "note.md").write_text("No text.")
    (folder / "sub" / ".b.txt.gz").write_bytes(b"hidden")
    pq.write_table(pa.table({"text": SENTENCES}), folder / "c.parquet", row_group_size=500)
    with serve(folder) as site:
        yield site


def sentences(*urls, **settings):
    corpus = open_corpus(list(urls), CorpusSettings(**settings))
    return [sentence for document in corpus.documents() for sentence in document.sentences]


def test_a_file_is_streamed_in_pieces(site):
    corpus = open_corpus(f"{site.url}/a.jsonl")
    assert corpus.files == (f"{site.url}/a.jsonl",)
    assert corpus.num_bytes == (site.folder / "a.jsonl").stat().st_size
    site.requests.clear()
    documents = iter(corpus)
    first = next(documents)
    assert (first.text, first.where) == (SENTENCES[0], f"{site.url}/a.jsonl:1")
    assert 0 < corpus.bytes_read <= corpus.num_bytes
    assert [raw.text for raw in documents] == SENTENCES[1:]
    assert corpus.bytes_read == corpus.num_bytes


def test_queries_belong_to_the_address(site):
    assert sentences(f"{site.url}/a.jsonl?download=true&x=1") == SENTENCES
    assert sentences(f"{site.url}/a.jsonl?signature=a*b[1]") == SENTENCES


def test_an_address_that_leads_to_itself_is_told(site):
    site.answer = lambda path: (302, {"Location": path})
    with pytest.raises(CorpusError, match=r"a\.jsonl: cannot be read \(TooManyRedirects\); check"):
        open_corpus(f"{site.url}/a.jsonl")


def test_parquet_is_read_where_it_lies(site):
    assert sentences(f"{site.url}/c.parquet") == SENTENCES
    assert all("bytes=" in request for request in site.requests if request.startswith("GET"))


def test_folders_and_globs_of_a_server_that_lists(site):
    corpus = open_corpus(f"{site.url}/")
    names = [name.removeprefix(site.url) for name in corpus.files]
    assert names == ["/a.jsonl", "/c.parquet", "/sub/b.txt.gz"]
    assert corpus.counts == {"files_ignored": 1}
    assert len(list(corpus.documents())) == 6001
    assert sentences(f"{site.url}/sub/*.gz") == SENTENCES[:9]
    with pytest.raises(CorpusError, match=r"\*\.zst: no file matches; check the pattern"):
        open_corpus(f"{site.url}/*.zst")
    (site.folder / "empty").mkdir()
    with pytest.raises(CorpusError, match="has no text in it"):
        open_corpus(f"{site.url}/empty/")


@pytest.mark.parametrize("name", ["a.jsonl", "c.parquet"])
def test_a_connection_cut_midway_is_taken_up_again(site, name):
    corpus = open_corpus(f"{site.url}/{name}")
    site.cuts = 2
    assert [raw.text for raw in corpus] == SENTENCES
    assert site.cuts == 0
    site.cuts = 999
    with pytest.raises(
        CorpusError, match=rf"{name}: cannot be read \(Not enough.*\) after [\d,]+ b"
    ):
        list(corpus)


def test_a_server_without_ranges_is_read_in_one_go(site):
    site.ranges = False
    corpus = open_corpus(f"{site.url}/a.jsonl")
    assert [raw.text for raw in corpus] == SENTENCES
    needs = r"c\.parquet: the server cannot start in the middle of a file, which Parquet needs; do"
    with pytest.raises(CorpusError, match=needs):
        list(open_corpus(f"{site.url}/c.parquet"))
    site.cuts = 999
    with pytest.raises(CorpusError, match=r"a\.jsonl: cannot be read \(.*\) after [\d,]+ bytes"):
        list(corpus)


def test_a_server_that_has_no_ranges_and_does_not_say_so(site):
    site.ranges, site.admits_it = False, False
    corpus = open_corpus(f"{site.url}/a.jsonl")
    assert [raw.text for raw in corpus] == SENTENCES
    needs = r"c\.parquet: the server cannot start in the middle of a file, which Parquet needs; do"
    with pytest.raises(CorpusError, match=needs):
        list(open_corpus(f"{site.url}/c.parquet"))


def test_a_server_that_does_not_tell_sizes(site):
    site.tells_size = False
    corpus = open_corpus(f"{site.url}/a.jsonl")
    assert corpus.num_bytes == 0
    assert [raw.text for raw in corpus] == SENTENCES


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (404, "is not there; check the address"),
        (403, r"may not be read \(status 403\); check the address and your credentials"),
        (401, r"may not be read \(status 401\)"),
        (500, r"cannot be read \(status 500\); check the network, then run it again"),
    ],
)
def test_answers_that_are_no_file(site, status, what):
    site.statuses["/a.jsonl"] = status
    with pytest.raises(CorpusError, match=rf"^http://127.0.0.1:\d+/a\.jsonl: {what}") as caught:
        open_corpus(f"{site.url}/a.jsonl")
    assert "\n" not in str(caught.value)


def test_a_file_that_vanishes_is_not_tried_again(site):
    corpus = open_corpus(f"{site.url}/a.jsonl")
    site.statuses["/a.jsonl"] = 404
    site.requests.clear()
    with pytest.raises(CorpusError, match=r"a\.jsonl: is not there"):
        list(corpus)
    assert len(site.requests) <= 3


def test_nobody_answers(site):
    with pytest.raises(CorpusError, match=r"cannot be read \(.*\); check the network"):
        open_corpus("http://127.0.0.1:9/a.txt")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("foo://x/a.txt", "foo:// is no kind of address that is known; give a path, https://"),
        ("oss://x/a.txt", "oss:// needs a package that is not installed"),
        ("memory://x/missing.txt", "memory://x/missing.txt: is not there"),
        ("memory://x/none/*.txt", "no file matches"),
    ],
)
def test_addresses_that_cannot_be_used(url, what):
    with pytest.raises(CorpusError) as caught:
        open_corpus(url)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(
        CorpusError, match=r"https:// needs a package .*; pip install 'bertsmith\[rem"
    ):
        open_corpus("https://localhost/a.txt")


@pytest.fixture
def memory():
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe(
        {
            "/corpus/b.txt": b"Bee.",
            "/corpus/sub/c.txt": b"Sea.",
            "/corpus/.hidden/d.txt": b"Dee.",
            "/corpus/e.bin": b"E.",
            "/corpus/a.parquet": _parquet("Aye."),
        }
    )
    yield filesystem
    filesystem.rm("/corpus", recursive=True)


def _parquet(text):
    out = io.BytesIO()
    pq.write_table(pa.table({"text": [text]}), out)
    return out.getvalue()


def test_folders_files_and_globs_of_a_store(memory):
    assert sentences("memory://corpus") == ["Aye.", "Bee.", "Sea."]
    assert sentences("memory://corpus/sub/c.txt") == ["Sea."]
    assert sentences("memory://corpus/*.txt", "memory://corpus/s*") == ["Bee.", "Sea."]
    corpus = open_corpus("memory://corpus")
    assert (corpus.num_bytes > 0, corpus.counts) == (True, {"files_ignored": 1})
    assert all(str(name).startswith("memory://") for name in corpus.files)
    assert sentences("memory://corpus/**/*.txt") == ["Bee.", "Sea."]
    assert (
        sentences("memory://corpus/.h*/*.txt") == sentences("memory://corpus/.hidden/*") == ["Dee."]
    )
    with pytest.raises(CorpusError, match="no file matches"):
        open_corpus("memory://corpus/*/d.txt")
    with pytest.raises(CorpusError, match=r"e\.bin: its extension is not one of a text format"):
        open_corpus("memory://corpus/e.bin")
    with pytest.raises(CorpusError, match="is given twice"):
        open_corpus(["memory://corpus", "memory://corpus/b.txt"])


def test_an_empty_remote_file(memory):
    memory.pipe("/corpus/empty.txt", b"")
    with pytest.raises(CorpusError, match=r"empty\.txt: is empty"):
        open_corpus("memory://corpus/empty.txt")


def test_a_file_address_is_a_path(tmp_path):
    (tmp_path / "a.txt").write_text("Rain.")
    assert sentences(f"file://{tmp_path}/a.txt") == ["Rain."]


def test_globs_of_a_file_address(tmp_path):
    (tmp_path / "sub").mkdir()
    for name, text in [("b.txt", "Bee."), ("a.txt", "Aye."), (".h.txt", "H."), ("sub/c.txt", "C.")]:
        (tmp_path / name).write_text(text)
    assert sentences(f"file://{tmp_path}/*.txt") == ["Aye.", "Bee."]
    assert sentences(f"file://{tmp_path}/**/[bc].txt") == ["Bee.", "C."]
    with pytest.raises(
        CorpusError, match=r"^file:///.*/\*\.xml: no file matches; check the pattern"
    ):
        open_corpus(f"file://{tmp_path}/*.xml")
