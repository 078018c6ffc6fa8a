"""Finding the files of a corpus and reading them one after another."""

import gzip
import io
import os
import sys

import pytest

from bertsmith.corpus import CorpusSettings, Document, open_corpus
from bertsmith.errors import CorpusError
from unprivileged import unprivileged


@pytest.fixture
def folder(tmp_path):
    for name, text in {
        "b.txt": "Bee.",
        "a/z.TXT": "Zed.",
        "a/c.jsonl": '{"text": "Sea."}',
        "a/d.txt.gz": gzip.compress(b"Dee."),
        "README.md": "Not this.",
        ".hidden.txt": "Nor this.",
        ".git/x.txt": "Nor that.",
    }.items():
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / "corpus"


def sentences(*paths, **settings):
    corpus = open_corpus(list(paths), CorpusSettings(**settings))
    return [sentence for document in corpus.documents() for sentence in document.sentences]


def test_a_folder_is_read_in_order(folder):
    corpus = open_corpus(folder)
    names = [path.relative_to(folder).as_posix() for path in corpus.files]
    assert names == ["a/c.jsonl", "a/d.txt.gz", "a/z.TXT", "b.txt"]
    assert corpus.num_bytes == sum(path.stat().st_size for path in corpus.files)
    assert corpus.bytes_read == 0
    assert [raw.text for raw in corpus] == ["Sea.", "Dee.", "Zed.", "Bee."]
    assert corpus.bytes_read == corpus.num_bytes
    assert corpus.counts == {"files_ignored": 1}
    assert next(corpus.documents()) == Document("", ["Sea."])


def test_several_paths_and_globs(folder):
    assert sentences(folder / "b.txt", folder / "a") == ["Bee.", "Sea.", "Dee.", "Zed."]
    assert sentences(f"{folder}/**/*.txt*") == ["Dee.", "Bee."]
    assert sentences(f"{folder}/[a]") == ["Sea.", "Dee.", "Zed."]
    assert open_corpus(str(folder / "b.txt")).files == (folder / "b.txt",)


def test_a_file_may_have_the_characters_of_a_glob(tmp_path):
    (tmp_path / "a[1].txt").write_text("One.")
    assert sentences(tmp_path / "a[1].txt") == ["One."]


def test_links_are_followed_but_not_in_circles(folder, tmp_path):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "l.txt").write_text("Linked.")
    (folder / "link").symlink_to(tmp_path / "linked")
    (folder / "a" / "round").symlink_to(folder)
    assert sentences(folder) == ["Sea.", "Dee.", "Zed.", "Bee.", "Linked."]


def test_a_link_to_text_that_is_not_there_is_no_secret(folder):
    (folder / "a" / "gone").symlink_to("nowhere")
    assert open_corpus(folder).counts == {"files_ignored": 2}
    (folder / "a" / "gone.txt").symlink_to("nowhere")
    with pytest.raises(CorpusError, match=r"gone\.txt: cannot be opened \(No such file or dir"):
        open_corpus(folder)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("missing.txt", r"missing\.txt: cannot be opened \(No such file or directory\)"),
        ("*.nothing", "no file matches"),
        ("README.md", r"its extension is not one of a text format; give \.jsonl \.parquet \.txt"),
        (
            "b.json",
            r"b\.json: .* not one .*; rename it to \.jsonl if .* `jq -c '\.\[\]'`",
        ),
        ("b.JSON.gz", r"b\.JSON\.gz: its extension is not one .*; rename it to \.jsonl\.gz if"),
        ("b.txt/x.txt", "cannot be opened"),
        ("nul\0.txt", "cannot be opened"),
        ("a.parquet.gz", "a .parquet file cannot be read through .gz; unpack it first"),
        ("round.txt", "cannot be opened"),
        ("empty", r"empty: has no text in it; put in \.jsonl"),
        ("empty.txt", "is empty; give a file with text, or give --errors replace to skip it"),
        ("pipe.txt", "is no regular file"),
    ],
)
def test_what_cannot_be_opened_is_named(folder, path, what):
    (folder / "a.parquet.gz").write_bytes(b"x")
    for name in ("b.json", "b.JSON.gz"):
        (folder / name).write_bytes(b"[]")
    (folder / "round.txt").symlink_to(folder / "round.txt")
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.md").write_text("x")
    (folder / "empty.txt").touch()
    os.mkfifo(folder / "pipe.txt")
    with pytest.raises(CorpusError, match=what) as caught:
        open_corpus(f"{folder}/{path}")
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read(folder):
    (folder / "b.txt").chmod(0)
    with (
        unprivileged(folder),
        pytest.raises(CorpusError, match=r"^b\.txt: cannot be opened \(Permission denied\)"),
    ):
        open_corpus(".")


@pytest.mark.parametrize("path", [".", "closed"])
def test_a_folder_that_may_not_be_looked_into_is_named(tmp_path, path):
    (tmp_path / "closed").mkdir(0o000)
    with (
        unprivileged(tmp_path),
        pytest.raises(CorpusError, match=r"^closed: cannot be opened \(Permission denied\)"),
    ):
        open_corpus(path)


def test_nothing_or_the_same_twice(folder):
    with pytest.raises(CorpusError, match="no text was given"):
        open_corpus([])
    with pytest.raises(CorpusError, match="no text was given"):
        open_corpus([folder, ""])
    with pytest.raises(CorpusError, match=r"b\.txt: is given twice"):
        open_corpus([folder / "b.txt", folder])


def test_files_without_text(tmp_path):
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.txt").write_text(" \n\n")
    (tmp_path / "c.txt").write_text("See.")
    with pytest.raises(CorpusError, match=r"a\.txt: is empty"):
        open_corpus(tmp_path)
    with pytest.raises(CorpusError, match=r"b\.txt: holds no text"):
        list(open_corpus([tmp_path / "b.txt", tmp_path / "c.txt"]))
    corpus = open_corpus(tmp_path, CorpusSettings(errors="replace"))
    assert [raw.text for raw in corpus] == ["See."]
    assert corpus.counts == {"empty_files": 2}
    assert [raw.text for raw in corpus] == ["See."]
    assert corpus.counts == {"empty_files": 2}
    with pytest.raises(CorpusError, match="no text is left"):
        list(open_corpus(tmp_path / "b.txt", CorpusSettings(errors="replace")))
    with pytest.raises(CorpusError, match="is empty"):
        open_corpus(tmp_path / "a.txt", CorpusSettings(errors="replace"))


class Input:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


def test_standard_input_is_read_once(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Input(b"One.\nTwo.\n"))
    corpus = open_corpus("-")
    assert corpus.num_bytes == 0
    assert [raw.where for raw in corpus] == ["standard input:1"]
    assert not sys.stdin.buffer.closed
    with pytest.raises(CorpusError, match="can be read only once"):
        list(corpus)
    monkeypatch.setattr(sys, "stdin", Input(b'{"text": "One."}'))
    assert sentences("-", standard_input_format="jsonl") == ["One."]
    with pytest.raises(CorpusError, match="cannot be read as 'parquet'; use one of jsonl, txt"):
        open_corpus("-", CorpusSettings(standard_input_format="parquet"))


def test_a_file_that_vanishes_or_is_cut_while_reading(folder):
    corpus = open_corpus(folder)
    (folder / "a" / "d.txt.gz").unlink()
    documents = iter(corpus)
    assert next(documents).text == "Sea."
    with pytest.raises(CorpusError, match=r"d\.txt\.gz: cannot be read \(No such file"):
        next(documents)


def test_progress_is_told_in_bytes_on_disk(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(
        gzip.compress(b"".join(os.urandom(30).hex().encode() + b"\n\n" for _ in range(50_000)))
    )
    corpus, seen = open_corpus(path), []
    for number, _ in enumerate(corpus):
        if number % 1000 == 0:
            seen.append(corpus.bytes_read)
    assert seen == sorted(seen)
    assert 0 < seen[0] < corpus.num_bytes * 0.6
    assert corpus.bytes_read == corpus.num_bytes


def test_json_lines_by_other_names(tmp_path):
    for name in ("a.ndjson", "b.jsonlines.gz"):
        data = b'{"text": "One."}\n'
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert sentences(tmp_path) == ["One.", "One."]


def test_a_broken_file_among_others_can_be_left_out(tmp_path):
    for name in ("a.xml", "b.parquet"):
        (tmp_path / name).write_bytes(b"<rss></rss>")
    (tmp_path / "c.txt").write_text("See.")
    with pytest.raises(CorpusError, match=r"a\.xml: is XML, but no MediaWiki export"):
        sentences(tmp_path)
    corpus = open_corpus(tmp_path, CorpusSettings(errors="replace"))
    assert [raw.text for raw in corpus] == ["See."]
    assert corpus.counts == {"broken_files": 2}


def test_a_closed_standard_input_disturbs_no_files(monkeypatch, folder):
    monkeypatch.setattr(sys, "stdin", None)
    assert sentences(folder / "b.txt") == ["Bee."]
    with pytest.raises(CorpusError, match="standard input: is closed; pipe text in"):
        list(open_corpus("-"))


def test_a_token_store_is_no_text(tmp_path):
    store = tmp_path / "data" / "store"
    store.mkdir(parents=True)
    for name in ("manifest.json", "shard-00000.arrow", "vocab.txt"):
        (store / name).write_text("word\n")
    with pytest.raises(CorpusError, match="store: is a token store, not text; name the text"):
        open_corpus(store)
    (tmp_path / "data" / "a.txt").write_text("Rain.\n")
    assert open_corpus(tmp_path / "data").files == (tmp_path / "data" / "a.txt",)
