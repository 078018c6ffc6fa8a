"""From text files through the real store to batches."""

import pytest

from bertsmith.batches import PretrainingBatches, evaluation_batches
from bertsmith.corpus import open_corpus
from bertsmith.examples import ExampleSettings, TokenSource, split_documents
from bertsmith.store import StoreSettings, TokenStore, write_store
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary

WORDS = [f"{consonant}{vowel}" for consonant in "bcdfghklm" for vowel in "aeiou"]


@pytest.fixture(scope="module", params=[2**25, 100], ids=["one shard", "many shards"])
def store(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    documents = [
        "\n".join(
            " ".join(WORDS[(7 * d + 5 * s + w) % len(WORDS)] for w in range(1 + (3 * s + d) % 17))
            for s in range(1 + d % 12)
        )
        for d in range(40)
    ]
    (folder / "text.txt").write_text("\n\n".join(documents) + "\n")
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *WORDS]))
    write_store(
        open_corpus(folder / "text.txt"),
        tokenizer,
        folder / "store",
        settings=StoreSettings(shard_tokens=request.param),
        num_workers=1,
    )
    return TokenStore(folder / "store"), documents


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
