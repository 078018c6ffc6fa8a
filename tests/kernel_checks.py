"""Checking C kernels against formulas in double precision."""

import pytest
import torch

from bertsmith.model import cpu_kernels
from bertsmith.model.cpu_kernels import products

# A bf16 number has eight bits: half of the last one, and a little for the sums on the way.
ROUNDING = {"rtol": 2**-8, "atol": 2**-8}

needs_kernels = pytest.mark.skipif(
    not cpu_kernels.has_cpu_kernels(torch.zeros(1).bfloat16()), reason="no C compiler here"
)

needs_tiles = pytest.mark.skipif(
    not (cpu_kernels.has_cpu_kernels(torch.zeros(1).bfloat16()) and products.has_tiles()),
    reason="no tiles here",
)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


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
