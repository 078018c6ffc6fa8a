"""Checking C kernels against formulas in double precision."""

import contextlib
import os

import pytest
import torch

from bertsmith.model import cpu_kernels
from bertsmith.model.cpu_kernels import running, tiles

# A bf16 number has eight bits: half of the last one, and a little for the sums on the way.
ROUNDING = {"rtol": 2**-8, "atol": 2**-8}

# Where a processor is emulated nothing is left out: what isn't there fails.
_IS_EMULATED = "EMULATED" in os.environ

_HAS_KERNELS = _IS_EMULATED or cpu_kernels.has_cpu_kernels(torch.zeros(1).bfloat16())
_HAS_TILES = _IS_EMULATED or (_HAS_KERNELS and tiles.has_tiles())

needs_kernels = pytest.mark.skipif(not _HAS_KERNELS, reason="no C compiler here")

needs_tiles = pytest.mark.skipif(not _HAS_TILES, reason="no tiles here")


needs_float_products = pytest.mark.skipif(
    not (cpu_kernels.has_cpu_kernels() and running.ask("float_product_room", 1)),
    reason="no vectors for products of float32: no AVX2, or no C compiler",
)


@contextlib.contextmanager
def no_kernels(monkeypatch):
    """PyTorch's own operators, as without a C compiler; what else was patched is undone too."""
    monkeypatch.setenv("BERTSMITH_CPU_KERNELS", "off")
    cpu_kernels.library._load.cache_clear()
    try:
        assert not cpu_kernels.has_cpu_kernels()
        yield
    finally:
        monkeypatch.undo()
        cpu_kernels.library._load.cache_clear()


@contextlib.contextmanager
def threads_of(number):
    """So many threads of PyTorch's, and of the kernels."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def draw_float32(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return draw_float32(*shape, seed=seed).bfloat16()


def gradients(function, inputs, upper):
    """Output and gradients of a function, all in double precision."""
    inputs = [value.clone().requires_grad_() for value in inputs]
    output = function(*inputs)
    found = torch.autograd.grad(output, inputs, upper.to(output.dtype))
    return [value.detach().double() for value in (output, *found)]


def in_double(function, inputs, upper):
    return gradients(function, [value.double() for value in inputs], upper.double())


def gradient_of(wanted, inputs, backward):
    """The gradient of the one of the named inputs that wants one; none of the others gets any.

    Args:
        wanted: its name.
        inputs: tensors that are no results of anything.
        backward: goes back from a result of them.
    """
    for name, tensor in inputs.items():
        tensor.requires_grad_(name == wanted)
    backward()
    assert [name for name, tensor in inputs.items() if tensor.grad is not None] == [wanted]
    return inputs[wanted].grad.double()


def assert_all_close(found, expected, **bounds):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **bounds)


def assert_layouts_change_no_product(values, weight, upper):
    """Leading dimensions, slices and gradients that aren't in one piece give the same bits.

    Args:
        values: [T, K], T a multiple of 3; it and the weight want a gradient.
        weight: [N, K].
        upper: a gradient of the product, [N, T].T.
    """
    K = values.shape[1]
    wide = torch.cat([values, values], 1).detach()
    output = cpu_kernels.product(values, weight)
    leading = cpu_kernels.product(values.view(3, -1, K), weight)
    assert torch.equal(leading.flatten(0, 1), output)
    assert torch.equal(cpu_kernels.product(wide[:, K:], weight), output)
    one = torch.autograd.grad(output, [values, weight], upper, retain_graph=True)
    other = torch.autograd.grad(output, [values, weight], upper.contiguous())
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def assert_one_may_write_over_a_product(values, weight, upper):
    """The gradients are those of a product that somebody multiplied into another place."""
    output = cpu_kernels.product(values, weight)
    expected = torch.autograd.grad(output * 2, [values, weight], upper)
    doubled = cpu_kernels.product(values, weight).mul_(2)
    found = torch.autograd.grad(doubled, [values, weight], upper)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
