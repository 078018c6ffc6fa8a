"""Reading a store: slices over shards, and stores that are not what they should be."""

import json
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith._parallel import Workers
from bertsmith.corpus import open_corpus
from bertsmith.errors import StoreError
from bertsmith.store import StoreSettings, TokenStore, write_store
from bertsmith.wordpiece import SPECIAL_TOKENS, Vocabulary
from store_content import expected_ids
from unprivileged import unprivileged


@pytest.fixture(scope="module")
def written(tmp_path_factory, corpus_file, tokenizer):
    folder = tmp_path_factory.mktemp("stores") / "store"
    settings = StoreSettings(shard_tokens=2000, chunk_chars=1000)
    write_store(open_corpus(corpus_file), tokenizer, folder, settings=settings, workers=Workers(1))
    return folder


@pytest.fixture(scope="module")
def store(written):
    return TokenStore(written)


@pytest.fixture(scope="module")
def axis(corpus_file, tokenizer):
    documents = expected_ids(open_corpus(corpus_file), tokenizer)
    return [token for document in documents for sentence in document for token in sentence]


@pytest.fixture
def copy(written, tmp_path):
    return shutil.copytree(written, tmp_path / "store")


def test_offsets(store, corpus_file, tokenizer):
    documents = expected_ids(open_corpus(corpus_file), tokenizer)
    lengths = [len(sentence) for document in documents for sentence in document]
    assert store.document_offsets.dtype == store.sentence_offsets.dtype == np.int64
    assert store.document_offsets.tolist() == np.cumsum([0, *map(len, documents)]).tolist()
    assert store.sentence_offsets.tolist() == np.cumsum([0, *lengths]).tolist()
    assert len(store.manifest.shards) > 3


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_gathering_is_slicing(store, axis, data):
    starts = data.draw(st.lists(st.integers(0, len(axis)), max_size=20))
    most = data.draw(st.sampled_from([0, 5, 50, len(axis)]))
    lengths = [data.draw(st.integers(0, min(most, len(axis) - start))) for start in starts]
    found = store.gather(starts, lengths)
    assert found.dtype == np.uint16
    pairs = list(zip(starts, lengths, strict=True))
    assert found.tolist() == [i for start, n in pairs for i in axis[start : start + n]]
    for start, n in pairs:
        assert store.tokens(start, start + n).tolist() == axis[start : start + n]


def test_slices_at_the_edges_of_shards(store, axis):
    edges = np.cumsum([0, *(shard.num_tokens for shard in store.manifest.shards)])
    assert store.gather(edges[:-1], np.diff(edges)).tolist() == axis
    assert store.gather(edges, np.zeros_like(edges)).tolist() == []
    starts, lengths = np.maximum(edges[1:-1] - 3, 0), np.full(len(edges) - 2, 6)
    expected = [i for start in starts for i in axis[start : start + 6]]
    assert store.gather(starts, lengths).tolist() == expected
    assert store.tokens(0, store.num_tokens).tolist() == axis


@pytest.mark.parametrize(("start", "length"), [(-1, 2), (0, -1), (10**9, 1), (0, 10**9)])
def test_slices_that_are_not_there(store, start, length):
    with pytest.raises(IndexError):
        store.gather([0, start], [1, length])
    with pytest.raises(IndexError):
        store.tokens(start, start + length)


def test_documents_that_are_not_there(store):
    for document in (-1, store.num_documents):
        with pytest.raises(IndexError):
            store.title(document)


def test_tokens_are_not_copied(store):
    ids = store.tokens(5, 50)
    assert not ids.flags.owndata
    assert not ids.flags.writeable
    copied = store.gather([5], [45])
    assert copied.flags.writeable
    assert not np.shares_memory(copied, ids)


def test_it_travels_to_other_processes(store):
    again = pickle.loads(pickle.dumps(store))
    assert again.tokens(0, 100).tolist() == store.tokens(0, 100).tolist()
    assert len(pickle.dumps(store)) < 1000


def test_it_holds_its_tokenizer(store, tokenizer):
    assert store.tokenizer.vocabulary == tokenizer.vocabulary
    assert store.tokenizer.lowercase == tokenizer.lowercase
    store.verify()
    assert "150 documents" in repr(store)


def refuses(folder, *parts):
    with pytest.raises(StoreError) as caught:
        TokenStore(folder).verify()
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_what_is_no_store(tmp_path, copy):
    refuses(tmp_path / "missing", "missing: does not exist; make one with `bertsmith prepare`")
    refuses(tmp_path, "is no token store")
    refuses(copy / "vocab.txt", "is no token store")
    (copy / "manifest.json").write_bytes(b"\xff")
    refuses(copy, "manifest.json: cannot be read")
    (copy / "manifest.json").write_text("{")
    refuses(copy, "manifest.json: is damaged")
    (copy / "manifest.json").write_text('{"format_version": 1, "new": 1}')
    refuses(copy, "manifest.json: has layout version 1; this bertsmith reads version 2")


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_tokens", 5), ("num_sentences", 5), ("num_documents", 149), ("dtype", "uint32")],
)
def test_a_manifest_that_does_not_fit(copy, key, value):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest[key] = value
    (copy / "manifest.json").write_text(json.dumps(manifest))
    refuses(copy, "store")


def test_a_manifest_does_not_reach_outside(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["shards"][0]["name"] = "../shard-00000.arrow"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    refuses(copy, "manifest.json: is damaged (shards.0.name")


def test_a_shard_missing_or_cut_off(copy):
    shard = copy / "shard-00001.arrow"
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    refuses(copy, f"shard-00001.arrow: has {len(content) // 2:,} bytes instead of")
    shard.unlink()
    refuses(copy, "shard-00001.arrow: is missing")


def test_a_damaged_shard_is_found_and_named(copy):
    """One bit in the tokens: only the hash can tell."""
    shard = copy / "shard-00001.arrow"
    content = bytearray(shard.read_bytes())
    store = TokenStore(copy)
    start = store.manifest.shards[0].num_tokens + 10
    place = content.find(store.tokens(start, start + 40).tobytes())
    assert place > 0
    content[place] ^= 1
    shard.write_bytes(content)
    TokenStore(copy)
    refuses(copy, "shard-00001.arrow: is damaged (its SHA-256 is not the manifest's)")


def test_any_damage_is_told_in_one_line(copy):
    shard = copy / "shard-00001.arrow"
    sound = shard.read_bytes()
    for place in [*range(0, 1200, 7), *range(len(sound) - 900, len(sound), 7)]:
        damaged = bytearray(sound)
        damaged[place] ^= 0xFF
        shard.write_bytes(damaged)
        refuses(copy, "shard-00001.arrow")


def test_an_arrow_file_of_something_else(copy):
    shard = copy / "shard-00001.arrow"
    size = shard.stat().st_size
    batch = pa.record_batch({"x": [1]})
    with pa.OSFile(str(shard), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["shards"][1]["num_file_bytes"] = shard.stat().st_size
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert shard.stat().st_size != size
    refuses(copy, "shard-00001.arrow: is not a shard of this store")


def test_another_vocabulary_is_noticed(copy):
    Vocabulary([*SPECIAL_TOKENS, "other"]).save(copy / "vocab.txt")
    refuses(copy, "vocab.txt: is not the vocabulary that the store was made with")


@pytest.mark.parametrize("name", ["manifest.json", "shard-00001.arrow"])
def test_a_file_that_may_not_be_read(copy, name):
    (copy / name).chmod(0)
    with unprivileged(copy), pytest.raises(StoreError) as caught:
        TokenStore(".")
    assert str(caught.value) == f"{name}: cannot be read (Permission denied); check its permissions"
