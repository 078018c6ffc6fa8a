"""The C kernels on float32 numbers against double precision, and a model with and without them."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import gelu, layer_norm
from torch.utils.flop_counter import FlopCounterMode

from bertsmith.model import (
    BertConfig,
    BertForPreTraining,
    BertForSequenceClassification,
    PackedSequences,
    PreTrainingOutput,
    chunked_sums,
    cpu_kernels,
)
from bertsmith.model.attention import PaddedLayout, packed_attention
from bertsmith.model.cpu_kernels import head_attention
from bertsmith.model.precision import autocast
from kernel_checks import (
    assert_all_close,
    gradients,
    in_double,
    needs_float_products,
    needs_kernels,
)
from kernel_checks import draw_float32 as draw

CPU = torch.device("cpu")
# Sums of up to a thousand float32 numbers.
BOUNDS = {"rtol": 1e-5, "atol": 1e-5}

pytestmark = needs_kernels


def ends_of(*lengths):
    return torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)


def test_gelu():
    values = torch.arange(-30, 30, 1 / 128).reshape(-1, 30)
    inputs, upper = [values, draw(30, seed=2)], draw(*values.shape, seed=1)

    def plain(x, bias):
        return gelu(x + bias, approximate="tanh")

    found = gradients(cpu_kernels.gelu, inputs, upper)
    assert cpu_kernels.gelu(values).dtype == torch.float32
    expected = in_double(plain, inputs, upper)
    assert_all_close(found[:2], expected[:2], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found[2], expected[2], rtol=1e-4, atol=1e-4)  # of 256 rows


@pytest.mark.parametrize("width", [1, 48, 64, 769])
def test_residual_norm(width):
    inputs = [draw(7, width, seed=seed) for seed in (0, 1)]
    inputs += [draw(width, seed=seed) for seed in (2, 3, 5)]

    def ours(values, residual, weight, bias, values_bias):
        return cpu_kernels.residual_norm(values, residual, weight, bias, 1e-3, 0.0, values_bias)

    def plain(values, residual, weight, bias, values_bias):
        return layer_norm(residual + values + values_bias, (width,), weight, bias, 1e-3)

    upper = draw(7, width, seed=4)
    assert_all_close(gradients(ours, inputs, upper), in_double(plain, inputs, upper), **BOUNDS)


def test_a_seed_drops_the_same_values_in_either_type():
    given = [draw(40, 64, seed=seed) for seed in (0, 1)]
    ones, zeros, upper = torch.ones(64), torch.zeros(64), draw(40, 64, seed=2)

    def ours(values, residual):
        torch.manual_seed(5)
        return cpu_kernels.residual_norm(values, residual, ones, zeros, 1e-3, 0.25)

    kept = gradients(ours, given, upper)[1] != 0
    narrow = gradients(ours, [x.bfloat16() for x in given], upper.bfloat16())[1] != 0
    assert torch.equal(kept, narrow)
    assert 0.71 < kept.double().mean() < 0.79  # 2,560 draws: four standard errors are 0.034

    def plain(values, residual):
        return layer_norm(residual + values * kept / 0.75, (64,), eps=1e-3)

    assert_all_close(gradients(ours, given, upper), in_double(plain, given, upper), **BOUNDS)


def test_a_residual_has_the_type_of_the_values():
    ones = torch.ones(64)
    with pytest.raises(TypeError, match=r"the residual is torch\.bfloat16, not torch\.float32"):
        cpu_kernels.residual_norm(draw(5, 64), draw(5, 64).bfloat16(), ones, ones, 1e-12, 0.0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_other_types_are_refused(dtype):
    values, ones = draw(5, 64).to(dtype), torch.ones(64)
    assert not cpu_kernels.has_cpu_kernels(values)
    with pytest.raises(TypeError, match="takes bf16 or float32"):
        cpu_kernels.gelu(values)
    with pytest.raises(TypeError, match="takes bf16 or float32"):
        cpu_kernels.residual_norm(values, values, ones, ones, 1e-12, 0.0)
    with pytest.raises(TypeError, match="takes bf16 or float32"):
        cpu_kernels.cross_entropy_sums(values, torch.arange(5))
    heads = draw(5, 3, 1, 16).to(dtype)
    with pytest.raises(TypeError, match="takes bf16 or float32"):
        cpu_kernels.padded_attention(heads, ends_of(5), 5, 5)


@pytest.fixture(params=[pytest.param("whole", marks=needs_float_products), "between products"])
def attention_kind(request, monkeypatch):
    """Attention a head at a time, by our own products, and what stands between PyTorch's."""
    is_whole = request.param == "whole"
    monkeypatch.setattr(head_attention, "has_float_products", lambda: is_whole)


@pytest.mark.usefixtures("attention_kind")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("num_more_rows", [0, 3])
@pytest.mark.parametrize("H", [16, 20, 64])
def test_attention(causal, num_more_rows, H):
    packed = PackedSequences.from_lists([[1] * length for length in (5, 17, 1, 33)])
    T = packed.num_tokens
    inputs, upper = draw(T + num_more_rows, 3, 2, H), draw(T + num_more_rows, 2, H, seed=1)
    upper[T:] = 0
    bias = draw(3 * 2 * H, seed=2)

    def ours(x, bias):
        layout = packed.cu_seqlens, packed.max_seqlen, T
        return cpu_kernels.padded_attention(x, *layout, causal=causal, bias=bias)

    def plain(x, bias):
        with torch.no_grad():
            layout = PaddedLayout.of(packed)
        heads = (x + bias.view(3, 2, H)).unbind(1)
        return packed_attention(*heads, layout, causal=causal)

    found = gradients(ours, [inputs, bias], upper)
    expected = in_double(plain, [inputs[:T], bias], upper[:T])
    assert_all_close([value[:T] for value in found[:2]], expected[:2], **BOUNDS)
    assert all(not value[T:].any() for value in found[:2])
    torch.testing.assert_close(found[2], expected[2], rtol=1e-4, atol=1e-4)  # of 56 rows


@pytest.mark.usefixtures("attention_kind")
def test_attention_with_dropout():
    T, p = 94, 0.25
    heads = draw(T, 3, 1, 64)
    # With queries of zeros all keys weigh the same, and with unit vectors as values each output
    # shows which of them were kept.
    heads[:, 0] = 0
    heads[:, 2, 0] = torch.eye(64)[torch.cat([torch.arange(30), torch.arange(64)])]

    def ours(x):
        torch.manual_seed(3)
        return cpu_kernels.padded_attention(x, ends_of(30, 64), 64, T, dropout_p=p)

    kept = ours(heads)[:, 0] != 0
    assert not kept[:30, 30:].any()
    share = torch.cat([kept[:30, :30].flatten(), kept[30:].flatten()]).double().mean()
    assert abs(share - (1 - p)) < 4 * (p * (1 - p) / (30**2 + 64**2)) ** 0.5

    def plain(x):
        outputs = []
        parts = x.split([30, 64]), kept.split([30, 64])
        for part, mask in zip(*parts, strict=True):
            query, key, value = part[:, :, 0].unbind(1)
            probabilities = (query @ key.T / 8).softmax(-1) * mask[:, : len(part)] / (1 - p)
            outputs.append(probabilities @ value)
        return torch.cat(outputs)[:, None]

    heads[:, 0] = draw(T, 1, 64, seed=2)
    upper = draw(T, 1, 64, seed=1)
    assert_all_close(gradients(ours, [heads], upper), in_double(plain, [heads], upper), **BOUNDS)


@needs_float_products
@pytest.mark.parametrize("causal", [False, True])
def test_both_ways_of_attention_drop_the_same(monkeypatch, causal):
    inputs = [draw(330, 3, 3, 20), draw(3 * 3 * 20, seed=1)]
    upper = draw(330, 3, 20, seed=2)

    def ours(x, bias):
        torch.manual_seed(7)
        numbers = {"dropout_p": 0.3, "causal": causal, "bias": bias}
        return cpu_kernels.padded_attention(x, ends_of(230, 32, 2, 66), 230, 330, **numbers)

    found = []
    for is_whole in (True, False):
        monkeypatch.setattr(
            head_attention, "has_float_products", lambda is_whole=is_whole: is_whole
        )
        found.append(gradients(ours, inputs, upper))
    assert_all_close(*found, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace")  # is deprecated
def test_where_they_are_taken():
    values = draw(4, 64)
    assert cpu_kernels.has_cpu_kernels(values, values)
    assert not cpu_kernels.has_cpu_kernels(values, values.bfloat16())
    with autocast("bf16", CPU):  # which would narrow them for a product
        assert not cpu_kernels.has_cpu_kernels(values)
        assert cpu_kernels.has_cpu_kernels(values.bfloat16())
    traced = []

    def note(x):
        traced.append(cpu_kernels.has_cpu_kernels(x))
        return x + 1

    torch.jit.trace(note, values, check_trace=False)
    assert traced == [False]
    with torch._subclasses.FakeTensorMode() as mode:
        assert not cpu_kernels.has_cpu_kernels(mode.from_tensor(values))
    with FlopCounterMode(display=False):
        assert not cpu_kernels.has_cpu_kernels(values)
    with torch.inference_mode(), torch.device("meta"):
        assert cpu_kernels.has_cpu_kernels(values)


def measured(output, input_ids):
    """A loss of what a model gives: its logits' squares, or a masked LM's."""
    if not isinstance(output, PreTrainingOutput):
        return output.logits.square().sum()
    total, _ = chunked_sums(output.prediction_logits.flatten(0, 1), input_ids.flatten())
    return total + output.seq_relationship_logits.square().sum()


@pytest.mark.parametrize("is_training", [False, True])
@pytest.mark.parametrize("kind", [BertForSequenceClassification, BertForPreTraining])
@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # is deprecated
def test_pytorch_differentiates_a_model_in_its_ways(kind, is_training):
    """What it transforms kernels know nothing of, and stand aside."""
    config = BertConfig.of_size(
        "tiny", vocab_size=50, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    model = kind(config, generator=torch.Generator().manual_seed(0)).train(is_training)
    input_ids = torch.arange(5, 45).repeat(3, 1)
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    step = {name: draw(*p.shape, seed=3) for name, p in parameters.items()}

    def loss(given):
        return measured(torch.func.functional_call(model, given, (input_ids,)), input_ids)

    measured(model(input_ids), input_ids).backward()
    expected = sum((step[name] * p.grad).sum() for name, p in model.named_parameters())
    found = torch.func.grad(loss)(parameters)
    backward = sum((step[name] * found[name]).sum() for name in step)
    torch.testing.assert_close(backward, expected, rtol=1e-3, atol=1e-3)
    with sdpa_kernel(SDPBackend.MATH):
        _, forward = torch.func.jvp(loss, (parameters,), (step,))
    torch.testing.assert_close(forward, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("is_training", [False, True])
def test_second_derivatives_are_right_or_refused(without_kernels, is_training):
    """PyTorch's own refusal would have `torch.autograd.grad` leave parts of them out."""
    config = BertConfig.of_size(
        "tiny", vocab_size=99, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0))
    model.train(is_training)
    input_ids = torch.arange(5, 45).repeat(3, 1)

    def of_gradients(model):
        parameters = list(model.parameters())
        loss = measured(model(input_ids), input_ids) / input_ids.numel()
        first = torch.autograd.grad(loss, parameters, create_graph=True)
        penalty = sum(gradient.square().sum() for gradient in first)
        return torch.autograd.grad(penalty, parameters, materialize_grads=True)

    with pytest.raises(RuntimeError, match="start Python with BERTSMITH_CPU_KERNELS=off"):
        of_gradients(model)
    with without_kernels(), sdpa_kernel(SDPBackend.MATH):
        found = of_gradients(model)
        expected = of_gradients(model.double())
        plainly = of_gradients(model.eval())
    for ours, theirs, plain in zip(found, expected, plainly, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(theirs, plain)


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
@pytest.mark.parametrize("act", ["gelu_tanh", "gelu_erf", "relu"])
def test_a_model_gives_the_same_with_and_without_them(without_kernels, attention, act):
    config = BertConfig.of_size(
        "tiny", vocab_size=1000, attention=attention, hidden_act=act, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0))
    packed = PackedSequences.from_lists([[5 + i % 400 for i in range(n)] for n in (80, 3, 41)])

    def outputs_and_gradients(model):
        output = model.forward_packed(packed)
        logits = [output.prediction_logits, output.seq_relationship_logits]
        loss = sum(each.logsumexp(1).square().mean() for each in logits)
        found = [*logits, *torch.autograd.grad(loss, list(model.parameters()))]
        return [each.detach().double() for each in found]

    found = outputs_and_gradients(model)
    with without_kernels():
        plain = outputs_and_gradients(model)
        exact = outputs_and_gradients(model.double())
    for one, other, truth in zip(found, plain, exact, strict=True):
        scale = truth.norm()
        assert (one - truth).norm() < 1e-5 * scale + 1e-9
        assert (other - truth).norm() < 1e-5 * scale + 1e-9
