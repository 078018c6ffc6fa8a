import numpy as np
import pytest

from bertsmith.errors import StoreError
from bertsmith.examples import ExampleSettings, plan_epoch, sentences
from bertsmith.examples.sentences import follow
from google_walk import walk
from token_sources import MemorySource, random_source

SETTINGS = ExampleSettings(max_seq_length=64, short_seq_prob=0.3)


def rows(plan):
    spans = plan.spans
    columns = (
        spans.a_start,
        spans.a_length,
        spans.b_start,
        spans.b_length,
        spans.next_sentence_labels,
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("epoch", range(5))
def test_arrays_do_what_googles_walk_does(epoch):
    source = random_source()
    plan = plan_epoch(source, source.documents, SETTINGS, seed=1, epoch=epoch)
    assert rows(plan) == walk(source, source.documents, SETTINGS, seed=1, epoch=epoch)


def test_blocks_change_nothing(monkeypatch):
    source = random_source()
    whole = rows(plan_epoch(source, source.documents, SETTINGS, seed=1, epoch=0))
    monkeypatch.setattr(sentences, "_SENTENCES_PER_BLOCK", 10)
    assert rows(plan_epoch(source, source.documents, SETTINGS, seed=1, epoch=0)) == whole


def test_segments_fit_and_are_not_empty():
    source = random_source()
    for epoch in range(10):
        spans = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=epoch).spans
        assert spans.a_length.min() >= 1
        assert spans.b_length.min() >= 1
        assert (spans.a_length + spans.b_length).max() == SETTINGS.max_seq_length - 3


def test_following_segments_are_one_text_and_trimmed_at_its_ends():
    source = random_source()
    spans = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0).spans
    follows = spans.next_sentence_labels == 0
    assert follows.sum() > 50
    a_stop = spans.a_start + spans.a_length
    # Between A and B lies what was trimmed from A's back and B's front, and nothing else.
    boundary = source.sentence_offsets[
        np.searchsorted(source.sentence_offsets, a_stop[follows], side="left")
    ]
    assert (a_stop[follows] <= boundary).all()
    assert (boundary <= spans.b_start[follows]).all()
    document_of_a = source.document_of(spans.a_start[follows])
    b_last = (spans.b_start + spans.b_length - 1)[follows]
    assert (document_of_a == source.document_of(b_last)).all()
    untrimmed = follows & (spans.a_length + spans.b_length < SETTINGS.max_seq_length - 3)
    assert untrimmed.sum() > 20
    assert (a_stop == spans.b_start)[untrimmed].all()


def test_random_segments_come_from_every_other_document():
    source = random_source()
    others = set()
    for epoch in range(20):
        spans = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=epoch).spans
        is_random = spans.next_sentence_labels == 1
        own = source.document_of(spans.a_start[is_random])
        other = source.document_of(spans.b_start[is_random])
        assert (own != other).all()
        others.update(other.tolist())
    assert others == set(source.documents.tolist())


def test_only_the_documents_of_the_split_are_used():
    source = random_source()
    chosen = np.array([3, 4, 9, 20])
    spans = plan_epoch(source, chosen, SETTINGS, seed=0, epoch=0).spans
    used = source.document_of(np.concatenate([spans.a_start, spans.b_start]))
    assert set(used.tolist()) == set(chosen.tolist())


def test_a_document_alone_gives_the_same_segments_a_as_among_others():
    source = random_source()
    together = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0).spans
    of_seven = together.take(np.flatnonzero(source.document_of(together.a_start) == 7))
    alone = plan_epoch(source, np.array([7]), SETTINGS, seed=0, epoch=0).spans
    assert alone.next_sentence_labels.tolist() == of_seven.next_sentence_labels.tolist()
    assert len(alone) > 3


def test_a_lone_document_is_its_own_random_document_and_labelled_random():
    source = MemorySource([[10] * 2000])
    settings = ExampleSettings(max_seq_length=64, short_seq_prob=0.0)
    labels = plan_epoch(source, source.documents, settings, seed=0, epoch=0).spans
    labels = labels.next_sentence_labels
    # Binomial(n, 1/2) within 4.5 deviations.
    assert abs(labels.sum() - len(labels) / 2) < 4.5 * np.sqrt(len(labels)) / 2


def test_one_sentence_forces_a_random_second_segment():
    source = MemorySource([[5]] * 50)
    spans = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0).spans
    assert spans.next_sentence_labels.tolist() == [1] * 50


def test_label_rate_is_a_half_where_chunks_have_two_sentences_or_more():
    # Ten-token sentences: a chunk has seven of them, save at the document's end.
    source = MemorySource([[10] * 2000] * 4)
    settings = ExampleSettings(max_seq_length=64, short_seq_prob=0.0)
    spans = plan_epoch(source, source.documents, settings, seed=0, epoch=0).spans
    middle = (spans.a_start % 20_000) < 19_000
    count, number = int(spans.next_sentence_labels[middle].sum()), int(middle.sum())
    assert number > 1000
    # Binomial(n, 1/2) within 4.5 deviations.
    assert abs(count - number / 2) < 4.5 * np.sqrt(number) / 2


def test_unused_sentences_are_put_back():
    # Without short targets and trimming every sentence is in some A or in a following B.
    source = MemorySource([[4] * 60, [4] * 60])
    settings = ExampleSettings(max_seq_length=127, short_seq_prob=0.0)
    spans = plan_epoch(source, source.documents, settings, seed=3, epoch=0).spans
    seen = np.zeros(480, dtype=int)
    for start, a, b, label in zip(
        spans.a_start, spans.a_length, spans.b_length, spans.next_sentence_labels, strict=True
    ):
        seen[start : start + a + (b if label == 0 else 0)] += 1
    assert seen.tolist() == [1] * 480


def test_same_arguments_same_bytes_and_other_seeds_and_epochs_differ():
    source = random_source()
    plans = [
        rows(plan_epoch(source, source.documents, SETTINGS, seed, epoch))
        for seed, epoch in [(0, 0), (0, 0), (0, 1), (1, 0)]
    ]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]
    assert plans[0] != plans[3]


def test_a_very_long_sentence_is_trimmed_to_the_middle():
    source = MemorySource([[100_000], [100_000]])
    spans = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0).spans
    assert spans.a_length.tolist() == [31, 31]
    assert spans.b_length.tolist() == [30, 30]
    # Binomial(99_969, 1/2): 49_985 ± 158.
    assert np.abs(spans.a_start % 100_000 - 49_985).max() < 800


@pytest.mark.parametrize(
    ("source", "documents"),
    [
        (MemorySource([[3]]), []),
        (MemorySource([[3], [], [2]]), [0, 1, 2]),
        (MemorySource([[3, 0]]), [0]),
    ],
    ids=["no documents", "no sentence", "no token"],
)
def test_unusable_stores_are_named(source, documents):
    with pytest.raises(StoreError):
        plan_epoch(source, np.array(documents, dtype=np.int64), SETTINGS, seed=0, epoch=0)


def test_follow_visits_what_a_loop_visits():
    steps = np.random.default_rng(0).integers(1, 5, 100)
    visited, index = [], 0
    while index < 100:
        visited.append(index)
        index += steps[index]
    assert follow(steps).tolist() == visited
