import numpy as np

from bertsmith.examples import ExampleSettings, build_examples, plan_epoch
from token_sources import MemorySource, random_source

SETTINGS = ExampleSettings(max_seq_length=64, short_seq_prob=0.0, next_sentence=False)


def test_whole_sentences_as_many_as_fit():
    source = random_source()
    spans = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0).spans
    stops = spans.a_start + spans.a_length
    assert np.isin(spans.a_start, source.sentence_offsets).all()
    assert np.isin(stops, source.sentence_offsets).all()
    assert spans.a_length.max() <= 62
    following = np.searchsorted(source.sentence_offsets, stops, side="right")
    ends = np.isin(stops, source.sentence_offsets[source.document_offsets])
    next_length = (
        source.sentence_offsets[np.minimum(following, len(source.sentence_offsets) - 1)] - stops
    )
    assert (ends | (spans.a_length + next_length > 62)).all()


def test_every_token_is_used_once():
    source = random_source()
    spans = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0).spans
    assert (spans.a_start[1:] == (spans.a_start + spans.a_length)[:-1]).all()
    assert spans.a_length.sum() == source.sentence_offsets[-1]


def test_of_a_long_sentence_another_window_in_every_epoch():
    source = MemorySource([[1000]])
    starts = [
        plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=epoch).spans.a_start[0]
        for epoch in range(200)
    ]
    assert max(starts) <= 1000 - 62
    # 200 uniform draws leave a tenth at either end empty with a chance of 2 · 0.9²⁰⁰ < 1e-8.
    assert min(starts) < 94
    assert max(starts) > 844


def test_short_targets():
    settings = SETTINGS.model_copy(update={"short_seq_prob": 1.0})
    source = MemorySource([[1] * 200] * 300)
    plan = plan_epoch(source, source.documents, settings, seed=0, epoch=0)
    first = plan.spans.a_length[plan.spans.a_start % 200 == 0]
    assert (first.min(), first.max()) == (2, 62)


def test_layout():
    source = MemorySource([[3, 2], [4]])
    plan = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0)
    examples = build_examples(source, plan, np.arange(2))
    original = examples.input_ids.copy()
    original[examples.masked_positions] = examples.masked_labels
    assert original.tolist() == [2, 5, 6, 7, 8, 9, 3, 2, 10, 11, 12, 13, 3]
    assert examples.cu_seqlens.tolist() == [0, 7, 13]
    assert not examples.token_type_ids.any()
    assert examples.next_sentence_labels is None
