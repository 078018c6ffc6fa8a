import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.errors import StoreError
from bertsmith.examples import ExampleSettings, plan_epoch
from bertsmith.examples.hashing import Stream, integers, uniform
from token_sources import MemorySource, random_source

SETTINGS = ExampleSettings(max_seq_length=64, short_seq_prob=0.3, pair_labels="order")


def walk(source, example_settings, seed, epoch):
    """The pairs, sentence by sentence: (sentences of A, sentences of B, label)."""
    longest = example_settings.max_seq_length - 3
    lengths = np.diff(source.sentence_offsets)
    pairs = []
    for document in source.documents.tolist():
        target = longest
        if uniform(seed, Stream.SHORT_SEQUENCE, epoch, document) < example_settings.short_seq_prob:
            target = int(integers(2, longest + 1, seed, Stream.TARGET_LENGTH, epoch, document))
        left = list(range(*source.document_offsets[document : document + 2].tolist()))
        if len(left) == 1:
            continue
        while left:
            chunk = []
            while left and (len(chunk) < 2 or sum(lengths[s] for s in chunk) < target):
                chunk.append(left.pop(0))
            if len(left) == 1:
                chunk.append(left.pop(0))
            middle = int(integers(1, len(chunk), seed, Stream.SEGMENT_SPLIT, epoch, chunk[0]))
            halves = chunk[:middle], chunk[middle:]
            label = int(uniform(seed, Stream.SENTENCE_ORDER, epoch, chunk[0]) < 0.5)
            pairs.append((*(halves[::-1] if label else halves), label))
    return pairs


def check(source, example_settings, seed, epoch):
    spans = plan_epoch(source, source.documents, example_settings, seed, epoch).spans
    pairs = walk(source, example_settings, seed, epoch)
    assert len(spans) == len(pairs)
    longest = example_settings.max_seq_length - 3
    offsets = source.sentence_offsets
    for number, (a, b, label) in enumerate(pairs):
        assert spans.next_sentence_labels[number] == label
        kept = 0
        for side, start, length in (
            (a, spans.a_start[number], spans.a_length[number]),
            (b, spans.b_start[number], spans.b_length[number]),
        ):
            assert length >= 1
            assert offsets[side[0]] <= start
            assert start + length <= offsets[side[-1] + 1]
            kept += int(length)
        whole = sum(int(offsets[side[-1] + 1] - offsets[side[0]]) for side in (a, b))
        assert kept == min(whole, longest)


LENGTHS = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=12), min_size=1, max_size=6)


@given(LENGTHS, st.integers(5, 40), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 2**63))
@settings(max_examples=100, deadline=None)
def test_arrays_do_what_a_walk_does(lengths, max_seq_length, short_seq_prob, seed):
    source = MemorySource([*lengths, [3, 4]])
    changes = {"max_seq_length": max_seq_length, "short_seq_prob": short_seq_prob}
    check(source, SETTINGS.model_copy(update=changes), seed, epoch=2)


def test_the_two_segments_are_one_text_in_order_or_swapped():
    source = random_source()
    spans = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0).spans
    swapped = spans.next_sentence_labels == 1
    assert (spans.a_start < spans.b_start)[~swapped].all()
    assert (spans.a_start > spans.b_start)[swapped].all()
    documents = [source.document_of(start) for start in (spans.a_start, spans.b_start)]
    assert (documents[0] == documents[1]).all()
    first = np.minimum(spans.a_start, spans.b_start)
    last = np.maximum(spans.a_start + spans.a_length, spans.b_start + spans.b_length)
    untrimmed = spans.a_length + spans.b_length < SETTINGS.max_seq_length - 3
    assert untrimmed.sum() > 20
    assert (last - first == spans.a_length + spans.b_length)[untrimmed].all()


def test_half_of_the_pairs_are_swapped():
    source = MemorySource([[10] * 2000] * 4)
    labels = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0).spans
    labels = labels.next_sentence_labels
    assert len(labels) > 1000
    # Binomial(n, 1/2) within 4.5 deviations.
    assert abs(labels.sum() - len(labels) / 2) < 4.5 * np.sqrt(len(labels)) / 2


def test_every_token_is_used_once_where_nothing_is_trimmed():
    source = MemorySource([[4] * 60, [4] * 61])
    example_settings = ExampleSettings(max_seq_length=203, short_seq_prob=0, pair_labels="order")
    spans = plan_epoch(source, source.documents, example_settings, seed=3, epoch=0).spans
    assert (spans.a_length + spans.b_length).sum() == 4 * 121


def test_documents_of_one_sentence_are_left_out():
    source = MemorySource([[9], [5, 6], [7]])
    spans = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0).spans
    assert source.document_of(spans.a_start).tolist() == [1]
    with pytest.raises(StoreError, match=r"no document has two sentences.*pair_labels=random"):
        plan_epoch(source, np.array([0, 2]), SETTINGS, seed=0, epoch=0)


def test_another_epoch_pairs_anew():
    source = random_source()
    one, two = (
        plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=epoch).spans
        for epoch in (0, 1)
    )
    assert one.a_start.tolist() != two.a_start.tolist()
