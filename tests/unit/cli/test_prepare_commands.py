"""`bertsmith prepare` and `bertsmith store info`: what they refuse, and how they stop."""

import io
import json
import shutil

import pytest

from bertsmith.store import making


def test_words_are_those_of_the_store_that_is_appended_to(bertsmith, corpus, store, tmp_path):
    shutil.copytree(store, tmp_path / "store")
    append = ("prepare", corpus, "--append", "-o", tmp_path / "store")
    code, _, told = bertsmith(*append, "--words", "jieba")
    assert code == 2
    assert told.startswith("bertsmith: --words: does not go with --append")
    more = tmp_path / "more.txt"
    more.write_text("the red river walks in the old city .\n")
    code, _, told = bertsmith("prepare", more, "--append", "-o", tmp_path / "store")
    assert (code, told) == (0, "")


def test_the_same_text_is_added_twice_only_if_asked(bertsmith, corpus, store, tmp_path):
    mine = tmp_path / "store"
    shutil.copytree(store, mine)
    append = ("prepare", corpus, "--append", "-o", mine)
    code, _, told = bertsmith(*append)
    assert (code, told) == (
        2,
        f"bertsmith: {mine}: all 60 documents are in the store already; added once more, each "
        "would be trained on twice as often; name the new text alone, or give --again if that is "
        "meant\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert (mine / "manifest.json").read_bytes() == (store / "manifest.json").read_bytes()
    code, out, told = bertsmith(*append, "--again")
    assert code == 0
    assert "a store of 120 documents" in out
    assert told == (
        "bertsmith: all 60 documents are in the store already, and will be trained on more often "
        "than the rest\n"
    )
    code, _, told = bertsmith("prepare", corpus, "--vocab", "v.txt", "-o", mine, "--again")
    assert (code, told) == (2, "bertsmith: --again: goes with --append alone; leave it out\n")


def test_words_of_no_kind_are_refused(bertsmith, corpus, vocab, tmp_path):
    arguments = ("prepare", corpus, "--vocab", vocab, "-o", tmp_path / "store", "--words", "spacy")
    code, _, told = bertsmith(*arguments)
    assert (code, told) == (2, "bertsmith: --words: 'spacy' is none of pieces, jieba\n")


def test_a_little_text_is_not_worth_a_worker(bertsmith, corpus, vocab, tmp_path, monkeypatch):
    def ordered_map(job, tasks, workers):
        used.append(workers.num_workers)
        return map(job, tasks)

    used = []
    monkeypatch.setattr(making, "ordered_map", ordered_map)
    arguments = ("prepare", corpus, "--vocab", vocab)
    assert bertsmith(*arguments, "-o", tmp_path / "one")[0] == 0
    assert bertsmith(*arguments, "-o", tmp_path / "two", "--workers", 2)[0] == 0
    assert used == [1, 2]


@pytest.mark.parametrize(
    ("can_go_on", "line"),
    [(True, "stopped; run the same command to go on"), (False, "stopped; nothing is kept")],
)
def test_ctrl_c(bertsmith, corpus, vocab, tmp_path, monkeypatch, can_go_on, line):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "write_shard", stop)
    if not can_go_on:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(corpus.read_bytes())))
        corpus = "-"
    arguments = ("prepare", corpus, "--vocab", vocab, "-o", tmp_path / "store", "--workers", 1)
    assert bertsmith(*arguments) == (130, "", f"bertsmith: {line}\n")


def test_a_cased_vocabulary_that_is_lower_cased_is_told(bertsmith, corpus, tmp_path):
    vocab = tmp_path / "vocab.txt"
    vocab.write_text(
        "\n".join(
            [*["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "The", "Rain", "rain", "a", "."], ""]
        )
    )
    arguments = ("prepare", corpus, "--vocab", vocab, "-o")
    code, _, told = bertsmith(*arguments, tmp_path / "one")
    assert code == 0
    assert "vocab.txt: 50% of the entries have capitals" in told
    for number, option in enumerate(("--cased", "--lowercase")):
        assert "capitals" not in bertsmith(*arguments, tmp_path / f"two-{number}", option)[2]


def test_info_counts_shards_which_are_not_the_files_that_were_read(
    bertsmith, corpus, vocab, tmp_path
):
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        shutil.copy(corpus, tmp_path / "in" / name)
    made = bertsmith("prepare", tmp_path / "in", "--vocab", vocab, "-o", tmp_path / "store")
    assert made[0] == 0
    _, out, _ = bertsmith("store", "info", tmp_path / "store")
    rows = [line.split() for line in out.splitlines()]
    assert rows.count(["shards", "1"]) == 2
    assert "files" not in [row[0] for row in rows]


def test_jiebas_words_are_refused_for_japanese(bertsmith, corpus, vocab, store, tmp_path):
    arguments = ("prepare", corpus, "--vocab", vocab, "--words", "jieba", "--language")
    for language in ("ja", "ja-jp"):
        code, _, told = bertsmith(*arguments, language, "-o", tmp_path / "new")
        assert (code, told) == (
            2,
            "bertsmith: words=jieba: jieba doesn't know Japanese; leave --words out\n",
        )
    mine = tmp_path / "mine"
    assert bertsmith(*arguments, "zh", "-o", mine)[0] == 0
    code, _, told = bertsmith("prepare", corpus, "--append", "-o", mine, "--language", "ja")
    assert (code, told) == (
        2,
        "bertsmith: words=jieba: jieba doesn't know Japanese; prepare it as a store of its own\n",
    )
    assert not [path for path in tmp_path.iterdir() if path != mine]


def test_info_needs_the_manifest_alone(bertsmith, store, tmp_path):
    (tmp_path / "store").mkdir()
    shutil.copy(store / "manifest.json", tmp_path / "store")
    code, out, told = bertsmith("store", "info", tmp_path / "store", "--json")
    assert (code, told) == (0, "")
    assert json.loads(out) == json.loads((store / "manifest.json").read_text())


def test_the_next_command_quotes_a_name(bertsmith, tmp_path, vocab):
    text, store = tmp_path / "one.txt", tmp_path / "my store"
    text.write_text("the red river .\nthe old city .\n")
    code, out, _ = bertsmith("prepare", text, "--vocab", vocab, "-o", store)
    assert code == 0
    assert f"{store}: a store of 1 document\n" in out
    assert f"bertsmith pretrain '{store}' --recipe tiny --budget 10m" in out
    code, out, _ = bertsmith("store", "verify", store)
    assert (code, out) == (
        0,
        f"{store}: sound; the hash of its one file is as the manifest says\n",
    )
    code, out, _ = bertsmith("doctor", "store", store)
    assert f"bertsmith pretrain '{store}' --recipe tiny --budget 10m --set examples." in out
