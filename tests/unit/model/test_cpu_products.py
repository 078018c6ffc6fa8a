"""Products of bf16 on tiles against double precision, and when PyTorch's are taken."""

import pytest
import torch
from torch import nn

from bertsmith.model import cpu_kernels
from bertsmith.model.activations import gelu_tanh
from bertsmith.model.feed_forward import feed_forward
from bertsmith.model.precision import autocast
from kernel_checks import (
    assert_layouts_change_no_product,
    assert_one_may_write_over_a_product,
    needs_tiles,
    threads_of,
)
from kernel_checks import draw_float32 as draw

CPU = torch.device("cpu")

pytestmark = [needs_tiles, pytest.mark.usefixtures("in_bf16")]


def given(T, N, K):
    """Values, weights and the gradient of their product."""
    weight = draw(N, K, seed=1).requires_grad_()
    return draw(T, K).bfloat16().requires_grad_(), weight, draw(T, N, seed=2).bfloat16()


def in_double(values, weight, upper):
    """Product and gradients of the bf16 numbers that the weights are rounded to."""
    values, upper = values.detach().double(), upper.double()
    weight = weight.detach().bfloat16().double()
    return values @ weight.T, upper @ weight, upper.T @ values


# Strips and panels that are full or not, one step, cached panels in one turn or several.
@pytest.mark.parametrize("T", [1, 31, 32, 33, 100])
@pytest.mark.parametrize("shape", [(32, 32), (64, 96), (32, 512), (1536, 512), (96, 3072)])
def test_products_and_gradients(T, shape):
    values, weight, upper = given(T, *shape)
    output = cpu_kernels.product(values, weight)
    assert type(output.grad_fn).__name__ == "_ProductBackward"
    found = output, *torch.autograd.grad(output, [values, weight], upper)
    assert [each.dtype for each in found] == [torch.bfloat16, torch.bfloat16, torch.float32]
    for one, other in zip(found, in_double(values, weight, upper), strict=True):
        # Half of the last of bf16's eight bits; sums in float32 lose next to nothing.
        rounding = 2**-8 if one.dtype == torch.bfloat16 else 1e-5
        torch.testing.assert_close(one.double(), other, rtol=rounding, atol=1e-4)


# Tokens that are packed in one turn or in several, of which the last is full or not; gradients of
# one piece, of several in one direction or both, and of pieces of two sizes.
@pytest.mark.parametrize("T", [256, 257, 500, 530])
@pytest.mark.parametrize("shape", [(32, 32), (64, 512), (480, 416), (1056, 32), (96, 96), (64, 96)])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_gradients_of_weights(T, shape, threads):
    values, weight, upper = given(T, *shape)
    with threads_of(threads):
        (found,) = torch.autograd.grad(cpu_kernels.product(values, weight), weight, upper)
        F, D = shape
        first, second = draw(F, D, seed=4), draw(D, F, seed=5)
        inputs = [each.requires_grad_() for each in (values, first, draw(F, seed=6), second)]
        output = cpu_kernels.feed_forward(*inputs)
        in_blocks = torch.autograd.grad(output, [first, second], values.detach())
    expected = upper.double().T @ values.detach().double()
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-3)
    inner = cpu_kernels.product(values, first)
    output = cpu_kernels.product(cpu_kernels.gelu(inner, inputs[2]), second)
    # What doesn't stand in blocks, on another number of threads, to the bit.
    rows = torch.autograd.grad(output, [first, second], values.detach())
    for one, other in zip(in_blocks, rows, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("T", [1, 32, 70])
@pytest.mark.parametrize("shape", [(32, 32), (128, 64), (1024, 512)])
def test_feed_forward(T, shape):
    (F, D), seeds = shape, iter(range(9))
    values, upper = (draw(T, D, seed=next(seeds)).bfloat16() for _ in range(2))
    weight, out_weight = draw(F, D, seed=next(seeds)) * D**-0.5, draw(D, F, seed=next(seeds))
    inputs = [values, weight, draw(F, seed=next(seeds)), out_weight]
    inputs = [each.requires_grad_() for each in inputs]
    output = cpu_kernels.feed_forward(*inputs)
    found = output, *torch.autograd.grad(output, inputs, upper)

    # One after the other, they round alike; only sums of biases come in another order.
    inner = cpu_kernels.product(inputs[0], inputs[1])
    expected = cpu_kernels.product(cpu_kernels.gelu(inner, inputs[2]), inputs[3])
    expected = expected, *torch.autograd.grad(expected, inputs, upper)
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert one.dtype == other.dtype
        bounds = {"rtol": 1e-5, "atol": 1e-4} if index == 3 else {"rtol": 0, "atol": 0}
        torch.testing.assert_close(one, other, **bounds)


def test_feed_forward_of_what_is_frozen():
    values, upper = (draw(40, 64, seed=seed).bfloat16() for seed in (1, 2))
    inputs = [values, draw(96, 64, seed=3), draw(96, seed=4), draw(64, 96, seed=5)]
    expected = torch.autograd.grad(
        cpu_kernels.feed_forward(*(each.requires_grad_() for each in inputs)), inputs, upper
    )
    for index, gradient in enumerate(expected):
        given = [each.detach().requires_grad_(i == index) for i, each in enumerate(inputs)]
        output = cpu_kernels.feed_forward(*given)
        assert torch.equal(torch.autograd.grad(output, given[index], upper)[0], gradient)


def test_leading_dimensions_and_slices():
    values, weight, _ = given(12, 64, 32)
    assert_layouts_change_no_product(values, weight, draw(64, 12).bfloat16().T)


def test_the_number_of_threads_changes_nothing():
    values, weight, upper = given(700, 1024, 768)
    found = []
    for threads in (1, 2, 3):
        with threads_of(threads):
            output = cpu_kernels.product(values, weight)
            found.append((output, *torch.autograd.grad(output, [values, weight], upper)))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_pytorchs_products_keep_their_tiles():
    values, weight, _ = given(128, 128, 128)
    other = draw(128, 128, seed=3).bfloat16()
    expected = other @ other
    for _ in range(3):
        cpu_kernels.product(values, weight)
        assert torch.equal(other @ other, expected)


def test_what_is_no_number_stays_none():
    values, weight, _ = given(40, 32, 64)
    with torch.no_grad():
        values[3, 5], weight[7, 1] = float("nan"), float("inf")
    output = cpu_kernels.product(values, weight)
    assert output[3].isnan().all()
    assert not output[:, 7].isfinite().any()
    assert output[4:, :7].isfinite().all()


def test_frozen_weights_and_inputs_get_no_gradient():
    values, weight, upper = given(8, 32, 32)
    (only,) = torch.autograd.grad(cpu_kernels.product(values, weight.detach()), [values], upper)
    expected = in_double(values, weight, upper)[1]
    torch.testing.assert_close(only.double(), expected, rtol=2**-8, atol=1e-4)
    output = cpu_kernels.product(values.detach(), weight)
    assert output.grad_fn.next_functions[0][0] is None


@pytest.mark.parametrize(
    ("values", "weight"),
    [
        (draw(4, 48).bfloat16(), draw(32, 48)),  # widths of no 32
        (draw(4, 32).bfloat16(), draw(30, 32)),
        (draw(4, 32), draw(32, 32)),  # float32 values, which autocast narrows
        (draw(4, 32).bfloat16(), draw(32, 32).bfloat16()),
        (draw(0, 32).bfloat16(), draw(32, 32)),
        (draw(4, 32).bfloat16(), draw(0, 32)),
        (draw(4, 32).bfloat16(), draw(32, 32).T),
    ],
)
def test_everything_else_is_pytorchs(values, weight):
    weight.requires_grad_()
    output = cpu_kernels.product(values, weight)
    assert type(output.grad_fn).__name__ != "_ProductBackward"
    assert torch.equal(output, nn.functional.linear(values, weight))


def test_widths_that_do_not_agree_are_refused():
    values = draw(4, 64).bfloat16()
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        cpu_kernels.product(values, draw(32, 32))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        feed_forward(nn.Linear(64, 32), gelu_tanh, nn.Linear(96, 64), values)
    with pytest.raises(ValueError, match="second layer"):
        cpu_kernels.feed_forward(values, draw(32, 64), draw(32), draw(64, 96))


def test_feed_forward_to_another_width():
    values, upper = draw(9, 64).bfloat16(), draw(9, 32, seed=1).bfloat16()
    inputs = [values, draw(96, 64, seed=2), draw(96, seed=3), draw(32, 96, seed=4)]
    inputs = [each.requires_grad_() for each in inputs]
    output = cpu_kernels.feed_forward(*inputs)
    inner = cpu_kernels.gelu(cpu_kernels.product(*inputs[:2]), inputs[2])
    expected = cpu_kernels.product(inner, inputs[3])
    assert torch.equal(output, expected)
    found = torch.autograd.grad(output, [inputs[0], inputs[3]], upper)
    expected = torch.autograd.grad(expected, [inputs[0], inputs[3]], upper)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_one_may_write_over_products():
    assert_one_may_write_over_a_product(*given(8, 32, 64))


def test_a_loss_of_products_reaches_the_weights():
    values, weight, _ = given(8, 64, 32)
    total, _ = cpu_kernels.cross_entropy_sums(cpu_kernels.product(values, weight), torch.arange(8))
    assert all(each.any() for each in torch.autograd.grad(total, [values, weight]))


def test_without_autocast_types_must_agree():
    values, weight, _ = given(4, 32, 32)
    with autocast("fp32", CPU), pytest.raises(RuntimeError, match="same dtype"):
        cpu_kernels.product(values, weight)


@pytest.mark.parametrize("T", [1, 33])
def test_what_uses_the_values_too_adds_its_gradient(T):
    """The same number as one after the other, but for one rounding less."""
    values, weight, upper = given(T, 64, 96)
    beside = draw(T, 96, seed=5).bfloat16()
    output, same = cpu_kernels.product_and_values(values, weight)
    assert torch.equal(same, values)
    found = torch.autograd.grad([output, same], [values, weight], [upper, beside])
    _, grad_values, grad_weight = in_double(values, weight, upper)
    expected = grad_values + beside.double()
    torch.testing.assert_close(found[0].double(), expected, rtol=2**-8, atol=1e-4)
    torch.testing.assert_close(found[1].double(), grad_weight, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("T", [1, 33])
def test_feed_forward_adds_it_as_well(T):
    inputs = [draw(T, 64).bfloat16(), draw(96, 64, seed=2) / 8, draw(96, seed=3)]
    inputs = [each.requires_grad_() for each in (*inputs, draw(64, 96, seed=4))]
    upper, beside = (draw(T, 64, seed=seed).bfloat16() for seed in (5, 6))
    output, same = cpu_kernels.feed_forward_and_values(*inputs)
    (found,) = torch.autograd.grad([output, same], inputs[:1], [upper, beside])
    alone = cpu_kernels.feed_forward(*inputs)
    (expected,) = torch.autograd.grad(alone, inputs[:1], upper)
    torch.testing.assert_close(found, expected + beside, rtol=2**-7, atol=2**-7)
    # Only one of the two was used.
    (only,) = torch.autograd.grad(
        cpu_kernels.feed_forward_and_values(*inputs)[1], inputs[:1], beside
    )
    assert torch.equal(only, beside)


def test_another_type_of_gradient_is_added_afterwards():
    values, weight, upper = given(4, 32, 32)
    output, same = cpu_kernels.product_and_values(values, weight)
    (found,) = torch.autograd.grad(
        (output * upper).sum() + (same.float() * 2).sum(), [values], retain_graph=True
    )
    (expected,) = torch.autograd.grad(output, [values], upper)
    torch.testing.assert_close(found, expected + 2, rtol=2**-7, atol=2**-7)
