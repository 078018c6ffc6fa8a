import json
import time

import numpy as np
import pytest
import torch

from bertsmith.batches import PretrainingBatches, evaluation_batches
from bertsmith.errors import CheckpointError, RecipeError, StoreError
from bertsmith.examples import ExampleSettings, build_examples, epoch_order, plan_epoch
from token_sources import MemorySource, random_source

SETTINGS = ExampleSettings(max_seq_length=64)
SOURCE = random_source()


def batches(global_batch_size=48, seed=0, source=SOURCE, settings=SETTINGS):
    return PretrainingBatches(
        source, source.documents, settings, global_batch_size=global_batch_size, seed=seed
    )


def content(micro_batches):
    """All of a step's tensors in one list of lists; positions count from the step's start."""
    columns = [[], [], [], [], []]
    before = 0
    for batch in micro_batches:
        columns[0] += batch.input_ids.tolist()
        columns[1] += batch.token_type_ids.tolist()
        columns[2] += (batch.masked_positions + before).tolist()
        columns[3] += batch.masked_labels.tolist()
        columns[4] += batch.next_sentence_labels.tolist()
        before += batch.num_tokens
    return columns


def test_steps_walk_through_epochs_in_order():
    """Every epoch is as long as epoch 0: what is left over is dropped, what is missing repeated."""
    plans = [plan_epoch(SOURCE, SOURCE.documents, SETTINGS, 0, epoch) for epoch in range(6)]
    length = len(plans[0])
    assert any(len(plan) < length for plan in plans) or any(len(plan) > length for plan in plans)
    expected = []
    for epoch, plan in enumerate(plans):
        order = epoch_order(len(plan), 0, epoch).tolist()
        expected += [(epoch, index) for index in (order + order)[:length]]
    ours = batches()
    num_steps = len(expected) // 48
    walked = [tuple(row) for step in range(num_steps) for row in ours.global_indices(step).tolist()]
    assert walked == expected[: len(walked)]
    assert {epoch for epoch, _ in walked} == set(range(6))


def test_any_step_can_be_asked_for_first():
    in_order = batches()
    steps = [content(in_order.micro_batches(step, 16)) for step in range(40)]
    for step in (39, 0, 17, 16, 38):
        assert content(batches().micro_batches(step, 16)) == steps[step]
        assert content(in_order.micro_batches(step, 16)) == steps[step]


@pytest.mark.parametrize("micro_batch_size", [1, 5, 48, 100])
def test_micro_batch_size_changes_nothing(micro_batch_size):
    made = batches().micro_batches(7, micro_batch_size)
    assert max(batch.batch_size for batch in made) == min(micro_batch_size, 48)
    assert content(made) == content(batches().micro_batches(7, 48))


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_ranks_share_the_global_batch(world_size):
    # Step 17 lies across two epochs.
    ours = batches()
    parts = [ours.micro_batches(17, 5, rank, world_size) for rank in range(world_size)]
    assert len({len(part) for part in parts}) == 1
    together = [batch for part in parts for batch in part]
    assert content(together) == content(ours.micro_batches(17, 48))


def test_ranks_that_do_not_divide_the_batch_are_refused():
    with pytest.raises(RecipeError, match="multiple of 5"):
        batches().micro_batches(0, 16, rank=0, world_size=5)


def test_a_batch_can_span_many_epochs():
    source = MemorySource([[5, 6], [4]])
    ours = batches(64, source=source)
    rows = ours.global_indices(3)
    assert len(rows) == 64
    assert rows[-1, 0] - rows[0, 0] > 10
    assert sum(batch.batch_size for batch in ours.micro_batches(3, 16)) == 64


def test_batch_content_and_positions():
    batch = batches(8).micro_batches(0, 8)[0]
    plan = plan_epoch(SOURCE, SOURCE.documents, SETTINGS, 0, 0)
    examples = build_examples(SOURCE, plan, epoch_order(len(plan), 0, 0)[:8])
    assert batch.input_ids.tolist() == examples.input_ids.tolist()
    assert batch.batch_size == 8
    assert batch.max_seqlen == int(np.diff(examples.cu_seqlens).max())
    assert batch.position_ids.tolist() == batch.column_index.tolist()
    assert batch.cu_seqlens.dtype == torch.int32
    for name in ("input_ids", "position_ids", "masked_positions", "next_sentence_labels"):
        assert getattr(batch, name).dtype == torch.int64


def test_unmasked_is_the_text():
    batch = batches(8).micro_batches(0, 8)[0]
    whole = batch.unmasked()
    assert torch.equal(whole.input_ids[batch.masked_positions], batch.masked_labels)
    assert (whole.input_ids != 4).all()
    assert (batch.input_ids == 4).any()
    changed = (whole.input_ids != batch.input_ids).nonzero().squeeze(1)
    assert torch.isin(changed, batch.masked_positions).all()


@pytest.mark.parametrize("next_sentence", [True, False])
def test_to_moves_every_tensor(next_sentence):
    settings = ExampleSettings(max_seq_length=64, next_sentence=next_sentence)
    batch = batches(4, settings=settings).micro_batches(0, 4)[0].to("meta")
    assert batch.input_ids.is_meta
    assert batch.masked_labels.is_meta
    if next_sentence:
        assert batch.next_sentence_labels.is_meta
    else:
        assert batch.next_sentence_labels is None


def test_prefetched_steps_are_the_same_steps():
    ours = batches()
    steps = ours.steps(3, micro_batch_size=16, prefetch=2)
    ahead = [content(next(steps)) for _ in range(30)]
    steps.close()
    assert ahead == [content(batches().micro_batches(step, 16)) for step in range(3, 33)]


@pytest.mark.parametrize("with_state", [False, True])
def test_a_step_is_found_without_planning_the_epochs_before_it(monkeypatch, with_state):
    first = batches()
    step = 100 * len(plan_epoch(SOURCE, SOURCE.documents, SETTINGS, 0, 0)) // 48 + 3
    expected = content(first.micro_batches(step, 48))
    state = json.loads(json.dumps(first.state()))
    planned = []

    def counting(source, documents, settings, seed, epoch):
        planned.append(epoch)
        return plan_epoch(source, documents, settings, seed, epoch)

    monkeypatch.setattr("bertsmith.batches.stream.plan_epoch", counting)
    resumed = batches()
    if with_state:
        resumed.restore(state)
    assert content(resumed.micro_batches(step, 48)) == expected
    assert planned == ([100] if with_state else [0, 100])


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"settings": ExampleSettings(max_seq_length=32)},
        {"source": random_source(seed=1)},
    ],
    ids=["seed", "settings", "store"],
)
def test_state_of_another_run_is_refused(other):
    with pytest.raises(CheckpointError, match="other data"):
        batches(**other).restore(batches().state())


def test_evaluation_batches_are_fixed_and_limited():
    held_out = np.array([1, 5, 9, 30])
    made = [
        evaluation_batches(SOURCE, held_out, SETTINGS, num_examples=12, micro_batch_size=8, seed=0)
        for _ in range(2)
    ]
    assert [batch.batch_size for batch in made[0]] == [8, 4]
    assert content(made[0]) == content(made[1])
    text = made[0][0].unmasked().input_ids.numpy()
    documents = SOURCE.document_of(text[text >= 5].astype(np.int64) - 5)
    assert set(documents.tolist()) <= set(held_out.tolist())
    assert len(set(documents.tolist())) > 1


def test_evaluation_batches_take_all_there_is():
    held_out = np.array([1])
    plan = plan_epoch(SOURCE, held_out, SETTINGS, 0, 0)
    made = evaluation_batches(
        SOURCE, held_out, SETTINGS, num_examples=10_000, micro_batch_size=8, seed=0
    )
    assert sum(batch.batch_size for batch in made) == len(plan)


def test_evaluation_without_held_out_documents_is_refused():
    with pytest.raises(StoreError, match="held out"):
        evaluation_batches(
            SOURCE,
            np.array([], dtype=np.int64),
            SETTINGS,
            num_examples=10,
            micro_batch_size=8,
            seed=0,
        )


def test_a_failing_store_stops_the_loop_with_its_own_error():
    class Failing(MemorySource):
        def gather(self, starts, lengths):
            raise StoreError("shard 3 is gone")

    source = Failing([[5, 6, 7], [4, 4]])
    started = time.monotonic()
    with pytest.raises(StoreError, match="shard 3 is gone"):
        next(batches(4, source=source).steps(0, micro_batch_size=4))
    assert time.monotonic() - started < 5
