"""The C kernels against the formulas in double precision, and a model with and without them."""

import contextlib

import pytest
import torch
from torch.nn.functional import cross_entropy, gelu, layer_norm

from bertsmith.model import BertConfig, BertForPreTraining, PackedSequences, cpu_kernels
from bertsmith.model.attention import PaddedLayout, packed_attention
from bertsmith.model.linear import products_and_bias
from bertsmith.model.precision import autocast
from bertsmith.model.residual_norm import ResidualNorm

CPU = torch.device("cpu")
# A bf16 number has eight bits: half of the last one, and a little for the sums on the way.
ROUNDING = {"rtol": 2**-8, "atol": 2**-8}

pytestmark = pytest.mark.skipif(
    not cpu_kernels.has_cpu_kernels(torch.zeros(1).bfloat16()), reason="no C compiler here"
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


def assert_all_close(found, expected, **bounds):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **bounds)


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


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("num_more_rows", [0, 3])
@pytest.mark.parametrize("H", [16, 32, 64])  # AMX's tiles take multiples of 32
def test_attention(causal, num_more_rows, H):
    packed = PackedSequences.from_lists([[1] * length for length in (5, 17, 1, 33)])
    T = packed.num_tokens
    inputs, upper = draw(T + num_more_rows, 3, 2, H), draw(T + num_more_rows, 2, H, seed=1)
    upper[T:] = 0
    bias = draw(3 * 2 * H, seed=2).float()

    def ours(x, bias=None):
        layout = packed.cu_seqlens, packed.max_seqlen, T
        return cpu_kernels.padded_attention(x, *layout, causal=causal, bias=bias)

    def plain(x, bias=None):
        with torch.no_grad():
            layout = PaddedLayout.of(packed)
        added = x if bias is None else x + bias.view(3, 2, H)
        return packed_attention(*added.unbind(1), layout, causal=causal)

    for more in ([], [bias]):
        found = gradients(ours, [inputs, *more], upper)
        expected = in_double(plain, [inputs[:T], *more], upper[:T])
        # A score is a sum over the head's values, which were rounded with their bias.
        bounds = {"rtol": 2**-6, "atol": 2**-6 if H == 16 else 2**-5}
        assert_all_close([value[:T] for value in found[:2]], expected[:2], **bounds)
        assert all(not value[T:].any() for value in found[:2])
    # A sum of 56 rows, of bf16 numbers that were rounded on the way.
    torch.testing.assert_close(found[2], expected[2], rtol=2**-6, atol=2**-4)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dropout_p", [0.0, 0.3])
def test_attention_is_the_same_without_tiles(monkeypatch, causal, dropout_p):
    packed = PackedSequences.from_lists([[1] * length for length in (70, 32, 2, 64)])
    T = packed.num_tokens
    inputs = [draw(T + 6, 3, 3, 32), draw(3 * 3 * 32, seed=1).float()]
    upper = draw(T + 6, 3, 32, seed=2)
    upper[T:] = 0

    def ours(x, bias):
        torch.manual_seed(7)
        layout = packed.cu_seqlens, packed.max_seqlen, T
        numbers = {"dropout_p": dropout_p, "causal": causal, "bias": bias}
        return cpu_kernels.padded_attention(x, *layout, **numbers)

    found = gradients(ours, inputs, upper)
    monkeypatch.setattr("bertsmith.model.cpu_kernels.attention.has_tiles", lambda: False)
    # The same values are dropped; PyTorch's products round to bf16 on the way.
    expected = gradients(ours, inputs, upper)
    assert_all_close(found[:2], expected[:2], rtol=2**-5, atol=2**-4)
    torch.testing.assert_close(found[2], expected[2], rtol=2**-5, atol=2**-2)  # of 168 rows


def test_attention_with_dropout():
    packed = PackedSequences.from_lists([[1] * 30, [1] * 64])
    T, p = packed.num_tokens, 0.25
    inputs = draw(T, 3, 1, 64)
    # With queries of zeros all keys weigh the same, and with unit vectors as values each output
    # shows which of them were kept.
    inputs[:, 0] = 0
    inputs[:, 2, 0] = torch.eye(64).bfloat16()[packed.position_ids]

    def ours(x):
        torch.manual_seed(3)
        cu_seqlens = packed.cu_seqlens
        return cpu_kernels.padded_attention(x, cu_seqlens, 64, T, dropout_p=p)

    kept = ours(inputs)[:, 0] != 0
    seen = torch.arange(64) < packed.lengths[packed.row_index][:, None]
    assert not kept[~seen].any()
    share = kept[seen].double().mean()
    assert abs(share - (1 - p)) < 4 * (p * (1 - p) / int(seen.sum())) ** 0.5

    def plain(x):
        outputs = []
        for length, part, mask in zip(
            (30, 64), x.split([30, 64]), kept.split([30, 64]), strict=True
        ):
            query, key, value = part[:, :, 0].unbind(1)
            probabilities = (query @ key.T / 8).softmax(-1) * mask[:, :length] / (1 - p)
            outputs.append(probabilities @ value)
        return torch.cat(outputs)[:, None]

    inputs[:, 0] = draw(T, 1, 64, seed=2)
    upper = draw(T, 1, 64, seed=1)
    found, expected = gradients(ours, [inputs], upper), in_double(plain, [inputs], upper)
    assert_all_close(found, expected, rtol=2**-5, atol=2**-6)


@pytest.mark.parametrize("num_classes", [2, 1000])
def test_cross_entropy(num_classes):
    logits = 4 * draw(33, num_classes)
    labels = torch.randint(num_classes, (33,), generator=torch.Generator().manual_seed(1))
    labels[:9] = logits[:9].argmax(1)

    def ours(x):
        return cpu_kernels.cross_entropy_sums(x, labels)[0]

    def plain(x):
        return cross_entropy(x, labels, reduction="sum")

    upper = torch.tensor(0.5)
    found, expected = gradients(ours, [logits], upper), in_double(plain, [logits], upper)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(found[1], expected[1], rtol=2**-8, atol=1e-6)
    hits = cpu_kernels.cross_entropy_sums(logits, labels)[1]
    assert hits == (logits.argmax(1) == labels).sum() >= 9


def test_cross_entropy_of_the_first_rows():
    """As where a head's rows were rounded up: what autograd does with a slice comes out."""
    whole, labels = draw(8, 30), torch.arange(5)

    def ours(x):
        return cpu_kernels.cross_entropy_sums((1 * x)[:5], labels)[0]

    def plain(x):
        return cross_entropy(x[:5], labels, reduction="sum")

    upper = torch.tensor(1.0)
    found, expected = gradients(ours, [whole], upper), in_double(plain, [whole], upper)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(found[1], expected[1], rtol=2**-8, atol=1e-6)
    assert not found[1][5:].any()


@pytest.mark.parametrize("part", [slice(1, 6), slice(0, 8, 2), (slice(None), slice(0, 9))])
def test_cross_entropy_of_other_parts(part):
    whole = draw(8, 30)
    labels = torch.arange(len(whole[part]))
    total, _ = cpu_kernels.cross_entropy_sums(whole[part], labels)
    expected = cross_entropy(whole[part].double(), labels, reduction="sum")
    torch.testing.assert_close(total.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("number", [3, 5])
def test_as_many_labels_as_rows(number):
    with pytest.raises(ValueError, match=f"{number} labels for 4 rows"):
        cpu_kernels.cross_entropy_sums(draw(4, 9), torch.zeros(number, dtype=torch.int64))


def test_a_norm_in_bf16():
    norm = ResidualNorm(64, 1e-12, 0.0)
    values, residual = draw(5, 64), draw(5, 64, seed=1)
    torch.testing.assert_close(
        norm.bfloat16()(values, residual),
        layer_norm((values + residual).float(), (64,)).bfloat16(),
        rtol=2**-6, atol=2**-6,
    )  # fmt: skip


def test_what_stands_on_a_layer_is_not_passed_by():
    layer, inputs, seen = torch.nn.Linear(4, 3), draw(2, 4), []
    with autocast("bf16", CPU):
        assert products_and_bias(layer, inputs)[1] is layer.bias
        layer.register_forward_hook(lambda *_: seen.append(True))
        assert products_and_bias(layer, inputs)[1] is None
    assert seen


def test_of_equal_logits_the_first_is_the_prediction():
    logits = torch.zeros(3, 4).bfloat16()
    logits[2] = torch.tensor([1.0, 5, 0, 5])
    _, hits = cpu_kernels.cross_entropy_sums(logits, torch.tensor([0, 1, 3]))
    assert hits == 1


@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_that_is_no_class(label):
    with pytest.raises(IndexError, match="not one of 4 classes"):
        cpu_kernels.cross_entropy_sums(torch.zeros(1, 4).bfloat16(), torch.tensor([label]))


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


def pretraining_gradients(model, packed, number_format):
    """All gradients of a model as one vector."""
    with autocast(number_format, CPU):
        output = model.forward_packed(packed)
    logits = output.prediction_logits, output.seq_relationship_logits
    loss = sum(each.float().logsumexp(1).square().mean() for each in logits)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return torch.cat([gradient.flatten() for gradient in gradients])


@pytest.fixture
def without_kernels(monkeypatch):
    """A context in which there are none."""

    @contextlib.contextmanager
    def context():
        monkeypatch.setenv("BERTSMITH_CPU_KERNELS", "off")
        cpu_kernels.library._load.cache_clear()
        try:
            yield
        finally:
            monkeypatch.undo()
            cpu_kernels.library._load.cache_clear()

    return context


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
        assert not cpu_kernels.has_cpu_kernels(torch.zeros(1).bfloat16())
        plain_error = (pretraining_gradients(model, packed, "bf16") - exact).norm()
    # They round less often than PyTorch's own steps, so they are no farther from the truth.
    assert 0 < error < 1.2 * plain_error < 0.05 * exact.norm()


def test_the_number_of_threads_changes_no_output():
    values, residual = draw(101, 64), draw(101, 64, seed=1)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            torch.manual_seed(0)
            norm = torch.ones(64), torch.zeros(64), 1e-12
            output = cpu_kernels.residual_norm(values, residual, *norm, 0.1)
            results.append([output, cpu_kernels.gelu(values)])
    finally:
        torch.set_num_threads(before)
    assert_all_close(results[0], results[1], rtol=0, atol=0)
