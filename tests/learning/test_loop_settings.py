"""Optimizers, schedules, frozen layers and fp16: whole runs in phases, resumed to the bit."""

import functools
import sys

import pytest
import torch

from bertsmith.errors import InputError, ModelError, RecipeError
from bertsmith.model import BertForPreTraining
from bertsmith.training import Interrupted, pretrain
from bertsmith.training.background import Background
from phase_runs import PHASES, make_store, recipe, stop_after, train_with_stops, without_times
from pretraining_runs import records, same, silent, weights


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("phases"))


@pytest.mark.parametrize(("optimizer", "rate"), [("google_adam", 1e-2), ("lamb", 5e-2)])
@pytest.mark.parametrize("schedule", ["cosine", "trapezoidal"])
def test_every_optimizer_learns_and_resumes_to_the_bit(
    store, tmp_path, monkeypatch, optimizer, rate, schedule
):
    chosen = recipe(
        PHASES,
        f"training.optimizer={optimizer}",
        f"training.schedule={schedule}",
        f"training.learning_rate={rate}",
        "training.num_warmup_steps=3",
        "training.num_steps=40",  # with 20 it hangs on the seed whether the slowest has learned
        "training.freeze_layers=0",
    )
    pretrain(store, chosen, tmp_path / "whole", warn=silent)
    losses = [record["mlm_loss"] for record in records(tmp_path / "whole", "train")]
    assert sum(losses[-3:]) / 3 < losses[0] - 0.3
    stop_after(monkeypatch, 4, 15)
    train_with_stops(store, chosen, tmp_path / "parts", 2)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_going_on_from_another_run_with_everything_at_once(store, tmp_path, monkeypatch):
    pretrain(store, recipe("training.num_steps=4"), tmp_path / "first", warn=silent)
    init = str(tmp_path / "first")
    chosen = recipe(
        PHASES,
        "model.position_init=normal",
        "training.optimizer=lamb",
        "training.schedule=trapezoidal",
        "training.freeze_layers=1",
        "training.learning_rate=1e-2",
    )
    pretrain(store, chosen, tmp_path / "whole", init=init, warn=silent)
    before, after = weights(tmp_path / "first"), weights(tmp_path / "whole")
    frozen = {name for name in before if torch.equal(before[name], after[name])}
    kinds = ("embeddings.", "encoder.layer.0.", "cls.predictions.decoder.weight")
    expected = {name for name in before if any(kind in name for kind in kinds)}
    assert frozen == expected
    stop_after(monkeypatch, 7, 14)
    train_with_stops(store, chosen, tmp_path / "parts", 2, init=init)
    assert same(after, weights(tmp_path / "parts"))
    BertForPreTraining.from_pretrained(tmp_path / "parts")


def test_going_on_when_the_model_that_it_started_from_is_gone(store, tmp_path, monkeypatch):
    """The checkpoint has everything; that of another run, say, is pruned when that goes on."""
    pretrain(store, recipe("training.num_steps=2"), tmp_path / "first", warn=silent)
    init = str(tmp_path / "first")
    chosen = recipe("training.num_steps=6", "model.position_init=normal")
    pretrain(store, chosen, tmp_path / "whole", init=init, warn=silent)
    stop_after(monkeypatch, 3)
    with pytest.raises(Interrupted):
        pretrain(store, chosen, tmp_path / "parts", init=init, warn=silent)
    (tmp_path / "first").rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="first"):
        pretrain(store, chosen, tmp_path / "another", init=init, warn=silent)
    pretrain(store, chosen, tmp_path / "parts", init=init, warn=silent)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority")
def test_the_last_checkpoint_of_a_stopped_run_is_awaited(store, tmp_path, monkeypatch):
    awaited, start = [], Background.start

    def noted(self, job, *, is_awaited=False):
        awaited.append(is_awaited)
        start(self, job, is_awaited=is_awaited)

    monkeypatch.setattr(Background, "start", noted)
    stop_after(monkeypatch, 3)
    chosen = recipe("training.num_steps=6", "training.checkpoint_every_seconds=1e-3")
    train_with_stops(store, chosen, tmp_path / "run", 1)
    assert awaited[:3] == [False, False, True]
    assert awaited.count(True) == 1


def test_more_frozen_layers_than_the_model_has(store, tmp_path):
    with pytest.raises(RecipeError, match=r"training\.freeze_layers: 3 is over .* 2 layers"):
        pretrain(store, recipe("training.freeze_layers=3"), tmp_path / "run", warn=silent)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU can do it")
def test_fp16_is_refused_on_a_cpu_before_anything_is_written(store, tmp_path):
    with pytest.raises(InputError, match="fp16 is unusable on CPUs; use bf16 or fp32"):
        pretrain(store, recipe("training.precision=fp16"), tmp_path / "run", warn=silent)
    assert not (tmp_path / "run").exists()


def test_fp16_skips_overflows_and_resumes_to_the_bit(store, tmp_path, monkeypatch):
    """PyTorch can do fp16 on a CPU, slowly: with the refusal taken away all of it runs here."""
    for room in ("pretraining", "update", "evaluation"):
        monkeypatch.setattr(
            f"bertsmith.training.{room}.resolve_precision", lambda precision, device: precision
        )
    chosen = recipe(
        PHASES, "training.precision=fp16", "training.learning_rate=1e-2", "training.num_steps=24"
    )
    # Fresh models overflow at no factor that GradScaler starts with.
    grown = functools.partial(torch.amp.GradScaler, init_scale=2.0**30, growth_interval=4)
    monkeypatch.setattr(torch.amp, "GradScaler", grown)
    pretrain(store, chosen, tmp_path / "whole", warn=silent)
    train = records(tmp_path / "whole", "train")
    assert train[-1]["mlm_loss"] < train[0]["mlm_loss"] - 0.3
    skipped = [record["overflowed_steps"] for record in train]
    assert skipped == sorted(skipped)
    assert 5 < skipped[-1] < 20
    stop_after(monkeypatch, 3, 11, 20)
    train_with_stops(store, chosen, tmp_path / "parts", 3)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert without_times(records(tmp_path / "parts", "train")) == without_times(train)


@pytest.mark.gpu
def test_fp16_learns_and_resumes_on_a_gpu(store, tmp_path, monkeypatch):
    chosen = recipe(PHASES, "training.precision=fp16", "training.learning_rate=5e-3")
    pretrain(store, chosen, tmp_path / "whole", warn=silent)
    train = records(tmp_path / "whole", "train")
    assert train[-1]["mlm_loss"] < train[0]["mlm_loss"] - 0.3
    assert train[-1]["overflowed_steps"] < 5
    stop_after(monkeypatch, 4, 15)
    train_with_stops(store, chosen, tmp_path / "parts", 2)
    parts = records(tmp_path / "parts", "train")
    assert [r["overflowed_steps"] for r in parts] == [r["overflowed_steps"] for r in train]
    assert parts[-1]["mlm_loss"] == pytest.approx(train[-1]["mlm_loss"], rel=1e-3)
