"""A layer in one call against the same layer's modules, to the bit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from bertsmith.model import PackedSequences, cpu_kernels, encoder
from bertsmith.model.attention import PaddedLayout
from kernel_checks import threads_of
from layer_runs import (
    LENGTHS,
    assert_same,
    by_modules,
    computed,
    in_one_call,
    is_whole,
    layout_of,
    make,
    run,
)

pytestmark = pytest.mark.usefixtures("kind")


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
