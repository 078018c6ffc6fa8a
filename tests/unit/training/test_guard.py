"""Which updates are skipped, and that weights and moments don't notice."""

import math

import pytest
import torch
from torch import nn

from bertsmith.training.guard import (
    Guard,
    SkippedUpdate,
    skipped_updates,
    step_on_device,
    step_unless,
)
from bertsmith.training.optimizer import build_optimizer
from bertsmith.training.settings import LoopSettings, OptimizerSettings

CPU = torch.device("cpu")


def judge(guard, loss, grad_norm=1.0):
    return bool(guard(torch.tensor(loss), torch.tensor(grad_norm)).skip)


def noise(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (4 + 0.1 * torch.randn(count, generator=generator)).tolist()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_skipped(bad):
    guard = Guard(LoopSettings(), CPU)
    assert not judge(guard, 4.0)
    assert judge(guard, bad)
    assert judge(guard, 4.0, bad)
    assert not judge(guard, 1e30), "spikes are off"


def test_what_is_restored_is_a_copy():
    """A checkpoint's tensors are its file, mapped: its room on the disk would not come free."""
    guard, kept = Guard(LoopSettings(), CPU), Guard(LoopSettings(), CPU).tensors()
    guard.restore(kept)
    (losses,) = kept.values()
    assert guard.losses.data_ptr() != losses.data_ptr()


def test_a_spike_is_skipped_and_not_remembered():
    guard = Guard(LoopSettings(spike_deviations=10.0), CPU)
    for loss in noise(128):
        assert not judge(guard, loss)
    before = guard.losses.clone()
    for _ in range(200):
        assert judge(guard, 5.3), "13 deviations"
    assert torch.equal(guard.losses, before)
    assert not judge(guard, 4.7), "7 deviations"
    assert not judge(guard, 1.0), "low losses are welcome"


def test_the_rule_by_hand():
    """median + k * max(1.4826 MAD, 0.01 median), over the last 128."""
    guard = Guard(LoopSettings(spike_deviations=3.0), CPU)
    losses = noise(300, seed=1)
    for loss in losses:
        guard(torch.tensor(loss), torch.tensor(1.0))
    last = sorted(losses[-128:])
    assert sorted(guard.losses.tolist()) == pytest.approx(last)
    median = last[63]
    deviation = 1.4826 * sorted(abs(loss - median) for loss in last)[63]
    limit = median + 3 * max(deviation, 0.01 * median)
    state = guard.tensors()
    for loss, expected in ((limit + 1e-4, True), (limit - 1e-4, False)):
        twin = Guard(LoopSettings(spike_deviations=3.0), CPU)
        twin.restore(state)
        assert judge(twin, loss) == expected


def test_a_falling_loss_is_no_spike_and_a_few_losses_are_no_measure():
    guard = Guard(LoopSettings(spike_deviations=10.0), CPU)
    assert not any(judge(guard, 10.0) for _ in range(31))
    assert not judge(guard, 100.0)
    guard = Guard(LoopSettings(spike_deviations=10.0), CPU)
    assert not any(judge(guard, 10.0 * 0.98**step) for step in range(300))


def test_losses_all_the_same_leave_room():
    guard = Guard(LoopSettings(spike_deviations=10.0), CPU)
    assert not any(judge(guard, 2.0) for _ in range(128))
    assert not judge(guard, 2.19)
    assert judge(guard, 2.21)


@pytest.mark.parametrize("step", [step_unless, step_on_device])
def test_a_skipped_update_leaves_weights_and_optimizer(step):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = build_optimizer(model, OptimizerSettings())

    def update(skip, scale=1.0):
        optimizer.zero_grad()
        (model(torch.ones(4, 3)).sum() * scale).backward()
        step(torch.tensor(skip), optimizer)

    def everything():
        moments = [
            value.clone() for p in model.parameters() for value in optimizer.state[p].values()
        ]
        return [*(p.detach().clone() for p in model.parameters()), *moments]

    def same(one, other):
        return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    update(False)
    before = everything()
    update(True, math.nan)
    assert same(everything(), before)
    update(False)
    assert not same(everything(), before)
    assert not hasattr(optimizer, "found_inf")


def test_skipped_updates_say_why():
    guard = Guard(LoopSettings(), CPU)
    verdicts = [
        guard(torch.tensor(loss), torch.tensor(norm))
        for loss, norm in ((1.0, 1.0), (math.nan, 1.0), (2.0, math.inf))
    ]
    assert [(update.step, update.reason) for update in skipped_updates(verdicts, 5)] == [
        (6, "loss nan"),
        (7, "gradient norm inf"),
    ]
    assert SkippedUpdate(9, 7.25, 3.0).reason == "loss 7.250, a spike"
    assert skipped_updates([], 1) == []


@pytest.mark.gpu
def test_a_gpu_is_not_waited_for():
    """Judging and stepping ask the device nothing: CUDA says so itself."""
    device = torch.device("cuda")
    model = nn.Linear(3, 2).to(device)
    optimizer = build_optimizer(model, OptimizerSettings())
    guard = Guard(LoopSettings(spike_deviations=10.0), device)
    inputs = torch.ones(4, 3, device=device)

    def update(factor):
        optimizer.zero_grad()
        loss = model(inputs).square().mean() * factor
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        verdict = guard(loss, norm)
        step_unless(verdict.skip, optimizer)
        return verdict

    factors = [*([torch.tensor(1.0, device=device)] * 40), torch.tensor(math.nan, device=device)]
    update(factors[0])
    torch.cuda.set_sync_debug_mode("error")
    try:
        verdicts = [update(factor) for factor in factors]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [update.step for update in skipped_updates(verdicts, 0)] == [40]
    assert all(parameter.isfinite().all() for parameter in model.parameters())
