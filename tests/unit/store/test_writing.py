"""Writing a store: whole or not at all, and the same for any number of workers."""

import json
import multiprocessing
import os
import unicodedata

import numpy as np
import pytest

from bertsmith._parallel import Workers
from bertsmith.corpus import CleaningSettings, CorpusSettings, open_corpus
from bertsmith.errors import CorpusError, StoreError
from bertsmith.store import StoreSettings, TokenStore, append_to_store, describe, write_store
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary, count_words
from store_content import content, expected_ids, stored_ids

SMALL = StoreSettings(shard_tokens=1000, chunk_chars=2000)


def test_the_ids_are_the_tokenizers(tmp_path, corpus, tokenizer):
    manifest = write_store(
        corpus, tokenizer, tmp_path / "store", settings=SMALL, workers=Workers(1)
    )
    store, expected = TokenStore(tmp_path / "store"), expected_ids(corpus, tokenizer)
    assert stored_ids(store) == expected
    assert manifest == store.manifest
    flat = [token for document in expected for sentence in document for token in sentence]
    assert manifest.num_documents == len(expected) == 150
    assert manifest.num_sentences == sum(map(len, expected))
    assert manifest.num_tokens == len(flat)
    (part,) = manifest.parts
    assert part.num_unknown == flat.count(1) > 0
    assert part.num_text_bytes == sum(len(raw.text.encode()) for raw in corpus)
    assert manifest.unicode_version == unicodedata.unidata_version
    assert manifest.vocabulary_sha256 == tokenizer.vocabulary.sha256
    assert manifest.counts == {}
    assert [store.title(n) for n in (0, 77, 149)] == ["Document 0", "Document 77", "Document 149"]


def test_a_shard_ends_with_the_chunk_that_fills_it(tmp_path, corpus, tokenizer):
    manifest = write_store(
        corpus, tokenizer, tmp_path / "store", settings=SMALL, workers=Workers(1)
    )
    shards, tokens, chars, filled = [0], 0, 0, 0
    for raw, document in zip(corpus, expected_ids(corpus, tokenizer), strict=True):
        if filled:
            shards.append(0)
            filled = False
        shards[-1] += 1
        chars, tokens = chars + len(raw.text), tokens + sum(map(len, document))
        if chars >= 2000:
            chars = 0
            if tokens >= 1000:
                filled, tokens = True, 0
    assert [shard.num_documents for shard in manifest.shards] == shards
    assert len(shards) > 5


def test_the_number_of_workers_changes_nothing(tmp_path, corpus, tokenizer):
    stores = [tmp_path / f"store-{n}" for n in (1, 2, 3)]
    for num_workers, folder in enumerate(stores, 1):
        write_store(corpus, tokenizer, folder, settings=SMALL, workers=Workers(num_workers))
    first, *others = map(content, stores)
    assert len(first) > 5
    assert all(other == first for other in others)


@pytest.mark.parametrize("chunk_chars", [1, 500, 10**6])
def test_the_size_of_chunks_changes_where_shards_end_alone(
    tmp_path, corpus, tokenizer, chunk_chars
):
    settings = StoreSettings(shard_tokens=1000, chunk_chars=chunk_chars)
    write_store(corpus, tokenizer, tmp_path / "store", settings=settings, workers=Workers(1))
    assert stored_ids(TokenStore(tmp_path / "store")) == expected_ids(corpus, tokenizer)


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
    manifest = write_store(corpus, tokenizer, tmp_path / "store", workers=Workers(2))
    assert manifest.counts == {"bad_bytes": 1, "nul_bytes": 1}
    assert manifest.parts[0].corpus.errors == "replace"


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
    assert summary.unknown_rate == manifest.parts[0].num_unknown / manifest.num_tokens
    assert summary.sentences_per_document == manifest.num_sentences / 150


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_corpus_that_fails_half_way_leaves_the_store_as_it_was(
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
                workers=Workers(num_workers),
                overwrite=True,
            )
    assert content(folder) == before
    names = sorted(path.name for path in (tmp_path / "stores").iterdir())
    assert names == [".new.partial", ".store.partial", "store"]
    assert not multiprocessing.active_children()


def test_a_corpus_that_fails_before_a_shard_is_finished_leaves_nothing(tmp_path, tokenizer):
    (tmp_path / "a.jsonl").write_text('{"text": "rain"}\n{broken\n')
    with pytest.raises(CorpusError, match="is not JSON"):
        write_store(open_corpus(tmp_path / "a.jsonl"), tokenizer, tmp_path / "stores" / "store")
    assert not list((tmp_path / "stores").iterdir())


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


def test_what_cleaning_has_left_nothing_of_is_told_with_its_reason(tmp_path, corpus, tokenizer):
    cleaning = CleaningSettings(min_document_chars=10_000)
    short = open_corpus(corpus.files, CorpusSettings(cleaning=cleaning))
    reason = r"left out: .*short documents \(\d+\)"
    with pytest.raises(StoreError, match=f"no token is left of the text; look at .*{reason}"):
        write_store(short, tokenizer, tmp_path / "stores" / "store")
    assert not list((tmp_path / "stores").iterdir())
    with pytest.raises(CorpusError, match=f"no text is left; look at .*{reason}"):
        count_words(short)


@pytest.mark.parametrize("name", ["notes.md", "runs/first/log", ".git/HEAD"])
def test_what_lies_beside_a_store_does_not_go_with_it(tmp_path, corpus, tokenizer, name):
    folder = tmp_path / "store"
    write_store(corpus, tokenizer, folder)
    (folder / ".DS_Store").touch()
    write_store(corpus, tokenizer, folder, overwrite=True)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("years of work")
    with pytest.raises(StoreError, match="beside a token store, which would go with it; move it"):
        write_store(corpus, tokenizer, folder, overwrite=True)
    assert (folder / name).read_text() == "years of work"
    assert not (tmp_path / ".store.partial").exists()


def test_no_store_is_made_in_another(tmp_path, corpus, tokenizer):
    write_store(corpus, tokenizer, tmp_path / "store")
    (tmp_path / "link").symlink_to(tmp_path / "store")
    with pytest.raises(StoreError, match=r"is in the token store .*store, and would go with it"):
        write_store(corpus, tokenizer, tmp_path / "link" / "deep" / "store")


# As a file system that is older than UTF-8 has them.
ODD_NAME = os.fsdecode(b"caf\xe9")


def test_names_that_are_not_utf_8(tmp_path, corpus, tokenizer):
    (tmp_path / f"{ODD_NAME}.txt").write_text("The rain fell.\n\nIt stopped.")
    text = open_corpus(tmp_path / f"{ODD_NAME}.txt", CorpusSettings(text_form="document"))
    write_store(corpus, tokenizer, tmp_path / ODD_NAME, workers=Workers(1))
    append_to_store(text, tmp_path / ODD_NAME, workers=Workers(2))
    store = TokenStore(tmp_path / ODD_NAME)
    store.verify()
    assert store.title(store.num_documents - 1) == "caf?"


def test_the_manifest_holds_neither_time_nor_path(tmp_path, corpus, tokenizer):
    write_store(corpus, tokenizer, tmp_path / "store")
    text = (tmp_path / "store" / "manifest.json").read_text()
    assert str(tmp_path) not in text
    assert json.loads(text)["shards"][0]["name"] == "shard-00000.arrow"


@pytest.mark.parametrize("there", ["nothing", "empty folder", "store"])
def test_a_link_to_a_folder_stays_a_link(tmp_path, corpus, tokenizer, there):
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "target", tmp_path / "store"
    link.symlink_to(target)
    if there == "empty folder":
        target.mkdir()
    elif there == "store":
        write_store(corpus, tokenizer, link)
    write_store(corpus, tokenizer, link, settings=SMALL, overwrite=True)
    assert link.is_symlink()
    assert len(TokenStore(target).manifest.shards) > 5
    assert sorted(path.name for path in tmp_path.glob("**/*store*")) == ["store"]
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["target"]


def test_the_folder_you_are_in_is_refused(tmp_path, corpus, tokenizer, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(StoreError, match="is the folder you are in; name a folder in it"):
        write_store(corpus, tokenizer, ".")
    assert sorted(path.name for path in tmp_path.glob("**/.*")) == []


def test_workers_are_gone_while_the_error_is_still_held(tmp_path, corpus, tokenizer, monkeypatch):
    def write_shard(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bertsmith.store.making.write_shard", write_shard)
    with pytest.raises(StoreError, match="No space left") as caught:
        write_store(corpus, tokenizer, tmp_path / "store", settings=SMALL, workers=Workers(2))
    assert multiprocessing.active_children() == []
    assert caught.value.__cause__ is not None
