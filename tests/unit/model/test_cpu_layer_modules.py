"""When a layer goes in one call, and when its modules are called."""

import pytest
import torch
from torch import nn

from bertsmith.model import PackedSequences
from bertsmith.model.attention import PaddedLayout
from bertsmith.model.cpu_kernels import float_products, head_attention, tiles
from bertsmith.model.encoder import EncoderLayer
from layer_runs import assert_same, by_modules, in_one_call, is_whole, layout_of, make, run

pytestmark = pytest.mark.usefixtures("kind")


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


def test_a_frozen_layer_hands_gradients_on(monkeypatch):
    for frozen in (1, 2):
        made = make(3)
        made.layers[frozen].requires_grad_(False)
        found = run(made, wants_hidden=False)
        assert len(found) == 1 + 2 * 12 + 1
        assert_same(found, by_modules(made, monkeypatch, wants_hidden=False))


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
        "in_bf16": (tiles, "has_tiles"),
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
