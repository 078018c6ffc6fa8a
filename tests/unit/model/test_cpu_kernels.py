"""The C kernels against the formulas in double precision, and a model with and without them."""

import pytest
import torch
from torch.nn.functional import gelu, layer_norm

from bertsmith.model import BertConfig, BertForPreTraining, PackedSequences, cpu_kernels
from bertsmith.model.linear import products_and_bias
from bertsmith.model.precision import autocast
from bertsmith.model.residual_norm import ResidualNorm
from kernel_checks import (
    ROUNDING,
    assert_all_close,
    draw,
    gradients,
    in_double,
    needs_kernels,
    threads_of,
)

CPU = torch.device("cpu")

pytestmark = needs_kernels


def test_gelu():
    # All bf16 numbers from -30 to 30, many times over, in a shape that fills no block.
    values = torch.arange(-30, 30, 1 / 128).bfloat16().reshape(-1, 30)
    upper = draw(*values.shape, seed=1)

    def plain(x, bias=0):
        return gelu(x + bias, approximate="tanh")

    found = gradients(cpu_kernels.gelu, [values], upper)
    assert_all_close(found, in_double(plain, [values], upper), **ROUNDING)
    inputs = [values, draw(30, seed=2).float()]
    found, expected = gradients(cpu_kernels.gelu, inputs, upper), in_double(plain, inputs, upper)
    assert_all_close(found[:2], expected[:2], **ROUNDING)
    # The bias's gradient is a sum in float32.
    torch.testing.assert_close(found[2], expected[2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [1, 48, 769])
def test_residual_norm(width):
    inputs = [draw(7, width), draw(7, width, seed=1)]
    inputs += [draw(width, seed=seed).float() for seed in (2, 3, 5)]
    upper = draw(7, width, seed=4)

    def ours(values, residual, weight, bias, values_bias=None):
        norm = weight, bias, 1e-3
        return cpu_kernels.residual_norm(values, residual, *norm, 0.0, values_bias)

    def plain(values, residual, weight, bias, values_bias=0):
        return layer_norm(residual + values + values_bias, (width,), weight, bias, 1e-3)

    for given in (inputs, inputs[:4]):
        found, expected = gradients(ours, given, upper), in_double(plain, given, upper)
        assert_all_close(found, expected, rtol=2**-7, atol=2**-6)
        # The weights' gradients are sums in float32.
        assert_all_close(found[3:], expected[3:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_dropout_in_any_number_of_threads(dtype):
    values, upper = draw(3, 4099).to(dtype), draw(3, 4099, seed=1).to(dtype)
    found = []
    for threads in (1, 3):
        with threads_of(threads):
            torch.manual_seed(5)
            found.append(gradients(lambda x: cpu_kernels.hashed_dropout(x, 0.25), [values], upper))
    kept = found[0][0] != 0
    assert 0.73 < kept.double().mean() < 0.77  # 12,297 draws: five standard errors are 0.02
    expected = [(x.double() * kept / 0.75) for x in (values, upper)]
    for result in found:
        assert_all_close(result, expected, rtol=2**-8, atol=0)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_residual_norm_with_dropout():
    values, residual = draw(40, 64), draw(40, 64, seed=1)
    inputs = [values, residual, torch.ones(64), torch.zeros(64), draw(64, seed=3).float()]
    upper = draw(40, 64, seed=2)

    def ours(values, residual, weight, bias, values_bias):
        torch.manual_seed(5)
        norm = weight, bias, 1e-3
        return cpu_kernels.residual_norm(values, residual, *norm, 0.25, values_bias)

    found = gradients(ours, inputs, upper)
    # What dropout drops has no gradient.
    kept = found[1] != 0
    assert 0.71 < kept.double().mean() < 0.79  # 2,560 draws: four standard errors are 0.034

    def plain(values, residual, weight, bias, values_bias):
        dropped = (values + values_bias) * kept / 0.75
        return layer_norm(residual + dropped, (64,), weight, bias, 1e-3)

    expected = in_double(plain, inputs, upper)
    assert_all_close(found, expected, rtol=2**-7, atol=2**-6)


def test_a_norm_in_bf16():
    norm = ResidualNorm(64, 1e-12, 0.0)
    values, residual = draw(5, 64), draw(5, 64, seed=1)
    torch.testing.assert_close(
        norm.bfloat16()(values, residual),
        layer_norm((values + residual).float(), (64,)).bfloat16(),
        rtol=2**-6, atol=2**-6,
    )  # fmt: skip


@pytest.fixture(params=["hook", "backward hook", "hook on all modules", "another forward"])
def on_a_layer(request):
    """Puts something on a layer, which notes in a list that it was called."""
    handles = []

    def put(layer, seen):
        def note(*_):
            seen.append(True)

        if request.param == "hook":
            layer.register_forward_hook(note)
        elif request.param == "backward hook":
            layer.register_full_backward_hook(note)
        elif request.param == "hook on all modules":
            handles.append(torch.nn.modules.module.register_module_forward_hook(note))
        else:
            before = layer.forward
            layer.forward = lambda x: (note(), before(x))[1]

    yield put
    for handle in handles:
        handle.remove()


def test_what_stands_on_a_layer_is_not_passed_by(on_a_layer):
    layer, inputs, seen = torch.nn.Linear(4, 3), draw(2, 4).requires_grad_(), []
    with autocast("bf16", CPU):
        assert products_and_bias(layer, inputs)[1] is layer.bias
        on_a_layer(layer, seen)
        output, bias = products_and_bias(layer, inputs)
    output.sum().backward()
    assert bias is None
    assert seen


def test_what_is_no_number_stays_none():
    values = draw(4, 64)
    values[1, 5] = torch.nan
    ones = torch.ones(64)
    assert cpu_kernels.gelu(values).isnan().sum() == 1
    normed = cpu_kernels.residual_norm(values, draw(4, 64), ones, ones, 1e-12, 0.0)
    assert normed.isnan().sum(1).tolist() == [0, 64, 0, 0]
    total, _ = cpu_kernels.cross_entropy_sums(values, torch.zeros(4, dtype=torch.int64))
    assert total.isnan()
    cu_seqlens = torch.tensor([0, 2, 4], dtype=torch.int32)
    heads = draw(4, 3, 1, 16)
    heads[1, 0, 0, 3] = torch.nan
    attended = cpu_kernels.padded_attention(heads, cu_seqlens, 2, 4)
    assert attended.isnan().flatten(1).all(1).tolist() == [False, True, False, False]


@pytest.mark.parametrize("bits", [0x7FFFFFFF, -1, 0x7FC00000, 0x7F800001])
def test_no_number_of_any_kind_in_a_bias(bits):
    """Rounded up like a number, one of all ones would become 0; a GPU makes such."""
    bias = torch.zeros(64)
    bias[:1] = torch.tensor([bits], dtype=torch.int32).view(torch.float32)
    ones, rows = torch.ones(64), draw(5, 64)
    assert cpu_kernels.gelu(rows, bias)[:, 0].isnan().all()
    assert cpu_kernels.residual_norm(rows, rows, ones, bias, 1e-12, 0.0)[:, 0].isnan().all()
    assert cpu_kernels.residual_norm(rows, rows, bias, ones, 1e-12, 0.0)[:, 0].isnan().all()
    lengths = torch.tensor([0, 5], dtype=torch.int32), 5, 5
    for H in (16, 32):
        added = torch.cat([torch.zeros(2 * H), bias])[: 3 * H]
        attended = cpu_kernels.padded_attention(draw(5, 3, 1, H), *lengths, bias=added)
        assert attended[:, 0, 0].isnan().all()


def test_gelu_of_what_is_far_below_zero_takes_no_denormal_numbers():
    """With them a processor takes four times as long."""
    far = -(2.0 ** torch.arange(4, 20)).bfloat16()
    assert (cpu_kernels.gelu(far).double() / far >= 2.0**-126).all()


def pretraining_gradients(model, packed, number_format):
    """All gradients of a model as one vector."""
    with autocast(number_format, CPU):
        output = model.forward_packed(packed)
    logits = output.prediction_logits, output.seq_relationship_logits
    loss = sum(each.float().logsumexp(1).square().mean() for each in logits)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return torch.cat([gradient.flatten() for gradient in gradients])


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_a_model_trains_as_without_them(without_kernels, attention):
    config = BertConfig.of_size(
        "tiny", vocab_size=50, attention=attention, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0))
    packed = PackedSequences.from_lists([[5 + i % 40 for i in range(n)] for n in (40, 3, 21)])
    exact = pretraining_gradients(model, packed, "fp32")
    error = (pretraining_gradients(model, packed, "bf16") - exact).norm()
    with without_kernels():
        plain_error = (pretraining_gradients(model, packed, "bf16") - exact).norm()
    # They round less often than PyTorch's own steps, so they are no farther from the truth.
    assert 0 < error < 1.2 * plain_error < 0.05 * exact.norm()


def test_the_number_of_threads_changes_no_output():
    values, residual = draw(101, 64), draw(101, 64, seed=1)
    results = []
    for threads in (1, 3):
        with threads_of(threads):
            torch.manual_seed(0)
            norm = torch.ones(64), torch.zeros(64), 1e-12
            output = cpu_kernels.residual_norm(values, residual, *norm, 0.1)
            results.append([output, cpu_kernels.gelu(values)])
    assert_all_close(results[0], results[1], rtol=0, atol=0)
