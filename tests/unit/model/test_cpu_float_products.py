"""Products of float32 matrices against double precision, and when PyTorch's are taken."""

import pytest
import torch
from torch import nn

from bertsmith.model import cpu_kernels
from bertsmith.model.cpu_kernels import float_products
from bertsmith.model.cpu_kernels.float_products import multiply_into
from bertsmith.model.linear import products_and_bias
from bertsmith.model.precision import autocast
from kernel_checks import (
    assert_layouts_change_no_product,
    assert_one_may_write_over_a_product,
    needs_float_products,
    threads_of,
)
from kernel_checks import draw_float32 as draw

CPU = torch.device("cpu")


pytestmark = needs_float_products


@pytest.fixture(autouse=True)
def on_any_processor(monkeypatch):
    """Also where PyTorch's library is at its best."""
    monkeypatch.setattr(float_products, "has_float_products", lambda: True)


def given(T, N, K):
    """Values, weights and the gradient of their product."""
    inputs = draw(T, K).requires_grad_(), draw(N, K, seed=1).requires_grad_()
    return *inputs, draw(T, N, seed=2)


def in_double(values, weight, upper):
    values, weight, upper = (x.detach().double() for x in (values, weight, upper))
    return values @ weight.T, upper @ weight, upper.T @ values


def multiplied(left, right, start=None):
    """The product written over what is no number."""
    return multiply_into(torch.full((len(left), right.shape[1]), torch.nan), left, right, start)


# Blocks, panels, strips and stretches that are full or not; columns packed in several turns.
@pytest.mark.parametrize("rows", [1, 6, 12, 97, 193])
@pytest.mark.parametrize("columns", [1, 16, 33, 2080])
@pytest.mark.parametrize("length", [1, 256, 300, 2048])  # rows 8 KB apart are packed
@pytest.mark.parametrize("start", [None, "a row", "a matrix"])
def test_products(rows, columns, length, start):
    added = {None: None, "a row": draw(columns, seed=2), "a matrix": draw(rows, columns, seed=2)}
    added = added[start]
    expected = draw(rows, length).double() @ draw(length, columns, seed=1).double()
    if added is not None:
        expected = expected + added.double()
    for left in (draw(rows, length), draw(rows, length).T.contiguous().T):
        for right in (draw(length, columns, seed=1), draw(length, columns, seed=1).T.clone().T):
            found = multiplied(left, right, added)
            torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


# Few rows are taken with weights as they lie: blocks of 4 x 3, of 8 or 16 numbers along the sum.
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 128])
@pytest.mark.parametrize("length", [1, 7, 16, 700])
def test_few_rows(rows, length):
    for columns in (1, 2, 3, 50):
        left, weight = draw(rows, length + 3)[:, 3:], draw(columns, length + 5, seed=1)[:, :-5]
        for added in (None, draw(columns, seed=2), draw(rows, columns, seed=2)):
            expected = left.double() @ weight.double().T
            if added is not None:
                expected += added.double()
            output = torch.full((rows + 1, columns + 1), torch.nan)
            multiply_into(output[:-1, :-1], left, weight.T, added)
            torch.testing.assert_close(output[:-1, :-1].double(), expected, rtol=1e-5, atol=1e-4)
            assert output.isnan().sum() == rows + columns + 1  # nothing beside it was written


def test_parts_of_larger_matrices():
    left, right, start = draw(50, 90)[3:40, 10:70], draw(90, 80)[10:70, 5:45], draw(60, 80)
    output = torch.full((40, 100), torch.nan)
    multiply_into(output[2:39, 7:47], left, right, start[8:45, 20:60])
    expected = left.double() @ right.double() + start[8:45, 20:60].double()
    torch.testing.assert_close(output[2:39, 7:47].double(), expected, rtol=1e-5, atol=1e-4)
    assert output.isnan().sum() == 40 * 100 - 37 * 40  # nothing beside it was written


def test_numbers_that_lie_in_no_order():
    left, right = draw(8, 1).expand(8, 9), draw(9, 2, 7)[:, 0]
    expected = left.double() @ right.double()
    torch.testing.assert_close(multiplied(left, right).double(), expected, rtol=1e-5, atol=1e-5)
    right = draw(9, 14)[:, ::2]
    expected = left.double() @ right.double()
    torch.testing.assert_close(multiplied(left, right).double(), expected, rtol=1e-5, atol=1e-5)


def test_the_number_of_threads_changes_nothing():
    left, right = draw(130, 700), draw(700, 150, seed=1)
    found = []
    for threads in (1, 2, 3, 4, 7):
        with threads_of(threads):
            columns, few = left.T.clone().T, left[:50]
            found.append([multiplied(left, right), multiplied(columns, right)])
            found[-1].append(multiplied(few, right.T.clone().T))
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


def test_what_lies_otherwise_is_refused():
    left, right, output = draw(8, 9), draw(9, 7), torch.empty(8, 7)
    with pytest.raises(ValueError, match=r"the right matrix has the shape \[8, 7\], not \[9, 7\]"):
        multiply_into(output, left, draw(8, 7))
    with pytest.raises(ValueError, match="something to sum over"):
        multiply_into(output, draw(8, 0), draw(0, 7))
    with pytest.raises(ValueError, match="the output has the shape"):
        multiply_into(torch.empty(8, 8), left, right)
    for start in (draw(8), draw(7, 7), draw(1, 8, 7)):
        with pytest.raises(ValueError, match="the start has the shape"):
            multiply_into(output, left, right, start)
    for other in ((output.double(), left, right), (output, left.double(), right)):
        with pytest.raises(TypeError, match=r"takes float32, not torch\.float64"):
            multiply_into(*other)
    for other in ((torch.empty(7, 8).T, None), (output, draw(7, 8).T)):
        with pytest.raises(TypeError, match="rows that are in one piece"):
            multiply_into(other[0], left, right, other[1])


@pytest.mark.parametrize("T", [64, 100])
@pytest.mark.parametrize("shape", [(1, 5), (33, 47), (300, 260)])
def test_layers_and_gradients(T, shape):
    values, weight, upper = given(T, *shape)
    output = cpu_kernels.product(values, weight)
    assert type(output.grad_fn).__name__ == "_ProductBackward"
    found = output, *torch.autograd.grad(output, [values, weight], upper)
    for one, other in zip(found, in_double(values, weight, upper), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-4)


def test_what_uses_the_values_too_adds_its_gradient():
    values, weight, upper = given(70, 40, 50)
    beside = draw(70, 50, seed=5)
    output, same = cpu_kernels.product_and_values(values, weight)
    assert torch.equal(same, values)
    found = torch.autograd.grad([output, same], [values, weight], [upper, beside])
    _, grad_values, grad_weight = in_double(values, weight, upper)
    torch.testing.assert_close(found[0].double(), grad_values + beside, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(found[1].double(), grad_weight, rtol=1e-5, atol=1e-4)


def test_a_bias_is_added_on_the_way():
    values, weight, upper = given(64, 130, 50)
    bias = draw(130, seed=3).requires_grad_()
    output = cpu_kernels.biased_product(values, weight, bias)
    found = [output, *torch.autograd.grad(output, [values, weight, bias], upper)]
    product, *gradients = in_double(values, weight, upper)
    expected = [product + bias.detach().double(), *gradients, upper.double().sum(0)]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-4)
    columns = values.detach().T.contiguous().T.requires_grad_()
    again = cpu_kernels.biased_product(columns, weight, bias)
    torch.testing.assert_close(torch.autograd.grad(again, columns, upper)[0], found[1])
    with pytest.raises(ValueError, match="the bias has the shape"):
        cpu_kernels.biased_product(values, weight, draw(131))


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_what_is_frozen_gets_no_gradient(wanted):
    inputs = [draw(64, 50), draw(70, 50, seed=1), draw(70, seed=3)]
    upper = draw(64, 70, seed=2)
    whole = [x.clone().requires_grad_() for x in inputs]
    expected = torch.autograd.grad(cpu_kernels.biased_product(*whole), whole, upper)
    inputs[wanted].requires_grad_()
    cpu_kernels.biased_product(*inputs).backward(upper)
    assert torch.equal(inputs[wanted].grad, expected[wanted])
    assert [x.grad is None for x in inputs].count(False) == 1


def test_leading_dimensions_and_slices():
    values, weight, _ = given(96, 64, 32)
    assert_layouts_change_no_product(values, weight, draw(64, 96).T)


def test_one_may_write_over_products():
    assert_one_may_write_over_a_product(*given(80, 32, 64))


def test_what_is_no_number_stays_none():
    values, weight, _ = given(70, 32, 64)
    with torch.no_grad():
        values[3, 5], weight[7, 1] = torch.nan, torch.inf
    output = cpu_kernels.product(values, weight)
    assert output[3].isnan().all()
    assert not output[:, 7].isfinite().any()
    assert output[4:, :7].isfinite().all()


@pytest.mark.parametrize(
    ("values", "weight"),
    [
        (draw(63, 32), draw(32, 32)),  # too few rows to lay weights out for, backward
        (draw(0, 32), draw(32, 32)),
        (draw(64, 32), draw(0, 32)),
        (draw(64, 32), draw(32, 32).T),
        (draw(64, 32).double(), draw(32, 32).double()),
        (draw(64, 32).half(), draw(32, 32).half()),
    ],
)
def test_everything_else_is_pytorchs(values, weight):
    assert not cpu_kernels.fits_floats(values, weight)
    weight.requires_grad_()
    output = cpu_kernels.product(values, weight)
    assert type(output.grad_fn).__name__ != "_ProductBackward"
    assert torch.equal(output, nn.functional.linear(values, weight))


def test_few_rows_without_a_backward():
    values, weight = draw(2, 3, 32), draw(40, 32, seed=1).requires_grad_()
    assert not cpu_kernels.fits_floats(values, weight)
    with torch.no_grad():
        assert cpu_kernels.fits_floats(values, weight)
        assert not cpu_kernels.fits_floats(draw(0, 32), weight)
        output = cpu_kernels.product(values, weight)
    torch.testing.assert_close(output, nn.functional.linear(values, weight))
    assert output.shape == (2, 3, 40)


def test_under_autocast_they_are_pytorchs_in_bf16():
    layer, values = nn.Linear(64, 32), draw(80, 64)
    with autocast("bf16", CPU):
        assert not cpu_kernels.fits_floats(values, layer.weight)
        products, bias = products_and_bias(layer, values)
    assert products.dtype == torch.bfloat16
    assert bias is None


def test_where_pytorchs_library_is_at_its_best(monkeypatch):
    monkeypatch.setattr(float_products, "has_float_products", lambda: False)
    assert not cpu_kernels.fits_floats(draw(64, 32), draw(32, 32))


def test_widths_that_do_not_agree_are_refused():
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        cpu_kernels.product(draw(70, 64), draw(32, 32))
