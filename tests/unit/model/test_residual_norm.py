"""Dropout, sum and LayerNorm in one: the kernels, by Triton's interpreter, and the plain way."""

import torch

from bertsmith.model.residual_norm import ResidualNorm
from triton_checks import needs_triton, run_script

# In a process of its own: Triton decides at import whether it interprets.
SCRIPT = """
import torch
from torch.nn.functional import layer_norm
from bertsmith.model import residual_norm as room

room._NUM_PROGRAMS = 3
T, D, eps = 7, 48, 1e-12
generator = torch.Generator().manual_seed(0)
values, residual, upper = (torch.randn(T, D, generator=generator) for _ in range(3))
weight, bias = (torch.randn(D, generator=generator) for _ in range(2))

def gradients(function):
    inputs = [x.clone().requires_grad_() for x in (values, residual, weight, bias)]
    output = function(*inputs)
    return output.detach(), *torch.autograd.grad((output * upper).sum(), inputs)

def ours(p):
    seed = torch.full((1,), 9, dtype=torch.int32)
    return gradients(lambda v, r, w, b: room._residual_norm(v, r, w, b, seed, eps, p)[0])

plain = gradients(lambda v, r, w, b: layer_norm(r + v, (D,), w, b, eps))
torch.testing.assert_close(ours(0.0), plain, atol=2e-5, rtol=2e-5)

# Less than one value of 2^32 is dropped: none.
torch.testing.assert_close(ours(1e-11), plain, atol=2e-5, rtol=2e-5)

# Which values dropout keeps shows where nothing else is: what it drops has no gradient.
dropped = ours(0.25)
kept = dropped[1] != 0
share = kept.float().mean().item()
assert 0.66 < share < 0.84, share  # 336 draws: four standard errors are 0.09
plain = gradients(lambda v, r, w, b: layer_norm(r + v * kept / 0.75, (D,), w, b, eps))
torch.testing.assert_close(dropped, plain, atol=2e-5, rtol=2e-5)

# What a compiler is told of shapes and types is what comes out.
seed = torch.full((1,), 9, dtype=torch.int32)
for dtype in (torch.float32, torch.float16):
    parts = weight.to(dtype), bias.to(dtype)
    inputs = values, residual, *parts, seed, eps, 0.25
    torch.library.opcheck(room._residual_norm, inputs, test_utils="test_faketensor")
    _, means, factors = room._residual_norm(*inputs)
    inputs = upper, values, residual, parts[0], means, factors, seed, 0.25
    torch.library.opcheck(room._residual_norm_backward, inputs, test_utils="test_faketensor")
print("equal")
"""


@needs_triton
def test_the_kernels_are_layer_norm_in_plain_steps():
    assert run_script("-c", SCRIPT, TRITON_INTERPRET="1") == "equal"


@needs_triton
def test_no_kernel_is_compiled_for_a_kind_of_number_of_tokens():
    from bertsmith.model import residual_norm_kernels as kernels

    (num_tokens,) = (each for each in kernels.backward_kernel.params if each.name == "T")
    assert num_tokens.do_not_specialize
    assert "T" not in {each.name for each in kernels.forward_kernel.params}


def test_without_training_nothing_is_dropped():
    norm = ResidualNorm(8, 1e-12, 0.5)
    values, residual = torch.randn(5, 8), torch.randn(5, 8)
    expected = torch.nn.functional.layer_norm(values + residual, (8,), eps=1e-12)
    assert not torch.equal(norm(values, residual), expected)
    torch.testing.assert_close(norm.eval()(values, residual), expected)


def test_the_residual_says_the_type():
    norm = ResidualNorm(8, 1e-12, 0.0)
    values, residual = torch.randn(5, 8), torch.randn(5, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert norm(values.bfloat16(), residual.bfloat16()).dtype == torch.bfloat16
        assert norm(values.bfloat16(), residual).dtype == torch.float32
