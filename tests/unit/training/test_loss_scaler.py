"""fp16's loss scaling. PyTorch's scaler works on a CPU too, so the whole path runs here."""

import json
import math

import pytest
import torch
from torch import nn

from bertsmith.objectives import LossSum, Measure
from bertsmith.training.guard import Guard
from bertsmith.training.loss_scaler import LossScaler
from bertsmith.training.optimizer import build_optimizer
from bertsmith.training.settings import LoopSettings, OptimizerSettings
from bertsmith.training.window import Window

CPU = torch.device("cpu")


def parts(name="adamw"):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    return model, build_optimizer(model, OptimizerSettings(optimizer=name, learning_rate=0.1))


def update(model, optimizer, scaler, factor=1.0):
    optimizer.zero_grad()
    scaler.scale(model(torch.ones(1, 3)).sum() * factor).backward()
    scaler.unscale(optimizer)
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    scaler.step(optimizer)
    return gradients


@pytest.mark.parametrize("name", ["adamw", "google_adam", "lamb"])
def test_an_overflow_is_skipped_and_counted(name):
    model, optimizer = parts(name)
    scaler = LossScaler(CPU, enabled=True)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    update(model, optimizer, scaler, factor=math.inf)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert scaler.log_values() == {"overflowed_steps": 1}
    gradients = update(model, optimizer, scaler)
    assert all(torch.equal(gradient, torch.ones_like(gradient)) for gradient in gradients)
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert scaler.num_skipped == 1


def test_the_state_goes_through_json():
    model, optimizer = parts()
    scaler, twin = LossScaler(CPU, enabled=True), LossScaler(CPU, enabled=True)
    for factor in (math.inf, 1.0, math.inf, 1.0, 1.0):
        update(model, optimizer, scaler, factor)
    state = json.loads(json.dumps(scaler.state()))
    assert state["num_skipped"] == 2
    assert state["scaler"]["scale"] == 2.0**14
    twin.restore(state)
    assert twin.state() == scaler.state()
    update(model, optimizer, twin, math.inf)
    assert twin.num_skipped == 3
    assert twin.state()["scaler"]["scale"] == 2.0**13


def test_an_overflow_that_no_factor_mends_is_left_to_the_guard():
    """Without it no update would ever be made again, and nobody told."""
    model, optimizer = parts()
    scaler, guard = LossScaler(CPU, enabled=True), Guard(LoopSettings(), CPU)
    skipped = []
    for _ in range(35):
        norm = torch.tensor(math.inf)
        skipped.append(bool(guard(torch.tensor(4.0), norm, scaler.overflowed(norm)).skip))
        update(model, optimizer, scaler, factor=math.inf)
    assert skipped == [False] * 30 + [True] * 5
    twin = LossScaler(CPU, enabled=True)
    twin.restore(scaler.state())
    assert twin.overflowed(torch.tensor(math.inf)) is None


@pytest.mark.parametrize("loss", [5.0, 500.0])
def test_an_update_that_overflowed_is_in_no_mean_and_no_measure(loss):
    """It isn't made: its loss is none that was trained on, nor a spike that the guard met."""
    scaler, guard = LossScaler(CPU, enabled=True), Guard(LoopSettings(spike_deviations=5.0), CPU)
    window = Window()

    def judge(loss, norm):
        verdict = guard(torch.tensor(loss), norm, scaler.overflowed(norm))
        total = LossSum(torch.tensor(loss), 1)
        window.add([{"mlm": Measure(total, torch.tensor(0))}], verdict)
        return verdict

    for _ in range(40):
        assert bool(judge(4.0, torch.tensor(1.0)).is_made)
    before = guard.losses.clone()
    verdict = judge(loss, torch.tensor(math.inf))
    assert (bool(verdict.skip), bool(verdict.is_made)) == (False, False)
    assert verdict.grad_norm == math.inf
    assert torch.equal(guard.losses.nan_to_num(), before.nan_to_num())
    assert window.means()["mlm_loss"] == 4.0
    assert bool(judge(math.nan, torch.tensor(math.nan)).skip), "no factor mends a loss"


def test_what_is_skipped_for_another_reason_is_no_overflow_too():
    model, optimizer = parts()
    scaler = LossScaler(CPU, enabled=True)
    optimizer.zero_grad()
    scaler.scale(model(torch.ones(1, 3)).sum() * math.inf).backward()
    scaler.unscale(optimizer)
    scaler.step(optimizer, skip=True)
    assert scaler.log_values() == {"overflowed_steps": 0}


def test_outside_fp16_nothing_is_scaled():
    model, optimizer = parts()
    scaler = LossScaler(CPU, enabled=False)
    loss = model(torch.ones(1, 3)).sum()
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.unscale(optimizer)
    scaler.step(optimizer)
    assert scaler.state() == {}
    assert scaler.log_values() == {}
    scaler.restore({"num_skipped": 3, "scaler": {}})
    assert scaler.num_skipped == 0
