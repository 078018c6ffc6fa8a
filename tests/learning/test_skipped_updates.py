"""A loss that is no number: told with its batch, skipped within a limit, then the run stops."""

import re

import pytest
import torch

from bertsmith.batches import PretrainingBatches
from bertsmith.errors import TrainingError
from bertsmith.examples import split_documents
from bertsmith.objectives import LossSum, MaskedLM, Measure
from bertsmith.store import TokenStore
from bertsmith.training import pretrain
from pretraining_runs import losses, recipe, records, same, silent, weights

STEPS = "training.num_steps=30"


@pytest.fixture
def poison(monkeypatch):
    """Makes the loss of some global batches NaN: of those whose number is in the returned set."""
    original, bad, calls = MaskedLM.__call__, set(), iter(range(1, 10**6))

    def call(self, model, batch):
        measures = original(self, model, batch)
        if model.training and next(calls) in bad:
            loss = measures["mlm"].loss
            measures["mlm"] = Measure(
                LossSum(loss.total * float("nan"), loss.count), measures["mlm"].num_correct
            )
        return measures

    monkeypatch.setattr(MaskedLM, "__call__", call)
    return bad


def test_a_poisoned_batch_is_told_and_skipped(store, tmp_path, poison):
    poison |= {7, 19}
    told = []
    pretrain(store, recipe(STEPS), tmp_path / "run", warn=told.append)
    assert len(told) == 2
    assert told[0].startswith("step 7: the update is skipped (loss nan); its batch is epoch 0, ")
    skipped = records(tmp_path / "run", "skipped")
    assert [record["step"] for record in skipped] == [7, 19]
    assert skipped[0]["loss"] == skipped[0]["grad_norm"] == "nan"
    source, settings = TokenStore(store), recipe(STEPS)
    training_ids, _ = split_documents(source.num_documents, held_out_fraction=0.1, seed=42)
    batches = PretrainingBatches(
        source, training_ids, settings.examples, global_batch_size=8, seed=42
    )
    assert skipped[0]["examples"] == batches.global_indices(6).tolist()
    for _, index in skipped[0]["examples"]:
        assert f" {index}" in told[0]
    assert [step for step, _ in losses(tmp_path / "run")] == [
        step for step in range(1, 31) if step not in (7, 19)
    ]
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "run").values())


def test_a_skipped_update_changes_nothing(store, tmp_path, poison):
    """The weights after a skipped last update are those from before it."""
    changes = ["training.schedule=constant", "training.warmup_ratio=0"]
    pretrain(store, recipe("training.num_steps=4", *changes), tmp_path / "four", warn=silent)
    poison |= {9}
    pretrain(store, recipe("training.num_steps=5", *changes), tmp_path / "five", warn=[].append)
    assert same(weights(tmp_path / "four"), weights(tmp_path / "five"))


def test_a_window_that_mixes_both_has_the_mean_of_what_was_trained_on(store, tmp_path, poison):
    poison |= {2}
    pretrain(store, recipe("training.num_steps=4"), tmp_path / "each", warn=[].append)
    poison |= {6}
    changes = ["training.log_every_steps=4", "training.num_evaluations=1"]
    settings = recipe("training.num_steps=4", *changes)
    pretrain(store, settings, tmp_path / "four", warn=[].append)
    (record,) = records(tmp_path / "four", "train")
    accuracies = [r["nsp_accuracy"] for r in records(tmp_path / "each", "train")]
    assert len(accuracies) == 3
    assert record["nsp_accuracy"] == pytest.approx(sum(accuracies) / 3, abs=1e-6)


def test_too_many_stop_the_run_and_name_the_last_good_checkpoint(store, tmp_path, poison):
    poison |= set(range(21, 31))
    told, run = [], tmp_path / "run"
    changes = [
        STEPS,
        "training.max_skipped_updates=3",
        "training.checkpoint_every_seconds=1e-6",
        "training.keep_checkpoints=5",
    ]
    with pytest.raises(TrainingError) as error:
        pretrain(store, recipe(*changes), run, warn=told.append)
    assert str(error.value) == (
        f"{run}: 4 updates were skipped, the last at step 24 (loss nan), and "
        "training.max_skipped_updates is 3; the last good checkpoint is "
        f"{run}/checkpoints/step-000019: start from it in another output folder "
        "(pretrain --init, finetune --model) with a lower training.learning_rate"
    )
    assert len(told) == 4
    # From step 20's weights no update could be made, so they may be at fault; and while updates
    # are skipped, no checkpoint pushes the good ones out.
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [
        f"step-{step:06d}" for step in range(16, 21)
    ]
    poison.clear()
    pretrain(
        store,
        recipe("training.num_steps=1", "model.position_init=normal"),
        tmp_path / "anew",
        init=str(run / "checkpoints/step-000019"),
        warn=silent,
    )


def test_going_on_with_a_higher_limit(store, tmp_path, poison):
    """The limit is no part of what a run is, and skipped ones are counted over all sittings."""
    poison |= {3, 4, 5}
    changes = [STEPS, "training.checkpoint_every_seconds=1e-6"]
    run = tmp_path / "run"
    with pytest.raises(TrainingError, match="3 updates were skipped"):
        pretrain(store, recipe(*changes, "training.max_skipped_updates=2"), run, warn=[].append)
    # The run goes on after step 2: its calls 6, 7 and 8 are steps 3, 4 and 5 again.
    poison |= {6, 7, 8}
    told = []
    pretrain(store, recipe(*changes, "training.max_skipped_updates=3"), run, warn=told.append)
    assert [re.match(r"step (\d+)", line)[1] for line in told] == ["3", "4", "5"]
    assert [record["step"] for record in records(run, "skipped")] == [3, 4, 5]
    assert "max_skipped_updates: 3" in (run / "recipe.yaml").read_text()


def test_a_learning_rate_far_too_high(store, tmp_path):
    changes = ["training.learning_rate=1e18", "training.max_grad_norm=0", STEPS]
    with pytest.raises(
        TrainingError,
        match=r"start anew in another output folder with a lower training\.learning_rate",
    ):
        pretrain(store, recipe(*changes), tmp_path / "run", warn=[].append)


def test_a_spike_is_skipped(store, tmp_path, monkeypatch):
    """Labels of one batch mixed up: its loss stands out, and its gradients are not used."""
    original, calls = MaskedLM.__call__, iter(range(1, 10**6))

    def call(self, model, batch):
        measures = original(self, model, batch)
        if model.training and next(calls) == 60:
            loss = measures["mlm"].loss
            measures["mlm"] = Measure(LossSum(loss.total * 10, loss.count))
        return measures

    monkeypatch.setattr(MaskedLM, "__call__", call)
    told = []
    changes = ["training.num_steps=64", "training.num_evaluations=1"]
    pretrain(store, recipe(*changes), tmp_path / "run", warn=told.append)
    assert len(told) == 1
    assert re.match(r"step 60: the update is skipped \(loss \d+\.\d+, a spike\)", told[0])
    assert torch.tensor([loss for _, loss in losses(tmp_path / "run")]).max() < 10
