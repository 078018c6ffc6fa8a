"""Pairs and masks on stores of every shape, down to one sentence of one token."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.examples import ExampleSettings, build_examples, plan_epoch
from bertsmith.examples.trimming import trimmed_lengths
from google_walk import walk
from token_sources import MemorySource

LENGTHS = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=12), min_size=1, max_size=6)


@given(LENGTHS, st.integers(5, 40), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 2**63))
@settings(max_examples=100, deadline=None)
def test_arrays_do_what_googles_walk_does(lengths, max_seq_length, short_seq_prob, seed):
    source = MemorySource(lengths)
    example_settings = ExampleSettings(max_seq_length=max_seq_length, short_seq_prob=short_seq_prob)
    spans = plan_epoch(source, source.documents, example_settings, seed, epoch=2).spans
    ours = zip(
        spans.a_start.tolist(),
        spans.a_length.tolist(),
        spans.b_start.tolist(),
        spans.b_length.tolist(),
        spans.next_sentence_labels.tolist(),
        strict=True,
    )
    assert list(ours) == walk(source, source.documents, example_settings, seed, epoch=2)


@given(LENGTHS, st.integers(5, 40), st.booleans(), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_examples_fit_and_have_something_to_predict(lengths, max_seq_length, pairs, epoch):
    source = MemorySource(lengths)
    example_settings = ExampleSettings(max_seq_length=max_seq_length, next_sentence=pairs)
    plan = plan_epoch(source, source.documents, example_settings, seed=0, epoch=epoch)
    examples = build_examples(source, plan, np.arange(len(plan)))
    sizes = np.diff(examples.cu_seqlens)
    assert sizes.max() <= max_seq_length
    assert sizes.min() >= example_settings.num_special_tokens + (2 if pairs else 1)
    row = np.searchsorted(examples.cu_seqlens, examples.masked_positions, side="right") - 1
    assert (np.bincount(row, minlength=len(plan)) >= 1).all()
    assert (examples.masked_labels >= 5).all()


@given(st.integers(1, 200), st.integers(1, 200), st.integers(2, 100))
def test_trimming_in_closed_form_is_the_loop(a_length, b_length, max_tokens):
    a, b = a_length, b_length
    while a + b > max_tokens:
        if a > b:
            a -= 1
        else:
            b -= 1
    trimmed = trimmed_lengths(np.array([a_length]), np.array([b_length]), max_tokens)
    assert [int(side[0]) for side in trimmed] == [a, b]
