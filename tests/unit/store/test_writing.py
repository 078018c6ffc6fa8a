"""Writing a store: whole or not at all, and the same for any number of workers."""

import json
import multiprocessing
import os
import unicodedata

import numpy as np
import pytest

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.errors import CorpusError, StoreError
from bertsmith.store import StoreSettings, TokenStore, describe, tokenizing, write_store
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from store_content import content, expected_ids, stored_ids

SMALL = StoreSettings(shard_tokens=1000, chunk_chars=2000)


def test_the_ids_are_the_tokenizers(tmp_path, corpus, tokenizer):
    manifest = write_store(corpus, tokenizer, tmp_path / "store", settings=SMALL, num_workers=1)
    store, expected = TokenStore(tmp_path / "store"), expected_ids(corpus, tokenizer)
    assert stored_ids(store) == expected
    assert manifest == store.manifest
    flat = [token for document in expected for sentence in document for token in sentence]
    assert manifest.num_documents == len(expected) == 150
    assert manifest.num_sentences == sum(map(len, expected))
    assert manifest.num_tokens == len(flat)
    assert manifest.num_unknown == flat.count(1) > 0
    assert manifest.num_text_bytes == sum(len(raw.text.encode()) for raw in corpus)
    assert manifest.unicode_version == unicodedata.unidata_version
    assert manifest.vocabulary_sha256 == tokenizer.vocabulary.sha256
    assert manifest.counts == {}
    assert [store.title(n) for n in (0, 77, 149)] == ["Document 0", "Document 77", "Document 149"]


def test_a_shard_ends_with_the_document_that_fills_it(tmp_path, corpus, tokenizer):
    manifest = write_store(corpus, tokenizer, tmp_path / "store", settings=SMALL, num_workers=1)
    lengths = [sum(map(len, document)) for document in expected_ids(corpus, tokenizer)]
    shards, filled = [], 1000
    for length in lengths:
        if filled >= 1000:
            shards.append(0)
            filled = 0
        shards[-1] += 1
        filled += length
    assert [shard.num_documents for shard in manifest.shards] == shards
    assert len(shards) > 5


def test_the_number_of_workers_changes_nothing(tmp_path, corpus, tokenizer):
    stores = [tmp_path / f"store-{n}" for n in (1, 2, 3)]
    for num_workers, folder in enumerate(stores, 1):
        write_store(corpus, tokenizer, folder, settings=SMALL, num_workers=num_workers)
    first, *others = map(content, stores)
    assert len(first) > 5
    assert all(other == first for other in others)


@pytest.mark.parametrize("chunk_chars", [1, 500, 10**6])
def test_the_size_of_chunks_changes_nothing(tmp_path, corpus, tokenizer, chunk_chars):
    for name, size in (("a", chunk_chars), ("b", 2000)):
        settings = StoreSettings(shard_tokens=1000, chunk_chars=size)
        write_store(corpus, tokenizer, tmp_path / name, settings=settings, num_workers=1)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_sentences_and_documents_without_a_token_are_dropped(tmp_path, tokenizer):
    path = tmp_path / "a.txt"
    path.write_text("rain.\n\u200b\n\n\u200b\n\u200b\n\nriver\n", encoding="utf-8")
    manifest = write_store(open_corpus(path), tokenizer, tmp_path / "store")
    assert stored_ids(TokenStore(tmp_path / "store")) == [
        [tokenizer.token_ids("rain.")],
        [tokenizer.token_ids("river")],
    ]
    assert manifest.counts == {"sentences_dropped": 3, "documents_dropped": 1}
    path.write_text("\u200b\n", encoding="utf-8")
    with pytest.raises(StoreError, match="no token is left of the text"):
        write_store(open_corpus(path), tokenizer, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_was_mended_is_counted(tmp_path, tokenizer):
    (tmp_path / "a.txt").write_bytes(b"rain\xff\0river gold\n")
    corpus = open_corpus(tmp_path / "a.txt", CorpusSettings(errors="replace"))
    manifest = write_store(corpus, tokenizer, tmp_path / "store", num_workers=2)
    assert manifest.counts == {"bad_bytes": 1, "nul_bytes": 1}
    assert manifest.corpus.errors == "replace"


def test_a_large_vocabulary_takes_wider_ids(tmp_path, corpus):
    words = [f"w{n}" for n in range(2**16 - 5)]
    (tmp_path / "a.txt").write_text("w0 w65530 w65531")
    for extra, dtype in ((0, np.uint16), (1, np.uint32)):
        tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *words, *["w65531"][:extra]]))
        folder = tmp_path / f"store-{extra}"
        write_store(open_corpus(tmp_path / "a.txt"), tokenizer, folder)
        ids = TokenStore(folder).tokens(0, 3)
        assert ids.dtype == dtype
        assert ids.tolist() == [5, 65535, 65536 if extra else 1]


def test_a_summary_for_people(tmp_path, corpus, tokenizer):
    manifest = write_store(corpus, tokenizer, tmp_path / "store")
    summary = describe(manifest)
    assert summary.num_tokens == manifest.num_tokens
    assert summary.tokens_per_sentence * summary.num_sentences == pytest.approx(summary.num_tokens)
    assert summary.bytes_per_token * summary.num_tokens == pytest.approx(summary.num_text_bytes)
    assert summary.unknown_rate == manifest.num_unknown / manifest.num_tokens
    assert summary.sentences_per_document == manifest.num_sentences / 150


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_corpus_that_fails_half_way_leaves_everything_as_it_was(
    tmp_path, corpus, corpus_file, tokenizer, num_workers
):
    folder = tmp_path / "stores" / "store"
    write_store(corpus, tokenizer, folder, settings=SMALL)
    before = content(folder)
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(corpus_file.read_bytes() + b"{broken\n")
    for target in (folder, tmp_path / "stores" / "new"):
        with pytest.raises(CorpusError, match=r"broken\.jsonl:151: is not JSON"):
            write_store(
                open_corpus(broken),
                tokenizer,
                target,
                settings=SMALL,
                num_workers=num_workers,
                overwrite=True,
            )
    assert content(folder) == before
    assert [path.name for path in (tmp_path / "stores").iterdir()] == ["store"]
    assert not multiprocessing.active_children()


def test_a_store_is_replaced_only_when_asked_for(tmp_path, corpus, tokenizer):
    folder = tmp_path / "stores" / "store"
    write_store(corpus, tokenizer, folder)
    before = content(folder)
    with pytest.raises(StoreError, match="holds a token store already; give --overwrite"):
        write_store(corpus, tokenizer, folder)
    assert content(folder) == before
    (tmp_path / "a.txt").write_text("rain.")
    write_store(open_corpus(tmp_path / "a.txt"), tokenizer, folder, overwrite=True)
    assert TokenStore(folder).num_tokens == 2
    assert [path.name for path in (tmp_path / "stores").iterdir()] == ["store"]


def test_other_peoples_files_are_never_replaced(tmp_path, corpus, tokenizer):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(StoreError, match="holds files that are no token store, which stay"):
        write_store(corpus, tokenizer, tmp_path / "thesis", overwrite=True)
    with pytest.raises(StoreError, match=r"chapter\.tex: is a file"):
        write_store(corpus, tokenizer, tmp_path / "thesis" / "chapter.tex", overwrite=True)
    with pytest.raises(StoreError, match="cannot be written"):
        write_store(corpus, tokenizer, tmp_path / "thesis" / "chapter.tex" / "store")
    assert content(tmp_path / "thesis") == {"chapter.tex": b"years of work"}
    (tmp_path / "empty").mkdir()
    write_store(corpus, tokenizer, tmp_path / "empty")
    assert TokenStore(tmp_path / "empty").num_documents == 150


def test_a_worker_that_is_killed_is_told(tmp_path, corpus, tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizing, "_tokenize_in_worker", os._exit)
    monkeypatch.setattr(tokenizing, "_chunks", lambda *_: iter([1, 2, 3]))
    with pytest.raises(StoreError, match=r"a worker process was killed.*give fewer --workers"):
        write_store(corpus, tokenizer, tmp_path / "store", num_workers=2)
    assert not list(tmp_path.iterdir())


def test_the_manifest_holds_neither_time_nor_path(tmp_path, corpus, tokenizer):
    write_store(corpus, tokenizer, tmp_path / "store")
    text = (tmp_path / "store" / "manifest.json").read_text()
    assert str(tmp_path) not in text
    assert json.loads(text)["shards"][0]["name"] == "shard-00000.arrow"
