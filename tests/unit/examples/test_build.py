import numpy as np
import pytest

from bertsmith.examples import ExampleSettings, PackedExamples, build_examples, plan_epoch
from token_sources import random_source

SETTINGS = ExampleSettings(max_seq_length=64)


@pytest.fixture(scope="module")
def source():
    return random_source()


@pytest.fixture(scope="module")
def plan(source):
    return plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0)


def arrays(examples):
    return {name: getattr(examples, name).tolist() for name in vars(examples)}


def test_layout(source, plan):
    order = np.array([5, 0, 17])
    examples = build_examples(source, plan, order)
    original = examples.input_ids.copy()
    original[examples.masked_positions] = examples.masked_labels
    for place, index in enumerate(order):
        start, stop = examples.cu_seqlens[place : place + 2]
        spans = plan.spans
        a_start, a_length = int(spans.a_start[index]), int(spans.a_length[index])
        b_start, b_length = int(spans.b_start[index]), int(spans.b_length[index])
        a = source.tokens[a_start : a_start + a_length].tolist()
        b = source.tokens[b_start : b_start + b_length].tolist()
        assert original[start:stop].tolist() == [2, *a, 3, *b, 3]
        types = [0] * (a_length + 2) + [1] * (b_length + 1)
        assert examples.token_type_ids[start:stop].tolist() == types
        assert examples.next_sentence_labels[place] == spans.next_sentence_labels[index]
    assert len(np.intersect1d(examples.masked_positions, np.flatnonzero(original < 5))) == 0


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_batching_changes_nothing(source, plan, batch_size):
    order = np.random.default_rng(0).permutation(len(plan))[:50]
    whole = build_examples(source, plan, order)
    parts = [
        build_examples(source, plan, order[start : start + batch_size])
        for start in range(0, len(order), batch_size)
    ]
    assert arrays(PackedExamples.concatenate(parts)) == arrays(whole)


def test_dtypes(source, plan):
    examples = build_examples(source, plan, np.arange(4))
    for name, array in vars(examples).items():
        assert array.dtype == (np.int32 if name == "cu_seqlens" else np.int64), name


def test_no_examples(source, plan):
    examples = build_examples(source, plan, np.array([], dtype=np.int64))
    assert examples.cu_seqlens.tolist() == [0]
