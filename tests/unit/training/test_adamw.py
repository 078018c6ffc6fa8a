"""AdamW by kernels: the state and the numbers of PyTorch's, gradients clipped on the way."""

import copy

import pytest
import torch
from torch import nn

from bertsmith.training.adamw import AdamW
from bertsmith.training.google_adam import GoogleAdam
from kernel_checks import needs_kernels

pytestmark = needs_kernels

SETTINGS = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.1}


def parameters_of():
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(size, generator=generator)) for size in ((8, 4), (4,))]


def give_gradients(parameters, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator) * scale


def beside_pytorchs():
    """Two sets of the same parameters with the same gradients, and the optimizer of each."""
    ours, theirs = parameters_of(), parameters_of()
    optimizer = AdamW(ours, **SETTINGS, uses_kernels=True)
    reference = torch.optim.AdamW(theirs, **SETTINGS, fused=True)
    for each in (ours, theirs):
        give_gradients(each, 0)
    return ours, theirs, optimizer, reference


@pytest.mark.parametrize("largest", [0.0, 0.5, 100.0])
def test_clipping_and_updates_are_pytorchs(largest):
    ours, theirs = parameters_of(), parameters_of()
    optimizer = AdamW(ours, **SETTINGS, uses_kernels=True)
    reference = torch.optim.AdamW(theirs, **SETTINGS, fused=True)
    for step in range(4):
        for each in (ours, theirs):
            give_gradients(each, step)
        norm = optimizer.clip(largest)
        assert norm is not None
        expected = nn.utils.clip_grad_norm_(theirs, largest or torch.inf)
        torch.testing.assert_close(norm, expected)
        optimizer.step()
        reference.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-6, atol=2e-7)


def test_a_factor_is_for_one_step():
    """Whoever doesn't clip again gets the gradients as they are."""
    clipped, whole = parameters_of(), parameters_of()
    optimizers = [AdamW(each, **SETTINGS, uses_kernels=True) for each in (clipped, whole)]
    for each, optimizer in zip((clipped, whole), optimizers, strict=True):
        give_gradients(each, 0)
        optimizer.clip(1e-3)
        if each is whole:
            optimizer.clip(0.0)
        optimizer.step()
        give_gradients(each, 1)
        optimizer.step()
    means = [optimizers[i].state[each[0]]["exp_avg"] for i, each in enumerate((clipped, whole))]
    give_gradients(clipped, 0)
    first = clipped[0].grad
    # 0.9 * 0.1 of the first gradient is what the two differ by, less what was left of it.
    torch.testing.assert_close(means[1] - means[0], 0.09 * first, rtol=2e-2, atol=1e-3)


def test_the_state_is_one_for_both():
    ours, theirs, optimizer, reference = beside_pytorchs()
    optimizer.step()
    reference.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    with torch.no_grad():
        for one, other in zip(theirs, ours, strict=True):
            one.copy_(other)
    for each in (ours, theirs):
        give_gradients(each, 1)
    optimizer.step()
    reference.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-6, atol=2e-7)


def test_elsewhere_nothing_is_clipped_here():
    """The caller does it then: other types, no kernels wanted, somebody scales the gradients."""
    for kind in (AdamW, GoogleAdam):
        plain = parameters_of()
        give_gradients(plain, 0)
        assert kind(plain, **SETTINGS).clip(1.0) is None
        scaled = kind(plain, **SETTINGS, uses_kernels=True)
        scaled.found_inf = torch.tensor(0.0)
        assert scaled.clip(1.0) is None
        double = [nn.Parameter(torch.ones(3, dtype=torch.float64))]
        double[0].grad = torch.full((3,), 0.5, dtype=torch.float64)
        optimizer = kind(double, **SETTINGS, uses_kernels=True)
        assert optimizer.clip(1.0) is None
        optimizer.step()
        assert not torch.equal(double[0], torch.ones(3, dtype=torch.float64))


def test_what_was_to_be_clipped_is_clipped_without_kernels_too():
    """Where somebody asks for more after `clip`, PyTorch's own step gets shorter gradients."""
    ours, theirs, optimizer, reference = beside_pytorchs()
    optimizer.clip(0.1)
    optimizer.found_inf = torch.tensor(0.0)
    optimizer.step()
    nn.utils.clip_grad_norm_(theirs, 0.1)
    reference.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(optimizer.state[one], reference.state[other])


@pytest.mark.parametrize("kind", [AdamW, GoogleAdam])
def test_groups_without_parameters_or_gradients(kind):
    first, second = parameters_of()
    groups = [{"params": [first]}, {"params": []}, {"params": [second]}]
    optimizer = kind(groups, **SETTINGS, uses_kernels=True)
    optimizer.step()
    give_gradients([first], 0)
    before, other = first.detach().clone(), second.detach().clone()
    optimizer.clip(1.0)
    optimizer.step()
    assert torch.equal(second, other)
    assert not torch.equal(first, before)
