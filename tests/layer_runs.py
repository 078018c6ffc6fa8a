"""Encoder layers on a CPU, in one call or by their modules."""

import torch

from bertsmith.model import BertConfig, PackedSequences, encoder
from bertsmith.model.attention import PaddedLayout
from bertsmith.model.encoder import Encoder, EncoderLayer
from bertsmith.model.precision import compute_dtype

LENGTHS = [40, 1, 64, 33]


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
