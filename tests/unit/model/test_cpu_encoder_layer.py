"""A layer in one call against the same layer's modules, to the bit, and when those are called."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from bertsmith.model import BertConfig, PackedSequences, cpu_kernels, encoder
from bertsmith.model.attention import PaddedLayout
from bertsmith.model.cpu_kernels import float_products, head_attention, products
from bertsmith.model.encoder import Encoder, EncoderLayer
from bertsmith.model.precision import compute_dtype
from kernel_checks import needs_float_products, needs_tiles, threads_of

LENGTHS = [40, 1, 64, 33]

BOTH_KINDS = [
    pytest.param("in_bf16", marks=needs_tiles),
    pytest.param("in_float32", marks=needs_float_products),
]


@pytest.fixture
def in_float32(monkeypatch):
    """Our products of float32 on any processor, of few rows too."""
    for module in (float_products, head_attention):
        monkeypatch.setattr(module, "has_float_products", lambda: True)
    monkeypatch.setattr(float_products, "_FEWEST_TRAINED_ROWS", 1)


@pytest.fixture(autouse=True, params=BOTH_KINDS)
def kind(request):
    """Of numbers."""
    request.getfixturevalue(request.param)
    return request.param


def make(num_layers=2, attention_p=0.1, hidden_p=0.1, sizes=(64, 2, 96), **changed):
    hidden_size, num_heads, intermediate_size = sizes
    config = BertConfig(
        vocab_size=10, hidden_size=hidden_size, num_hidden_layers=num_layers,
        num_attention_heads=num_heads, intermediate_size=intermediate_size,
        hidden_dropout_prob=hidden_p, attention_probs_dropout_prob=attention_p, **changed,
    )  # fmt: skip
    made, generator = Encoder(config), torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    return made


def layout_of(*lengths):
    return PaddedLayout.of(PackedSequences.from_lists([[7] * length for length in lengths]))


def computed(*shape):
    hidden = torch.randn(shape)
    return hidden.to(compute_dtype(hidden))


def run(made, lengths=LENGTHS, *, wants_hidden=True, recomputes=False):
    """Output and gradients, and what the generator is left as."""
    torch.manual_seed(3)
    made.recomputes = recomputes
    packed = PackedSequences.from_lists([[7] * length for length in lengths])
    width = len(made.layers[0].output_layer_norm.weight)
    hidden = torch.randn(packed.num_tokens, width, requires_grad=wants_hidden)
    upper = torch.randn(packed.num_tokens, width).to(compute_dtype(hidden))
    output, _ = made(hidden, PaddedLayout.of(packed))
    wanted = [weight for weight in (hidden, *made.parameters()) if weight.requires_grad]
    found = torch.autograd.grad(output, wanted, upper) if wanted else ()
    return [output.detach(), *found, torch.get_rng_state()]


def by_modules(made, monkeypatch, *args, **kwargs):
    with monkeypatch.context() as patch:
        patch.setattr(encoder, "whole_layers", lambda *_: None)
        return run(made, *args, **kwargs)


def in_one_call(made, monkeypatch, *args, **kwargs):
    def refuse(*_, **__):
        raise AssertionError("a layer's modules were called")

    with monkeypatch.context() as patch:
        patch.setattr(EncoderLayer, "forward", refuse)
        return run(made, *args, **kwargs)


def is_whole(made, layer=0):
    """Whether a layer went in one call."""
    found = []
    step = made.layers[layer]
    handle = step.register_forward_hook(lambda _, __, output: found.append(output.grad_fn))
    run(made)
    handle.remove()
    return type(found[0]).__name__ == "_EncoderLayerBackward"


def assert_same(found, expected):
    assert len(found) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


# Rows behind the tokens or none, one token, strips that are full.
@pytest.mark.parametrize("lengths", [LENGTHS, [1], [32, 32], [129, 130]])
@pytest.mark.parametrize("dropout", [(0.1, 0.1), (0.0, 0.0), (0.1, 0.0), (0.0, 0.1)])
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_bits_of_the_modules(monkeypatch, lengths, dropout, attention):
    made = make(1, *dropout, attention=attention)
    with threads_of(2):
        found = in_one_call(made, monkeypatch, lengths)
        assert_same(found, by_modules(made, monkeypatch, lengths))


@pytest.mark.parametrize("lengths", [LENGTHS, [1], [129, 130]])
@pytest.mark.parametrize("threads", [1, 5])
def test_bits_on_more_or_fewer_threads(monkeypatch, lengths, threads):
    made = make(1)
    with threads_of(threads):
        found = in_one_call(made, monkeypatch, lengths)
        assert_same(found, by_modules(made, monkeypatch, lengths))


# Heads and widths that no vector's length divides; what is inside narrower than what is outside.
@pytest.mark.parametrize("sizes", [(30, 3, 50), (20, 20, 7), (72, 2, 300)])
@pytest.mark.parametrize("lengths", [LENGTHS, [129, 130]])
@pytest.mark.parametrize("dropout", [(0.1, 0.1), (0.0, 0.0)])
def test_other_sizes(monkeypatch, kind, sizes, lengths, dropout):
    made = make(2, *dropout, sizes=sizes)
    if kind == "in_bf16":
        assert not is_whole(made)
        return
    found = in_one_call(made, monkeypatch, lengths)
    assert_same(found, by_modules(made, monkeypatch, lengths))
    made.requires_grad_(False)
    alone = in_one_call(made, monkeypatch, lengths, wants_hidden=False)[0]
    assert torch.equal(alone, found[0])


def test_layers_follow_each_other(monkeypatch):
    made = make(3)
    assert all(is_whole(made, layer) for layer in range(3))
    assert_same(in_one_call(made, monkeypatch), by_modules(made, monkeypatch))
    assert_same(run(made), run(made, recomputes=True))


def listen(layer):
    layer.register_forward_hook(lambda *_: None)


def compile_it(layer):
    layer.compile(disable=True)


@pytest.mark.parametrize("change", [None, listen, compile_it])
def test_layers_that_are_called(monkeypatch, change):
    made, called, forward = make(3), [], EncoderLayer.forward
    if change is not None:
        change(made.layers[1])

    def told(layer, *args, **kwargs):
        called.append(layer)
        return forward(layer, *args, **kwargs)

    monkeypatch.setattr(EncoderLayer, "forward", told)
    found = run(made)
    assert called == ([] if change is None else list(made.layers))
    assert_same(found, by_modules(made, monkeypatch))


def test_all_states(monkeypatch):
    def states(made):
        torch.manual_seed(3)
        packed = PackedSequences.from_lists([[7] * length for length in LENGTHS])
        hidden = torch.randn(packed.num_tokens, 64)
        output, kept = made(hidden, PaddedLayout.of(packed), keep_all=True)
        assert torch.equal(kept[-1], output)
        assert {len(state) for state in kept} == {packed.num_tokens}
        return kept

    made = make(2)
    found = states(made)
    monkeypatch.setattr(encoder, "whole_layers", lambda *_: None)
    assert_same(found, states(made))


def test_hidden_states_that_want_no_gradient(monkeypatch):
    made = make()
    found = in_one_call(made, monkeypatch, wants_hidden=False)
    assert_same(found, by_modules(made, monkeypatch, wants_hidden=False))
    made.layers[0].requires_grad_(False)
    assert_same(run(made, wants_hidden=False), [found[0], *found[-13:]])
    made.requires_grad_(False)
    assert_same(run(made, wants_hidden=False), [found[0], found[-1]])


def test_a_frozen_layer_hands_gradients_on(monkeypatch):
    for frozen in (1, 2):
        made = make(3)
        made.layers[frozen].requires_grad_(False)
        found = run(made, wants_hidden=False)
        assert len(found) == 1 + 2 * 12 + 1
        assert_same(found, by_modules(made, monkeypatch, wants_hidden=False))


def test_a_frozen_layer_alone_is_refused():
    layer = make(1).layers[0].requires_grad_(False)
    hidden, given = computed(9, 64).requires_grad_(), []

    def keep(*args, **kwargs):
        given.append((args, kwargs))
        return hidden

    layout = layout_of(9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu_kernels, "encoder_layer", keep)
        layer(hidden.detach(), layout)
    ((_, kwargs),) = given
    with pytest.raises(RuntimeError, match="no gradient for what comes before"):
        cpu_kernels.encoder_layer(hidden, **kwargs)


def test_gradients_add_up():
    made = make()
    hidden = torch.randn(9, 64)
    packed = PackedSequences.from_lists([[7] * 9])
    totals = []
    for _ in range(2):
        torch.manual_seed(5)
        output, _ = made(hidden, PaddedLayout.of(packed))
        output.float().square().sum().backward()
        totals.append([weight.grad.clone() for weight in made.parameters()])
    assert all(torch.equal(2 * once, twice) for once, twice in zip(*totals, strict=True))


@pytest.mark.parametrize("lengths", [LENGTHS, [1], [32, 32], [129, 130]])
@pytest.mark.parametrize("dropout", [(0.1, 0.1), (0.0, 0.0)])
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_without_a_backward_the_output_is_the_same(monkeypatch, lengths, dropout, attention):
    made = make(2, *dropout, attention=attention)
    expected = in_one_call(made, monkeypatch, lengths)[0]
    made.requires_grad_(False)
    assert torch.equal(in_one_call(made, monkeypatch, lengths, wants_hidden=False)[0], expected)


# Without a backward long sequences go this way, too.
@pytest.mark.parametrize("lengths", [LENGTHS, [300, 3]])
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_evaluation(monkeypatch, kind, lengths, attention):
    bounds = {"rtol": 2**-6, "atol": 2**-5} if kind == "in_bf16" else {"rtol": 1e-4, "atol": 1e-5}
    made = make(2, attention=attention).eval().requires_grad_(False)
    found = in_one_call(made, monkeypatch, lengths, wants_hidden=False)[0]
    expected = by_modules(made, monkeypatch, lengths, wants_hidden=False)[0]
    torch.testing.assert_close(found, expected, **bounds)


def output_of(made):
    torch.manual_seed(5)
    output, _ = made(torch.randn(33, 64), PaddedLayout.of(PackedSequences.from_lists([[7] * 33])))
    return output


def test_backward_twice_and_on_other_threads():
    made = make()
    output = output_of(made)
    upper = torch.ones_like(output)
    expected = torch.autograd.grad(output, list(made.parameters()), upper, retain_graph=True)
    again = torch.autograd.grad(output, list(made.parameters()), upper, retain_graph=True)
    assert_same(again, expected)
    with ThreadPoolExecutor(1) as pool:
        going_back = pool.submit(torch.autograd.grad, output, list(made.parameters()), upper)
        assert_same(going_back.result(), expected)


def test_another_number_of_threads_before_backward():
    made = make()
    found = []
    for threads in (1, 5):
        with threads_of(2):
            output = output_of(made)
        with threads_of(threads):
            found.append(torch.autograd.grad(output, list(made.parameters()), output.detach()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_many_threads(monkeypatch):
    made = make(1)
    with threads_of(20):
        found, expected = in_one_call(made, monkeypatch), by_modules(made, monkeypatch)
    for one, other in zip(found, expected, strict=True):
        # PyTorch adds what over 16 threads have found in another order.
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_layer_that_changed_before_backward():
    made = make(1)
    packed = PackedSequences.from_lists([[7] * 9])
    output, _ = made(torch.randn(9, 64), PaddedLayout.of(packed))
    with torch.no_grad():
        made.layers[0].output.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.float().sum().backward()


def test_a_nan_stays_one():
    made = make(1)
    layer = made.layers[0]
    payload = torch.tensor([0x7F800001], dtype=torch.int32).view(torch.float32)
    for bias in (layer.attention.query_key_value.bias, layer.intermediate.bias):
        before = bias.detach().clone()
        bias.data[:1] = payload
        assert run(made, [3])[0].isnan().any()
        bias.data.copy_(before)
    assert not run(made, [3])[0].isnan().any()


class Scaled(nn.Module):
    """What somebody puts in a linear layer's place."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, values):
        return 2 * self.layer(values)


class Doubled(nn.Module):
    """What somebody makes of a weight."""

    def forward(self, weight):
        return 2 * weight


def replace(layer):
    layer.output = Scaled(layer.output)


def hook(layer):
    layer.attention.output.register_forward_hook(lambda _, __, output: 2 * output)


def hook_on_attention(layer):
    layer.attention.register_forward_hook(lambda _, __, outputs: (2 * outputs[0], *outputs[1:]))


def hook_on_norm(layer):
    layer.output_layer_norm.register_forward_pre_hook(lambda _, given: (2 * given[0], *given[1:]))


def parametrize(layer):
    nn.utils.parametrize.register_parametrization(layer.output, "weight", Doubled())


def other_dropout(layer):
    layer.output_layer_norm.dropout_p = 0.3


def freeze_a_part(layer):
    layer.intermediate.requires_grad_(False)


def without_a_bias(layer):
    layer.output.register_parameter("bias", None)


@pytest.mark.parametrize(
    "change",
    [
        replace,
        hook,
        hook_on_attention,
        hook_on_norm,
        parametrize,
        other_dropout,
        freeze_a_part,
        without_a_bias,
    ],
)
def test_modules_that_are_called(monkeypatch, change):
    made = make(1)
    plain = run(made)[0]
    change(made.layers[0])
    assert not is_whole(made)
    found = run(made)
    assert_same(found, by_modules(made, monkeypatch))
    assert torch.equal(found[0], plain) == (change is freeze_a_part)


def test_where_there_are_no_products_of_our_own(monkeypatch, kind):
    made = make(1)
    assert is_whole(made)
    module, name = {
        "in_bf16": (products, "has_tiles"),
        "in_float32": (float_products, "has_float_products"),
    }[kind]
    monkeypatch.setattr(module, name, lambda: False)
    assert not is_whole(made)


def test_how_many_rows_are_enough(monkeypatch, kind):
    monkeypatch.undo()
    for module in (float_products, head_attention):
        monkeypatch.setattr(module, "has_float_products", lambda: True)
    made = make(1)
    for rows in (63, 64):
        output, _ = made(torch.randn(rows, 64), layout_of(rows))
        is_one_call = type(output.grad_fn.next_functions[0][0]).__name__.startswith("_EncoderLayer")
        assert is_one_call == (rows == 64 or kind == "in_bf16")
    made.requires_grad_(False)
    with torch.no_grad():
        in_one_call(made, monkeypatch, [1], wants_hidden=False)


def test_other_layers():
    assert is_whole(make(1))
    assert not is_whole(make(1, hidden_act="gelu_erf"))
    in_evaluation = make(1).eval()
    assert is_whole(in_evaluation)  # gradients are wanted, and sequences are short
    with torch.no_grad():
        packed = PackedSequences.from_lists([[7] * 9])
        output, _ = in_evaluation(torch.randn(9, 64), PaddedLayout.of(packed))
    assert output.grad_fn is None


def test_lengths_and_vectors_that_do_not_fit(kind):
    made = make(1)
    layer = made.layers[0]
    packed = PackedSequences.from_lists([[7] * 9])
    layout = PaddedLayout.of(packed)
    with pytest.raises(ValueError, match="in 9 of 8 rows"):
        layer(computed(8, 64), layout)
    layer.output.bias = nn.Parameter(torch.zeros(63))
    with pytest.raises(ValueError, match=r"bias or weight has the shape \[63\], not \[64\]"):
        layer(computed(9, 64), layout)
    # Layers that follow each other, but not the hidden states.
    layer = make(1).layers[0]
    if kind == "in_bf16":
        layer.attention.num_heads = 1
        layer.attention.query_key_value = nn.Linear(64, 96)
        layer.attention.output = nn.Linear(64, 32)
        layer.intermediate = nn.Linear(32, 96)
    layer.output = nn.Linear(96, 32)
    with pytest.raises(ValueError, match=r"row has the shape \[64\], not \[32\]"):
        layer(computed(9, 64), layout)


def test_two_probabilities_before_sums():
    draw, layer = cpu_kernels.HashedDropout.draw, make(1).layers[0]
    settings = cpu_kernels.EncoderLayerSettings(2, 1e-12, 1e-12, draw(0.1), draw(0.2))
    with pytest.raises(ValueError, match="one probability"):
        cpu_kernels.encoder_layer(torch.zeros(9, 64), layer.parameters(), None, settings)


def test_eps_that_is_an_integer(monkeypatch):
    found = []
    for eps in (1, 1.0):
        made = make(1)
        made.layers[0].attention_layer_norm.eps = made.layers[0].output_layer_norm.eps = eps
        found.append(in_one_call(made, monkeypatch))
        assert_same(found[-1], by_modules(made, monkeypatch))
    assert_same(*found)


def test_draws_for_several():
    draw = cpu_kernels.HashedDropout
    torch.manual_seed(4)
    expected = [draw.draw(p) for p in (0.1, 0.0, 0.2)]
    state = torch.get_rng_state()
    torch.manual_seed(4)
    assert draw.draw_each(0.1, 0.0, 0.2) == expected
    assert torch.equal(torch.get_rng_state(), state)
