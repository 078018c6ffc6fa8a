"""Logits of a vocabulary on tiles, against double precision."""

import pytest
import torch

from bertsmith.model import BertConfig, cpu_kernels
from bertsmith.model.cpu_kernels.running import ask, call
from bertsmith.model.cross_entropy import chunked_sums
from bertsmith.model.heads import MaskedLMHead
from kernel_checks import draw, gradient_of, needs_tiles

CPU = torch.device("cpu")

pytestmark = [needs_tiles, pytest.mark.usefixtures("in_bf16")]


def given(T, V, D):
    """Values, matrix, bias, and the gradient of the logits."""
    values = draw(T, D).requires_grad_()
    matrix, bias = draw(V, D, seed=1).float(), draw(V, seed=2).float()
    return values, matrix.requires_grad_(), bias.requires_grad_(), draw(T, V, seed=3)


def in_double(values, matrix, bias, upper):
    """Logits and gradients of the bf16 numbers that the matrix is rounded to."""
    values, matrix, bias, upper = (x.detach().double() for x in (values, matrix, bias, upper))
    logits = values @ matrix.T + bias
    return logits, upper @ matrix, upper.T @ values, upper.sum(0)


def assert_alike(found, expected):
    assert [each.dtype for each in found] == [torch.bfloat16] * 2 + [torch.float32] * 2
    for one, other in zip(found, expected, strict=True):
        # Half of the last of bf16's eight bits; sums in float32 lose next to nothing.
        rounding = 2**-8 if one.dtype == torch.bfloat16 else 1e-5
        torch.testing.assert_close(one.double(), other, rtol=rounding, atol=1e-3)


# Strips, panels and spans of 512 rows that are full or not; one step of a sum, or several.
@pytest.mark.parametrize("T", [1, 31, 32, 33, 70])
@pytest.mark.parametrize("V", [1, 15, 17, 32, 512, 700, 1030])
@pytest.mark.parametrize("D", [32, 96, 256])
def test_logits_and_gradients(T, V, D):
    values, matrix, bias, upper = given(T, V, D)
    logits = cpu_kernels.vocabulary_logits(values, matrix, bias)
    found = logits, *torch.autograd.grad(logits, [values, matrix, bias], upper)
    assert_alike(found, in_double(values, matrix, bias, upper))


def test_any_number_of_threads_gives_the_same_bits():
    before, found = torch.get_num_threads(), []
    values, matrix, bias, upper = given(40, 1500, 96)
    for num_threads in (1, 2, 3, 7):
        torch.set_num_threads(num_threads)
        try:
            logits = cpu_kernels.vocabulary_logits(values, matrix, bias)
            gradients = torch.autograd.grad(logits, [values, matrix, bias], upper)
        finally:
            torch.set_num_threads(before)
        found.append((logits.detach(), *gradients))
    assert_alike(found[0], in_double(values, matrix, bias, upper))
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))


def test_nothing_is_written_beside_the_logits():
    values, matrix, bias, _ = (x.detach() for x in given(5, 45, 32))
    place = torch.full((6, 64), 7, dtype=torch.bfloat16)
    scratch = values.new_empty(ask("vocabulary_forward_room", 32, torch.get_num_threads()))
    call("vocabulary_forward", values, matrix, bias, place[:5, :45], scratch, 5, 45, 32, 64)
    assert (place[:5, :45] != 7).all()
    assert (place[:, 45:] == 7).all()
    assert (place[5:] == 7).all()


def test_rows_start_with_a_line_and_are_no_view():
    logits = cpu_kernels.vocabulary_logits(*given(5, 45, 32)[:3])
    assert logits.stride() == (64, 1)
    assert not logits._is_view()


@pytest.mark.parametrize("kind", ["contiguous", "apart", "transposed", "expanded"])
def test_gradients_of_any_layout(kind):
    values, matrix, bias, upper = given(40, 45, 32)
    if kind == "apart":  # with NaN behind each row, which nobody may read
        wide = torch.full((40, 70), torch.nan, dtype=torch.bfloat16)
        wide[:, :45] = upper
        upper = wide[:, :45]
    elif kind == "transposed":
        upper = upper.T.contiguous().T
    elif kind == "expanded":
        upper = upper[:1].expand(40, 45)
    logits = cpu_kernels.vocabulary_logits(values, matrix, bias)
    found = logits, *torch.autograd.grad(logits, [values, matrix, bias], upper)
    assert_alike(found, in_double(values, matrix, bias, upper))


@pytest.mark.parametrize("wanted", ["values", "matrix", "bias"])
def test_gradients_that_nobody_wants_are_not_made(wanted):
    values, matrix, bias, upper = given(33, 100, 64)
    inputs = {"values": values, "matrix": matrix, "bias": bias}
    found = gradient_of(
        wanted, inputs, lambda: cpu_kernels.vocabulary_logits(*inputs.values()).backward(upper)
    )
    expected = dict(zip(inputs, in_double(values, matrix, bias, upper)[1:], strict=True))[wanted]
    torch.testing.assert_close(found, expected, rtol=2**-8, atol=1e-3)


def test_numbers_that_are_none_reach_their_row_alone():
    values, matrix, bias, _ = given(33, 100, 64)
    with torch.no_grad():
        values[3, 5] = torch.nan
        matrix[7, 5] = torch.inf
        logits = cpu_kernels.vocabulary_logits(values, matrix, bias)
    assert logits[3].isnan().all()
    assert not logits[:, 7].isfinite().any()
    others = torch.ones_like(logits, dtype=torch.bool)
    others[3] = others[:, 7] = False
    assert logits[others].isfinite().all()


def test_other_widths_are_refused():
    values, matrix, bias, _ = given(4, 100, 64)
    with pytest.raises(ValueError, match="matrix has the shape"):
        cpu_kernels.vocabulary_logits(values[:, :32], matrix, bias)
    with pytest.raises(ValueError, match="bias has the shape"):
        cpu_kernels.vocabulary_logits(values, matrix, bias[:99])


@pytest.mark.parametrize("kind", ["bf16 matrix", "slice", "width", "float32 values"])
def test_what_a_kernel_would_read_wrongly_is_refused(kind):
    values, matrix, bias, _ = (x.detach() for x in given(4, 100, 64))
    if kind == "bf16 matrix":
        matrix = matrix.bfloat16()
    elif kind == "slice":
        matrix = torch.cat([matrix, matrix], 1)[:, :64]
    elif kind == "width":
        values, matrix = values[:, :40].contiguous(), matrix[:, :40].contiguous()
    else:
        values = values.float()
    with pytest.raises(TypeError, match="a kernel takes bf16 values"):
        cpu_kernels.vocabulary_logits(values, matrix, bias)


def test_gradient_of_one_row_that_is_everywhere_the_same_number():
    values, matrix, bias, _ = given(1, 45, 32)
    upper = torch.ones(1, dtype=torch.bfloat16).expand(1, 45)
    logits = cpu_kernels.vocabulary_logits(values, matrix, bias)
    found = logits, *torch.autograd.grad(logits, [values, matrix, bias], upper)
    assert_alike(found, in_double(values, matrix, bias, upper))


def test_gradients_that_are_no_numbers_stay_none():
    values, matrix, bias, upper = given(40, 700, 64)
    upper[3, 5] = torch.nan
    logits = cpu_kernels.vocabulary_logits(values, matrix, bias)
    grad_values, grad_matrix, grad_bias = torch.autograd.grad(logits, [values, matrix, bias], upper)
    assert grad_values.isnan().any(1).nonzero().flatten().tolist() == [3]
    assert grad_matrix.isnan().any(1).nonzero().flatten().tolist() == [5]
    assert grad_bias.isnan().nonzero().flatten().tolist() == [5]


@pytest.mark.parametrize("vocab_size", [45, 64])
def test_a_head_takes_them_and_its_loss_has_the_same_gradients(vocab_size):
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 1}
    head = MaskedLMHead(BertConfig(vocab_size=vocab_size, intermediate_size=64, **shape))
    hidden, words = draw(40, 64).requires_grad_(), draw(vocab_size, 64, seed=1).float()
    words.requires_grad_()
    labels = torch.arange(40) % vocab_size
    logits = head(hidden, words)
    assert type(logits.grad_fn).__name__ == "_LogitsBackward"
    chunked_sums(logits, labels)[0].backward()
    found = [hidden.grad, words.grad, head.bias.grad, head.transform.weight.grad]
    for tensor in (hidden, words, *head.parameters()):
        tensor.grad = None
    with torch.autocast("cpu", enabled=False):
        logits = head(hidden.float(), words)
        torch.nn.functional.cross_entropy(logits, labels, reduction="sum").backward()
    expected = [hidden.grad, words.grad, head.bias.grad, head.transform.weight.grad]
    for one, other in zip(found, expected, strict=True):
        difference = (one.double() - other.double()).norm() / other.double().norm()
        assert difference < 2**-5  # eight times half of bf16's last bit: a few roundings in turn
