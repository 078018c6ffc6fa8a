"""The optimizer's kernels against double precision and PyTorch's AdamW."""

import pytest
import torch

from bertsmith.model import cpu_kernels
from kernel_checks import needs_kernels, threads_of

pytestmark = needs_kernels

# A block is 8,192 numbers: none, one and several, full or not.
SIZES = [(1,), (17,), (64, 128), (8193,), (40_000, 3)]
KINDS = torch.float64, torch.float32
NUMBERS = {"learning_rate": 0.01, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.1}


def draw(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, generator=generator) for size in SIZES]


@pytest.fixture
def one_thread():
    with threads_of(1):
        yield


def test_the_norm():
    gradients = draw(0)
    expected = torch.cat([gradient.double().flatten() for gradient in gradients]).norm()
    found = cpu_kernels.gradient_norm(gradients)
    assert found.dtype == torch.float32
    assert found.shape == ()
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)
    assert float(cpu_kernels.gradient_norm([])) == 0
    assert cpu_kernels.gradient_norm([*gradients, torch.tensor([torch.nan])]).isnan()


def test_the_norm_of_other_threads(one_thread):
    gradients = draw(0)
    alone = cpu_kernels.gradient_norm(gradients)
    torch.set_num_threads(3)
    assert torch.equal(cpu_kernels.gradient_norm(gradients), alone)


@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_updates_are_pytorchs(factor):
    ours, theirs = draw(0), [torch.nn.Parameter(weight) for weight in draw(0)]
    means, squares = ([torch.zeros_like(weight) for weight in ours] for _ in range(2))
    optimizer = torch.optim.AdamW(theirs, lr=0.01, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.1)
    for step in range(1, 6):
        gradients = draw(step)
        before = [gradient.clone() for gradient in gradients]
        steps = [float(step)] * len(ours)
        cpu_kernels.adamw_update(ours, gradients, means, squares, steps, factor=factor, **NUMBERS)
        assert all(torch.equal(one, other) for one, other in zip(before, gradients, strict=True))
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient * factor
        optimizer.step()
    for index, parameter in enumerate(theirs):
        state = optimizer.state[parameter]
        for found, expected in (
            (ours[index], parameter.detach()),
            (means[index], state["exp_avg"]),
            (squares[index], state["exp_avg_sq"]),
        ):
            torch.testing.assert_close(found, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.9999), (0.99, 1 - 1e-6)])
@pytest.mark.parametrize("decay", [0.1, 1e-6])
def test_updates_are_as_exact_as_pytorchs(betas, decay):
    numbers = {"lr": 0.01, "betas": betas, "eps": 1e-6, "weight_decay": decay}
    exact, theirs = ([torch.nn.Parameter(w.to(kind)) for w in draw(0)] for kind in KINDS)
    ours, means, squares = draw(0), *(list(map(torch.zeros_like, theirs)) for _ in range(2))
    optimizers = [torch.optim.AdamW(each, **numbers) for each in (exact, theirs)]
    numbers["learning_rate"] = numbers.pop("lr")
    for step in range(1, 6):
        gradients = draw(step)
        for parameters, kind in zip((exact, theirs), KINDS, strict=True):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.to(kind)
        for optimizer in optimizers:
            optimizer.step()
        steps = [float(step)] * len(ours)
        cpu_kernels.adamw_update(ours, gradients, means, squares, steps, factor=1.0, **numbers)
    weights = torch.cat([weight.detach().flatten() for weight in exact])
    error, allowed = (
        (torch.cat([weight.detach().flatten() for weight in found]) - weights).abs().mean()
        for found in (ours, theirs)
    )
    assert error <= 1.1 * allowed
    assert allowed < 1e-7


def test_a_decay_that_float32_hardly_tells_from_none():
    weights = torch.linspace(1, 2, 1000)
    before, numbers = weights.clone(), {**NUMBERS, "learning_rate": 2e-5, "weight_decay": 0.01}
    for step in range(1, 101):
        more = [[torch.zeros_like(weights)] for _ in range(3)]
        cpu_kernels.adamw_update([weights], *more, [float(step)], factor=1.0, **numbers)
    assert ((before - weights) / before).mean().item() == pytest.approx(2e-5, rel=0.03)


def test_only_what_they_can_take():
    good, means, squares = torch.ones(4), torch.zeros(4), torch.zeros(4)
    for bad in (good.double(), torch.ones(4, 4).t()[:2], torch.ones(8)[::2], good.to("meta")):
        assert not cpu_kernels.is_updatable(bad)
        with pytest.raises(ValueError, match="float32 tensors on the CPU"):
            cpu_kernels.gradient_norm([good, bad])
        with pytest.raises(ValueError, match="float32 tensors on the CPU"):
            cpu_kernels.adamw_update(
                [good], [bad], [means], [squares], [1.0], factor=1.0, **NUMBERS
            )
    with pytest.raises(ValueError, match=r"\[4, 5\] numbers"):
        cpu_kernels.adamw_update(
            [good], [torch.ones(5)], [means], [squares], [1.0], factor=1.0, **NUMBERS
        )
