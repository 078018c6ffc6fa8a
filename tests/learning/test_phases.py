"""Phases under one schedule: positions, exact resume in and across them, and what joins them."""

import gc
import json
import time
import weakref

import numpy as np
import pytest
import torch

from bertsmith._progress import Progress
from bertsmith.batches import PretrainingBatches
from bertsmith.errors import CheckpointError, RecipeError
from bertsmith.objectives import LossSum, MaskedLM, Measure
from bertsmith.store import TokenStore
from bertsmith.training import Interrupted, Ranks, Trainer, pretrain, pretraining, read_run
from bertsmith.training.phased_batches import PhasedBatches
from bertsmith.training.update import Updater
from phase_runs import PHASES, make_store, recipe, stop_after, train_with_stops, without_times
from pretraining_runs import records, same, silent, weights

BOUNDARY = 12


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("phases"))


def phased(store, chosen):
    source = TokenStore(store)
    documents = np.arange(source.num_documents)
    return PhasedBatches(source, documents, chosen.resolved_phases, chosen.training.seed)


def batches_of(store, chosen, first_step, num_steps, batches=None):
    """The batches of steps, as the loop takes them."""
    batches = batches or phased(store, chosen)
    found = []
    for micro_batches in batches.steps(first_step, lambda: (first_step + len(found)) / 20):
        found.append(micro_batches)
        if len(found) == num_steps:
            break
    return found


def test_a_phase_begins_with_its_own_step_0(store):
    chosen = recipe(PHASES)
    found = batches_of(store, chosen, 0, 20)
    lengths = [[batch.max_seqlen for batch in step] for step in found]
    assert max(map(max, lengths[:BOUNDARY])) <= 16
    assert max(map(max, lengths[BOUNDARY:])) > 16
    sizes = [[batch.batch_size for batch in step] for step in found]
    assert sizes == [[8]] * BOUNDARY + [[3, 3]] * (20 - BOUNDARY)
    source = TokenStore(store)
    long = PretrainingBatches(
        source,
        np.arange(source.num_documents),
        chosen.examples.model_copy(update={"max_seq_length": 48}),
        global_batch_size=6,
        seed=chosen.training.seed + 1,
    )
    for place in (0, 5):
        for one, other in zip(found[BOUNDARY + place], long.micro_batches(place, 3), strict=True):
            assert torch.equal(one.input_ids, other.input_ids)


def test_any_step_is_found_from_a_state(store):
    chosen = recipe(PHASES)
    whole = batches_of(store, chosen, 0, 20)
    for first in (5, BOUNDARY, 15):
        before, after = phased(store, chosen), phased(store, chosen)
        batches_of(store, chosen, 0, first, before)
        after.restore(json.loads(json.dumps(before.state())))
        rest = batches_of(store, chosen, first, 20 - first, after)
        for one, other in zip(whole[first:], rest, strict=True):
            assert all(
                torch.equal(a.input_ids, b.input_ids) for a, b in zip(one, other, strict=True)
            )


def test_examples_of_the_phase_before_are_known_without_its_plans(store):
    chosen = recipe(PHASES)
    batches = phased(store, chosen)
    plans, expected = weakref.ref(batches._batches), batches.examples(BOUNDARY - 1)
    batches_of(store, chosen, 0, BOUNDARY + 2, batches)
    gc.collect()
    assert plans() is None
    assert batches.examples(BOUNDARY - 1) == expected
    assert len(batches.examples(BOUNDARY)) == 6


def test_a_state_of_other_phases_is_refused(store):
    batches = phased(store, recipe(PHASES))
    batches_of(store, None, 0, 15, batches)
    state = batches.state()
    assert (state["phase"], state["phase_first_step"]) == (1, BOUNDARY)
    with pytest.raises(CheckpointError, match="other data"):
        phased(store, recipe(PHASES.replace("48", "40"))).restore(state)


def test_ranks_that_a_later_phase_does_not_fit_are_told_at_once(store):
    source, chosen = TokenStore(store), recipe(PHASES)
    with pytest.raises(RecipeError, match="6 sequences can't be divided over 4 processes"):
        PhasedBatches(source, np.arange(9), chosen.resolved_phases, 0, Ranks(rank=1, world_size=4))


def test_equal_phases_do_not_repeat_each_other(store):
    chosen = recipe("phases=[{share: 0.5}, {share: 0.5}]")
    found = batches_of(store, chosen, 0, 20)
    assert not torch.equal(found[0][0].input_ids, found[10][0].input_ids)


def test_resume_in_and_across_phases_is_no_stop(store, tmp_path, monkeypatch):
    chosen = recipe(PHASES)
    pretrain(store, chosen, tmp_path / "whole", warn=silent)
    # In the first phase, between the two (the second isn't begun), and twice in the second.
    stop_after(monkeypatch, 5, BOUNDARY, BOUNDARY + 1, 18)
    train_with_stops(store, chosen, tmp_path / "parts", 4)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    for kind in ("train", "evaluation"):
        whole, parts = (records(tmp_path / name, kind) for name in ("whole", "parts"))
        assert without_times(whole) == without_times(parts)


def test_epochs_are_counted_phase_by_phase(store, tmp_path, monkeypatch):
    chosen = recipe(PHASES)
    # As the last sitting says it, which begins in the second phase.
    stop_after(monkeypatch, BOUNDARY + 2)
    train_with_stops(store, chosen, tmp_path / "run", 1)
    starts = read_run(tmp_path / "run").of_kind("start")
    lengths = [start["epoch_examples"] for start in starts]
    assert lengths[0] > lengths[1]
    logged = [record["epochs"] for record in records(tmp_path / "run", "train")]
    assert logged[BOUNDARY - 1] == pytest.approx(BOUNDARY * 8 / lengths[0], abs=1e-4)
    whole = BOUNDARY * 8 / lengths[0] + (20 - BOUNDARY) * 6 / lengths[1]
    assert logged[-1] == pytest.approx(whole, abs=1e-4)
    assert read_run(tmp_path / "run").epochs == logged[-1]


@pytest.fixture
def jumping(monkeypatch):
    """Positions that weren't trained before make long sequences' losses jump."""
    original = MaskedLM.__call__

    def call(self, model, batch):
        measures = original(self, model, batch)
        if batch.max_seqlen > 16:
            loss = measures["mlm"].loss
            raised = LossSum(3 * loss.total, loss.count)
            measures["mlm"] = Measure(raised, measures["mlm"].num_correct)
        return measures

    monkeypatch.setattr(MaskedLM, "__call__", call)


@pytest.mark.usefixtures("jumping")
def test_a_phase_with_higher_losses_is_no_spike(store, tmp_path, monkeypatch):
    chosen = recipe(PHASES, "training.num_steps=80", "training.max_skipped_updates=3")
    stop_after(monkeypatch, 48, 50)
    train_with_stops(store, chosen, tmp_path / "run", 2)
    assert records(tmp_path / "run", "skipped") == []
    logged = [record["mlm_loss"] for record in records(tmp_path / "run", "train")]
    assert min(logged[48:]) > 1.5 * max(logged[40:48])


def test_one_schedule_goes_through_all_phases(store, tmp_path):
    for name, changes in (("one", []), ("two", [PHASES])):
        pretrain(store, recipe(*changes), tmp_path / name, warn=silent)
    rates = [
        [record["learning_rate"] for record in records(tmp_path / name, "train")]
        for name in ("one", "two")
    ]
    assert rates[0] == rates[1]
    assert len(rates[0]) == 20


def test_the_evaluation_has_the_length_of_its_phase(store, tmp_path):
    result = pretrain(store, recipe(PHASES), tmp_path / "run", warn=silent)
    found = records(tmp_path / "run", "evaluation")
    assert [(record["step"], record["max_seq_length"]) for record in found] == [
        (5, 16),
        (10, 16),
        (15, 48),
        (20, 48),
    ]
    assert found[0]["unigram_accuracy"] != found[-1]["unigram_accuracy"]
    counts = [record["num_predictions"] for record in found]
    assert counts[0] == counts[1] < counts[2] == counts[3]
    (start,) = records(tmp_path / "run", "start")
    assert start["evaluation_predictions"] == counts[0]
    assert read_run(tmp_path / "run").num_predictions == counts[-1]
    assert "num_predictions" not in read_run(tmp_path / "run").scores
    assert result.scores["mlm_loss"] == found[-1]["mlm_loss"]


def test_no_log_line_mixes_two_phases(store, tmp_path):
    changes = [PHASES, "training.log_every_steps=8", "training.num_evaluations=1"]
    pretrain(store, recipe(*changes), tmp_path / "run", warn=silent)
    lines = {record["step"]: record for record in records(tmp_path / "run", "train")}
    assert [(step, line["phase"]) for step, line in lines.items()] == [
        (8, 0),
        (BOUNDARY, 0),
        (16, 1),
        (20, 1),
    ]
    (last,) = records(tmp_path / "run", "evaluation")
    assert last["phase"] == 1
    assert "phase" not in read_run(tmp_path / "run").scores
    # Each is the mean of its own updates, which another run logs one by one.
    pretrain(store, recipe(PHASES), tmp_path / "fine", warn=silent)
    fine = [record["nsp_loss"] for record in records(tmp_path / "fine", "train")]
    for step, first in ((BOUNDARY, 8), (16, BOUNDARY), (20, 16)):
        mean = sum(fine[first:step]) / (step - first)
        assert lines[step]["nsp_loss"] == pytest.approx(mean, abs=1e-5)


def test_the_best_checkpoint_is_of_the_latest_phase(store, tmp_path, monkeypatch):
    """Losses are made up here: at the longer length they are the higher ones."""
    losses = iter([3.0, 2.0, 6.0, 7.0])  # after steps 5, 10, 15 and 20
    monkeypatch.setattr(
        "bertsmith.training.pretraining.evaluate_objective",
        lambda *arguments: {"mlm_loss": next(losses)},
    )
    chosen = recipe(PHASES, "training.keep_best=true", "training.keep_checkpoints=1")
    checkpoints = tmp_path / "run" / "checkpoints"
    # The second phase is begun, but not evaluated yet: the best is still that of the first.
    stop_after(monkeypatch, BOUNDARY + 1, 18)
    for best in (10, 15):
        with pytest.raises(Interrupted):
            pretrain(store, chosen, tmp_path / "run", warn=silent)
        assert (checkpoints / "best").readlink().name == f"step-{best:06d}"
    pretrain(store, chosen, tmp_path / "run", warn=silent)
    assert {path.name for path in checkpoints.iterdir()} == {"best", "step-000015", "step-000018"}
    state = json.loads((checkpoints / "best" / "training_state.json").read_text())
    assert [state[f"best_{key}"] for key in ("loss", "step", "phase")] == [6.0, 15, 1]


def test_with_a_budget_phases_follow_the_clock(store, tmp_path, monkeypatch):
    """Steps take 0.4 s here, by a clock that a busy machine doesn't move."""

    kept = Trainer._keep_time

    def keep_time(self):
        kept(self)
        self.state.seconds = 0.4 * self.state.step

    monkeypatch.setattr(Trainer, "_keep_time", keep_time)
    # So few held-out examples that there is time for them from the start.
    few = "training.num_evaluation_examples=8"
    chosen = recipe(PHASES, "training.budget_seconds=6", few)
    pretrain(store, chosen, tmp_path / "whole", warn=silent)
    evaluations = records(tmp_path / "whole", "evaluation")
    found = [(record["step"], record["max_seq_length"]) for record in evaluations]
    assert found == [(4, 16), (8, 16), (12, 48), (15, 48)]
    # Before step 9 3.6 of the 6 seconds have passed; a resumed run must know where that was.
    stop_after(monkeypatch, 4, 9, 12)
    train_with_stops(store, chosen, tmp_path / "parts", 3)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    one, other = (records(tmp_path / name, "train") for name in ("whole", "parts"))
    assert without_times(one) == without_times(other)


@pytest.mark.parametrize(
    ("seconds", "steps"),
    # Steps take a second. Evaluations are due after 4, 8, ... of 40 seconds; before the first one
    # it is taken to be nearly as long as 2 steps, by its number of examples.
    [(0.0, [8, 12, 16, 20, 24, 28, 32, 36, 40]), (3.0, [8, 21, 30, 31]), (60.0, [8])],
)
def test_with_a_budget_most_of_the_time_is_for_training(
    store, tmp_path, monkeypatch, seconds, steps
):
    evaluated = []

    def evaluate(*arguments, evaluate=pretraining.evaluate_objective):
        evaluated.append(True)
        return evaluate(*arguments)

    def keep_time(self, keep=Trainer._keep_time):
        keep(self)
        self.state.seconds = self.state.step + seconds * len(evaluated)

    monkeypatch.setattr(pretraining, "evaluate_objective", evaluate)
    monkeypatch.setattr(Trainer, "_keep_time", keep_time)
    chosen = recipe(
        "training.budget_seconds=40", "training.num_evaluations=10",
        "training.num_evaluation_examples=72",
    )  # fmt: skip
    pretrain(store, chosen, tmp_path / "run", warn=silent)
    assert [record["step"] for record in records(tmp_path / "run", "evaluation")] == steps


def test_a_budget_by_the_real_clock(store, tmp_path, monkeypatch):
    bars = []
    monkeypatch.setattr(Progress, "_stop", lambda self: bars.append(self))
    pretrain(store, recipe(PHASES, "training.budget_seconds=1.5"), tmp_path / "run", warn=silent)
    last = records(tmp_path / "run", "evaluation")[-1]
    assert last["max_seq_length"] == 48
    assert last["seconds"] >= 1.5
    # The bar knows of the time that evaluations take, too.
    (bar,) = (bar for bar in bars if bar._description == "pre-training")
    assert bar._done == pytest.approx(1.5)


def test_the_time_of_an_evaluation_is_told_in_updates_of_its_phase(store, tmp_path, monkeypatch):
    of_phases = "phases=[{share: 0.5}, {share: 0.5, global_batch_size: 2}]"
    chosen, found = recipe(of_phases, "training.num_steps=4"), []

    class Asked(pretraining.Evaluation):
        def __init__(self, *arguments, num_updates, **options):
            found.append(num_updates)
            super().__init__(*arguments, num_updates=num_updates, **options)

    with monkeypatch.context() as patch:
        patch.setattr(pretraining, "Evaluation", Asked)
        stop_after(patch, 1, 3)
        with pytest.raises(Interrupted):
            pretrain(store, chosen, tmp_path / "run", warn=silent)
        first = found[0]()
        with pytest.raises(Interrupted):
            pretrain(store, chosen, tmp_path / "run", warn=silent)
        assert found[1]() == pytest.approx(4 * first, rel=0.1)


def test_compilers_take_none_of_the_time_of_any_phase(store, tmp_path, monkeypatch):
    """What they have to do again for longer sequences counts as little as what they do first."""
    compiled = []

    def slowly(self, batch):
        compiled.append(batch.max_seqlen)
        warm_up(self, batch)  # of which nothing stays
        time.sleep(3)

    pretrain(store, recipe(PHASES), tmp_path / "plain", warn=silent)
    warm_up = Updater.warm_up
    monkeypatch.setattr(Updater, "compiles", True)
    monkeypatch.setattr(Updater, "warm_up", slowly)
    started = time.monotonic()
    result = pretrain(store, recipe(PHASES), tmp_path / "run", warn=silent)
    taken = time.monotonic() - started
    assert [length > 16 for length in compiled] == [False, True]
    assert result.state.seconds < taken - 6
    assert same(weights(tmp_path / "run"), weights(tmp_path / "plain"))
    speeds = [line["tokens_per_second"] for line in records(tmp_path / "run", "train")]
    assert min(speeds[1:]) > 6 * 48 / 3  # an update has six sequences of up to 48 then
