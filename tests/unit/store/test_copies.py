"""Text that is in the store already is found, whatever files, shards and sentences it is in."""

import json

import pytest

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.errors import StoreError
from bertsmith.store import StoreSettings, TokenStore, append_to_store, write_store
from store_content import content

SMALL = StoreSettings(shard_tokens=1000, chunk_chars=2000)


def corpus_of(path, texts, **settings):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return open_corpus(path, CorpusSettings(**settings))


@pytest.fixture
def folder(tmp_path, texts, tokenizer):
    """A store of the first 100 documents."""
    corpus = corpus_of(tmp_path / "old.jsonl", texts[:100])
    write_store(corpus, tokenizer, tmp_path / "stores" / "store", settings=SMALL)
    return tmp_path / "stores" / "store"


def append(folder, corpus, **options):
    told = []
    append_to_store(corpus, folder, settings=SMALL, notice=told.append, **options)
    return told


@pytest.mark.parametrize("words", [["rain", "river"], None])
def test_other_text_is_added_without_a_word(tmp_path, folder, texts, words):
    new = texts[100:] if words is None else [f"{' '.join(words)} {n * 'gold '}" for n in range(30)]
    assert append(folder, corpus_of(tmp_path / "new.jsonl", new)) == []


def test_the_same_text_is_refused_and_nothing_is_left_of_it(tmp_path, folder, texts):
    """In another file, another order, other lines and other sizes of shards."""
    before = content(folder)
    same = corpus_of(tmp_path / "same.jsonl", [text.upper() for text in reversed(texts[:100])])
    told = r"store: all 100 documents are in the store already; added once more, each would"
    for settings in (SMALL, StoreSettings()):
        with pytest.raises(StoreError, match=told):
            append_to_store(same, folder, settings=settings)
    assert content(folder) == before
    # Nothing is in the way of other text.
    assert [path.name for path in folder.parent.iterdir()] == ["store"]
    assert append(folder, corpus_of(tmp_path / "new.jsonl", texts[100:])) == []


def test_most_of_a_text_is_enough(tmp_path, folder, texts):
    grown = corpus_of(tmp_path / "grown.jsonl", texts[20:])
    with pytest.raises(StoreError, match=r"80 of the 130 documents \(6\d% of the tokens\) are in"):
        append(folder, grown)
    (told,) = append(folder, grown, again=True)
    assert told.startswith("80 of the 130 documents (6")
    assert told.endswith(
        "are in the store already, and will be trained on more often than the rest"
    )
    assert TokenStore(folder).num_documents == 230


def test_some_copies_are_told_and_added(tmp_path, folder, texts):
    (told,) = append(folder, corpus_of(tmp_path / "some.jsonl", texts[90:]))
    assert told.startswith("10 of the 60 documents (")
    assert TokenStore(folder).num_documents == 160


def test_a_word_that_is_there_is_no_copy_worth_a_word(tmp_path, folder, texts):
    """Measured by tokens, not by documents: "Yes." is in every collection of dialogues."""
    append(folder, corpus_of(tmp_path / "short.jsonl", ["rain"]))
    new = ["rain", "rain", *(f"{text} gold" for text in texts[100:])]
    assert append(folder, corpus_of(tmp_path / "new.jsonl", new)) == []


def test_a_word_that_differs_makes_another_document(tmp_path, folder, texts):
    last = [text.strip().removesuffix(".") + "?" for text in texts[:100]]
    assert append(folder, corpus_of(tmp_path / "last.jsonl", last)) == []
    first = ["雨 " + text.partition(" ")[2] for text in texts[:100]]
    assert append(folder, corpus_of(tmp_path / "first.jsonl", first)) == []


def test_a_single_document(tmp_path, folder, texts):
    with pytest.raises(StoreError, match="store: the one document is in the store already; added"):
        append(folder, corpus_of(tmp_path / "one.jsonl", texts[7:8]))


def test_what_was_appended_counts_like_the_rest(tmp_path, folder, texts):
    append(folder, corpus_of(tmp_path / "new.jsonl", texts[100:]))
    with pytest.raises(StoreError, match="all 50 documents are in the store already"):
        append(folder, corpus_of(tmp_path / "once more.jsonl", texts[100:]))
