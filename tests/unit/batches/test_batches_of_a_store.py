"""From text files through the real store to batches."""

import hashlib

import numpy as np
import pytest

from bertsmith._parallel import Workers
from bertsmith.batches import PretrainingBatches, evaluation_batches
from bertsmith.corpus import open_corpus
from bertsmith.examples import ExampleSettings, TokenSource, split_documents
from bertsmith.store import StoreSettings, TokenStore, write_store
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from store_content import content

WORDS = [f"{consonant}{vowel}" for consonant in "bcdfghklm" for vowel in "aeiou"]


def text_documents():
    return [
        "\n".join(
            " ".join(WORDS[(7 * d + 5 * s + w) % len(WORDS)] for w in range(1 + (3 * s + d) % 17))
            for s in range(1 + d % 12)
        )
        for d in range(40)
    ]


@pytest.fixture(scope="module", params=[2**25, 100], ids=["one shard", "many shards"])
def store(request, tmp_path_factory):
    folder, documents = tmp_path_factory.mktemp("store"), text_documents()
    (folder / "text.txt").write_text("\n\n".join(documents) + "\n")
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *WORDS]))
    write_store(
        open_corpus(folder / "text.txt"),
        tokenizer,
        folder / "store",
        settings=StoreSettings(shard_tokens=request.param, chunk_chars=300),
        workers=Workers(1),
    )
    opened = TokenStore(folder / "store")
    assert (len(opened.manifest.shards) > 5) == (request.param == 100)
    return opened, documents


def hash_of_batches(store, world_size, micro_batch_size):
    """SHA-256 of thirty global batches, put together from the ranks' parts."""
    settings, digest = ExampleSettings(max_seq_length=48), hashlib.sha256()
    batches = PretrainingBatches(store, np.arange(40), settings, global_batch_size=24, seed=0)
    for step in range(30):
        parts = [
            batch
            for rank in range(world_size)
            for batch in batches.micro_batches(step, micro_batch_size, rank, world_size)
        ]
        for name in ("input_ids", "token_type_ids", "masked_labels", "next_sentence_labels"):
            digest.update(np.concatenate([getattr(part, name) for part in parts]).tobytes())
    return digest.hexdigest()


def test_neither_workers_nor_ranks_change_a_byte(tmp_path):
    (tmp_path / "a.txt").write_text("\n\n".join(text_documents()) + "\n")
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *WORDS]))
    settings = StoreSettings(shard_tokens=500, chunk_chars=300)
    stores, batches = set(), set()
    for num_workers, world_size, micro_batch_size in ((1, 1, 24), (2, 2, 5), (3, 4, 6)):
        folder = tmp_path / f"store-{num_workers}"
        corpus, workers = open_corpus(tmp_path / "a.txt"), Workers(num_workers)
        write_store(corpus, tokenizer, folder, settings=settings, workers=workers)
        digest = hashlib.sha256(repr(content(folder)).encode())
        stores.add(digest.hexdigest())
        batches.add(hash_of_batches(TokenStore(folder), world_size, micro_batch_size))
    assert len(stores) == len(batches) == 1


def test_a_store_is_a_token_source(store):
    assert isinstance(store[0], TokenSource)


@pytest.mark.parametrize("next_sentence", [True, False])
def test_batches_are_the_text(store, next_sentence):
    source, documents = store
    train, held_out = split_documents(source.num_documents, 0.2)
    settings = ExampleSettings(max_seq_length=48, next_sentence=next_sentence)
    batches = PretrainingBatches(source, train, settings, global_batch_size=32, seed=0)
    texts = [document.replace("\n", " ") for document in documents]
    training_texts = [texts[document] for document in train]
    tokens, vocabulary = source.vocabulary.tokens, source.vocabulary
    steps = batches.steps(0, micro_batch_size=16)
    for _, micro_batches in zip(range(6), steps, strict=False):
        for batch in micro_batches:
            ids = batch.unmasked().input_ids.tolist()
            for row, (start, stop) in enumerate(
                zip(batch.cu_seqlens[:-1], batch.cu_seqlens[1:], strict=True)
            ):
                sequence = ids[start:stop]
                assert sequence[0] == vocabulary.cls_id
                assert sequence[-1] == vocabulary.sep_id
                segments = " ".join(tokens[i] for i in sequence[1:-1]).split(" [SEP] ")
                assert len(segments) == 1 + next_sentence
                for segment in segments:
                    assert any(segment in text for text in training_texts)
                if next_sentence and batch.next_sentence_labels[row] == 0:
                    a, b = segments
                    assert any(a in text and b in text[text.index(a) :] for text in training_texts)
    steps.close()
    held_out_texts = [texts[document] for document in held_out]
    for batch in evaluation_batches(
        source, held_out, settings, num_examples=50, micro_batch_size=16, seed=0
    ):
        text = " ".join(tokens[i] for i in batch.unmasked().input_ids.tolist())
        for segment in text.replace("[CLS] ", "").split(" [SEP]"):
            assert any(segment.strip() in held_out_text for held_out_text in held_out_texts)
