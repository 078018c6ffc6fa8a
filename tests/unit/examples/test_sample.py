"""Decoded examples: what is shown is what the example holds."""

import re

import numpy as np
import pytest

from bertsmith.errors import InputError
from bertsmith.examples import (
    ExampleSettings,
    build_examples,
    epoch_order,
    plan_epoch,
    sample_examples,
)

SETTINGS = ExampleSettings(max_seq_length=40, masked_lm_prob=0.4)
MASKED = re.compile(r"\[([^→ ]+)→([^ ]+?)\](?!\])")


def texts(store):
    """Every document as one text."""
    decode = store.tokenizer.decode
    first_tokens = store.sentence_offsets[store.document_offsets]
    bounds = zip(first_tokens[:-1].tolist(), first_tokens[1:].tolist(), strict=True)
    return [decode(store.tokens(start, stop)) for start, stop in bounds]


@pytest.mark.parametrize("pair_labels", ["random", "order"])
@pytest.mark.parametrize("whole_words", [True, False])
def test_samples_are_the_examples(small_store, pair_labels, whole_words):
    changes = {"pair_labels": pair_labels, "whole_word_masking": whole_words}
    settings = SETTINGS.model_copy(update=changes)
    samples = sample_examples(small_store, settings, number=60, seed=1, epoch=2)
    documents = np.arange(small_store.num_documents)
    plan = plan_epoch(small_store, documents, settings, seed=1, epoch=2)
    order = epoch_order(len(plan), 1, 2)
    whole = texts(small_store)
    shown = {"kept": 0, "[MASK]": 0, "other": 0}
    for number, sample in enumerate(samples):
        example = build_examples(small_store, plan, order[number : number + 1])
        assert (sample.number, sample.num_examples) == (number, len(plan))
        assert sample.num_tokens == len(example.input_ids)
        assert sample.num_predictions == len(example.masked_labels)
        assert sample.label == int(example.next_sentence_labels[0])
        found = [match for text in sample.segments for match in MASKED.findall(text)]
        assert len(found) == sample.num_predictions
        for original, instead in found:
            kind = "kept" if instead == original else instead
            shown[kind if kind in shown else "other"] += 1
        for text, title in zip(sample.segments, sample.titles, strict=True):
            original = MASKED.sub(r"\1", text)
            document = whole[int(title.removeprefix("Document "))]
            # Trimming can leave a word's rest at the start, which has lost its "##".
            assert original.removeprefix("s ").removeprefix("smith ") in document
    assert len(samples) == 60
    assert shown["[MASK]"] > 5 * shown["kept"] > 0 < shown["other"]


def test_labels_in_words(small_store):
    for pair_labels, words in (
        ("random", {0: "B follows A", 1: "B is random text"}),
        ("order", {0: "A and B are in order", 1: "A and B are swapped"}),
    ):
        settings = SETTINGS.model_copy(update={"pair_labels": pair_labels})
        samples = sample_examples(small_store, settings, number=30)
        assert {sample.label: sample.label_meaning for sample in samples} == words


def test_single_segments(small_store):
    settings = SETTINGS.model_copy(update={"next_sentence": False})
    (sample,) = sample_examples(small_store, settings, number=1)
    assert (sample.label, sample.label_meaning) == (None, "")
    assert len(sample.segments) == len(sample.titles) == 1


def test_pieces_stand_together_and_words_apart(small_store):
    settings = ExampleSettings(max_seq_length=40, mask_token_prob=0, random_token_prob=0)
    samples = sample_examples(small_store, settings, number=40)
    segments = [text for sample in samples for text in sample.segments]
    assert any("[gold→gold]smith" in text for text in segments)
    assert any("gold[smith→smith]" in text for text in segments)
    assert all("##" not in text for text in segments)


def test_examples_that_are_not_there(small_store):
    everything = sample_examples(small_store, SETTINGS, number=10**6)
    total = everything[0].num_examples
    assert len(everything) == total
    assert sample_examples(small_store, SETTINGS, first=total - 1) == everything[-1:]
    for first in (-1, total):
        with pytest.raises(InputError, match=f"there is no example {first} in an epoch of {total}"):
            sample_examples(small_store, SETTINGS, first=first)
