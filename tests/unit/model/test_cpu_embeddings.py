"""Embeddings in one pass against the formula in double precision, and when modules are called."""

import pytest
import torch
from torch import nn
from torch.nn.functional import embedding, layer_norm

from bertsmith.model import BertConfig, BertForPreTraining, PackedSequences, cpu_kernels
from bertsmith.model.attention import num_padded_rows
from bertsmith.model.encoder import Embeddings
from bertsmith.model.precision import autocast
from bertsmith.model.tied_embedding import TiedUse
from kernel_checks import ROUNDING, draw_float32, needs_kernels, no_kernels, threads_of

pytestmark = needs_kernels

CPU = torch.device("cpu")
EPS = 1e-12
SIZES = 20, 2, 12  # words, segments, positions
PRECISIONS = {"bf16": ROUNDING, "fp32": {"rtol": 1e-5, "atol": 1e-5}}


def ids_of(T):
    generator = torch.Generator().manual_seed(T)
    return cpu_kernels.TokenIds(*(torch.randint(size, (T,), generator=generator) for size in SIZES))


def weights_of(D):
    shapes = *((size, D) for size in SIZES), (D,), (D,)
    drawn = (draw_float32(*shape, seed=i) for i, shape in enumerate(shapes))
    return cpu_kernels.EmbeddingWeights(*(each.requires_grad_() for each in drawn))


def embed(ids, weights, num_rows=0, p=0.0, precision="bf16", use=None):
    with autocast(precision, CPU):
        assert cpu_kernels.fits_embeddings(ids, weights)
        return cpu_kernels.embed(ids, weights, EPS, p, num_rows, use or TiedUse())


def in_double(ids, weights):
    *tables, norm, bias = (each.detach().double().requires_grad_() for each in weights)
    summed = sum(embedding(each, table) for each, table in zip(ids, tables, strict=True))
    return layer_norm(summed, norm.shape, norm, bias, EPS), [*tables, norm, bias]


# Widths that vectors divide or don't, one token, more tokens than words.
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("T", "D"), [(1, 32), (7, 33), (60, 64), (33, 100)])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_output_and_gradients(precision, T, D, threads):
    ids, weights = ids_of(T), weights_of(D)
    with threads_of(threads):
        output = embed(ids, weights, T + 3, precision=precision)
        assert output.dtype == {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
        upper = draw_float32(T + 3, D, seed=9).to(output.dtype)
        found = torch.autograd.grad(output, weights, upper)
    assert output.shape == (T + 3, D)
    assert not output[T:].any()
    expected, given = in_double(ids, weights)
    torch.testing.assert_close(output[:T].double(), expected, **PRECISIONS[precision])
    # The gradients are float32, of whatever the upper one was rounded to.
    for one, other in zip(
        found, torch.autograd.grad(expected, given, upper[:T].double()), strict=True
    ):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)


def test_threads_change_no_bit_of_a_table():
    ids, weights = ids_of(50), weights_of(64)
    found = []
    for threads in (1, 2, 5):
        with threads_of(threads):
            output = embed(ids, weights)
            found.append([output, *torch.autograd.grad(output, weights[:3], output.detach())])
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_dropout_is_that_of_the_kernel_for_it(precision):
    ids, weights = ids_of(40), weights_of(64)
    torch.manual_seed(1)
    dropped = embed(ids, weights, p=0.25, precision=precision)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    factors = cpu_kernels.hashed_dropout(torch.ones(40, 64), 0.25)
    assert torch.equal(torch.get_rng_state(), state)
    assert 0.2 < (factors == 0).double().mean() < 0.3
    assert torch.equal(dropped == 0, factors == 0)
    expected, given = in_double(ids, weights)
    torch.testing.assert_close(dropped.double(), expected * factors, **PRECISIONS[precision])
    upper = draw_float32(40, 64, seed=9)
    found = torch.autograd.grad(dropped, weights, upper.to(dropped.dtype))
    above = upper.to(dropped.dtype).double() * factors.double()
    for one, other in zip(found, torch.autograd.grad(expected, given, above), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)


def test_a_heads_gradient_is_added():
    ids, weights = ids_of(9), weights_of(32)
    use = TiedUse(torch.ones(20, 32))
    output = embed(ids, weights, use=use)
    (found,) = torch.autograd.grad(output, weights.words, output.detach(), retain_graph=True)
    assert use.gradient is None
    (alone,) = torch.autograd.grad(output, weights.words, output.detach())
    torch.testing.assert_close(found, alone + 1)


@pytest.mark.parametrize("table", range(3))
@pytest.mark.parametrize("number", [-1, 100])
def test_ids_that_are_no_rows(table, number):
    ids = ids_of(9)
    ids[table][4] = number
    with pytest.raises(IndexError, match=f"{ids._fields[table]}: ids from .* of {SIZES[table]}"):
        embed(ids, weights_of(32))


@pytest.mark.parametrize(
    ("name", "shape"), [("segments", (2, 31)), ("norm", (31,)), ("norm_bias", (33,))]
)
def test_weights_of_other_widths(name, shape):
    weights = weights_of(32)._replace(**{name: torch.ones(shape, requires_grad=True)})
    with pytest.raises(ValueError, match=r"has the shape \["):
        embed(ids_of(9), weights)


def test_ids_of_other_numbers():
    with pytest.raises(ValueError, match=r"ids has the shape \[8\], not \[9\]"):
        embed(ids_of(9)._replace(positions=torch.zeros(8, dtype=torch.int64)), weights_of(32))


def test_a_nan_stays_one():
    ids, weights = ids_of(9), weights_of(32)
    payload = torch.tensor([0x7FFFFFFF], dtype=torch.int32).view(torch.float32)
    weights.words.data[ids.words[3], :1] = payload
    assert embed(ids, weights)[3].isnan().all()


CONFIG = BertConfig(
    vocab_size=30, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)  # fmt: skip


def test_a_models_gradients(monkeypatch):
    model = BertForPreTraining(CONFIG, generator=torch.Generator().manual_seed(0))
    packed = PackedSequences.from_lists([[7, 8, 9, 8], [3, 7]])
    positions, labels = torch.tensor([1, 5]), torch.tensor([8, 2])

    def gradients():
        sums = model.forward_sums(packed, positions, labels)
        loss = sums.total + sums.seq_relationship_logits.square().sum()
        return torch.autograd.grad(loss, list(model.parameters()))

    found = gradients()
    with no_kernels(monkeypatch):
        expected = gradients()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def hook_on_words(part):
    part.word.register_forward_hook(lambda _, __, output: 2 * output)


def hook_on_positions(part):
    part.position.register_forward_hook(lambda _, __, output: 2 * output)


def hook_on_norm(part):
    part.layer_norm.register_forward_hook(lambda _, __, output: 2 * output)


def replace(part):
    part.dropout = nn.Identity()


def freeze(part):
    part.position.requires_grad_(False)


def pad(part):
    part.word.padding_idx = 0


def make_sparse(part):
    part.position.sparse = True


def scale(part):
    part.token_type.scale_grad_by_freq = True


@pytest.mark.parametrize(
    "change",
    [
        None,
        hook_on_words,
        hook_on_positions,
        hook_on_norm,
        replace,
        freeze,
        pad,
        make_sparse,
        scale,
    ],
)
def test_modules_that_are_called(change):
    part = Embeddings(CONFIG)
    packed = PackedSequences.from_lists([[7, 8, 9]])
    if change is not None:
        change(part)
    is_whole = type(part(packed).grad_fn).__name__ == "_EmbedBackward"
    assert is_whole == (change is None)
    with torch.no_grad():
        assert part(packed).grad_fn is None


def test_rows_behind_the_tokens():
    part = Embeddings(CONFIG)
    packed = PackedSequences.from_lists([[7] * 150, [8] * 151])
    assert len(part(packed)) == num_padded_rows(packed) > 301
    part.register_forward_hook(lambda *_: None)
    assert len(part(packed)) == 301


def test_eps_that_is_an_integer():
    ids, weights, found = ids_of(9), weights_of(32), []
    for eps in (1, 1.0):
        torch.manual_seed(0)
        with autocast("bf16", CPU):
            found.append(cpu_kernels.embed(ids, weights, eps, 0.1, 9, TiedUse()))
    assert torch.equal(*found)


def test_ids_in_another_form():
    ids, weights = ids_of(8), weights_of(32)
    expected = embed(ids, weights)
    apart = cpu_kernels.TokenIds(*(torch.stack([each, each], 1)[:, 0] for each in ids))
    assert not apart.words.is_contiguous()
    assert torch.equal(embed(apart, weights), expected)
    narrow = ids._replace(words=ids.words.int())
    assert not cpu_kernels.fits_embeddings(narrow, weights)
