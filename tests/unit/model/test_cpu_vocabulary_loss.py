"""Cross-entropy worked out where a vocabulary's logits are made, against double precision."""

import pytest
import torch
from jaxtyping import TypeCheckError
from torch.nn.functional import cross_entropy

from bertsmith.model import (
    BertConfig,
    BertForPreTraining,
    PackedSequences,
    chunked_sums,
    cpu_kernels,
    whole_sums,
)
from bertsmith.model.cpu_kernels import vocabulary_loss
from bertsmith.model.cpu_kernels.running import ask, call
from bertsmith.model.heads import MaskedLMHead
from bertsmith.model.precision import autocast
from kernel_checks import draw, gradient_of, needs_tiles, threads_of

CPU = torch.device("cpu")

pytestmark = [needs_tiles, pytest.mark.usefixtures("in_bf16")]

loss = cpu_kernels.vocabulary_cross_entropy


def given(T, V, D):
    """Values, matrix and bias that want gradients, and labels, of which a third are hit."""
    values = draw(T, D)
    matrix, bias = draw(V, D, seed=1).float() / D**0.5, draw(V, seed=2).float()
    labels = torch.randint(V, (T,), generator=torch.Generator().manual_seed(3))
    labels[::3] = (values.double() @ matrix.bfloat16().double().T + bias).argmax(1)[::3]
    return values.requires_grad_(), matrix.requires_grad_(), bias.requires_grad_(), labels


def found_by(function, inputs, factor=0.25):
    """Sum and gradients of a factor times it, in double precision, and hits."""
    *inputs, labels = inputs
    total, hits = function(*inputs, labels)
    gradients = torch.autograd.grad(factor * total, inputs)
    return [each.detach().double() for each in (total, *gradients)], hits


def in_steps(values, matrix, bias, labels):
    """The same by way of the logits."""
    return cpu_kernels.cross_entropy_sums(
        cpu_kernels.vocabulary_logits(values, matrix, bias), labels
    )


def expected_of(values, matrix, bias, labels, factor=0.25):
    """The same of the bf16 numbers that the matrix is rounded to, all in double precision."""
    inputs = [x.detach().double() for x in (values, matrix.detach().bfloat16(), bias)]
    inputs = [x.requires_grad_() for x in inputs]
    with torch.autocast("cpu", enabled=False):
        logits = inputs[0] @ inputs[1].T + inputs[2]
        total = cross_entropy(logits, labels, reduction="sum")
        return [total.detach(), *torch.autograd.grad(factor * total, inputs)]


def assert_alike(found, expected):
    torch.testing.assert_close(found[0], expected[0], rtol=2**-8, atol=2**-6)
    for one, other in zip(found[1:], expected[1:], strict=True):
        # Logits are rounded, and so is their gradient: half of the last of eight bits each.
        assert (one - other).norm() <= 2**-7 * other.norm() + 1e-6


# Strips of 32 and chunks of 512 rows of the matrix that are full or not; one step of a sum or more.
@pytest.mark.parametrize("T", [1, 31, 32, 33, 70])
@pytest.mark.parametrize("V", [1, 15, 32, 33, 511, 512, 700, 1030])
@pytest.mark.parametrize("D", [32, 96, 256])
def test_sum_and_gradients(T, V, D):
    inputs = given(T, V, D)
    found, hits = found_by(loss, inputs)
    assert_alike(found, expected_of(*inputs))
    beside, other_hits = found_by(in_steps, inputs)
    assert hits == other_hits
    # The same bf16 numbers on the way, but for the few that another order of float32 sums rounds to
    # their neighbours; the bias's gradient is summed up before it is rounded.
    for one, other in zip(found[:3], beside[:3], strict=True):
        assert (one - other).norm() <= 2**-10 * other.norm() + 1e-6


def test_any_number_of_threads_gives_the_same_bits():
    found, inputs = [], given(70, 1500, 96)
    for num_threads in (1, 2, 3, 7, 24):
        with threads_of(num_threads):
            numbers, hits = found_by(loss, inputs)
        found.append([*numbers, hits])
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_a_way_back_the_sums_are_the_same_and_logits_are_nowhere(mode, monkeypatch):
    inputs = given(70, 700, 64)
    total, hits = loss(*inputs)
    kept = []

    def watched(name, *arguments):
        kept.append(arguments[4])
        call(name, *arguments)

    monkeypatch.setattr(vocabulary_loss, "call", watched)
    with mode():
        again = loss(*inputs)
    assert kept == [None]
    assert torch.equal(total, again[0])
    assert torch.equal(hits, again[1])
    assert not again[0].requires_grad


def test_of_equal_logits_the_first_is_hit():
    matrix, bias = torch.zeros(1200, 32), torch.zeros(1200)
    bias[[40, 70, 600, 1100]] = 3.0
    labels = torch.tensor([40, 41, 70, 600, 1100, 39])
    assert loss(draw(6, 32), matrix, bias, labels)[1] == 1
    bias[40] = 0
    assert loss(draw(6, 32), matrix, bias, labels)[1] == 1  # 70 now
    bias[70] = 0
    assert loss(draw(6, 32), matrix, bias, labels)[1] == 1  # 600, of another chunk
    bias[700] = 4.0
    assert loss(draw(6, 32), matrix, bias, labels)[1] == 0


def test_logits_far_apart():
    values, matrix, bias, labels = given(40, 700, 64)
    with torch.no_grad():
        bias[3], bias[650] = 30_000.0, -30_000.0
        labels[:3] = torch.tensor([3, 650, 5])
    inputs = values, matrix, bias, labels
    found, hits = found_by(loss, inputs)
    assert_alike(found, expected_of(*inputs))
    assert hits == (labels == 3).sum()


def test_logits_far_below_zero():
    """What stands behind the last row has logits of its own, and the last row's norm."""
    values, bias = torch.ones(33, 64).bfloat16().requires_grad_(), torch.zeros(700)
    matrix, labels = torch.full((700, 64), -4.0).requires_grad_(), torch.arange(33)
    inputs = values, matrix, bias.requires_grad_(), labels
    found, expected = found_by(loss, inputs)[0], expected_of(*inputs)
    assert found[1].isfinite().all()  # all rows of the matrix are alike: nothing is left of it
    found[1] = expected[1]
    assert_alike(found, expected)


@pytest.mark.parametrize("disabled", [slice(512, None), slice(0, 512), slice(3, 9)])
@pytest.mark.parametrize("V", [513, 1030])
def test_rows_that_can_never_be(V, disabled):
    values, matrix, bias, labels = given(40, V, 64)
    with torch.no_grad():
        bias[disabled] = -torch.inf
        labels[:] = 1 if disabled.start else 512
    inputs = values, matrix, bias, labels
    found, hits = found_by(loss, inputs)
    assert_alike(found, expected_of(*inputs))
    assert hits == found_by(in_steps, inputs)[1]


def test_going_back_twice_gives_the_same_bits():
    *inputs, labels = given(40, 700, 64)
    total, _ = loss(*inputs, labels)
    first = torch.autograd.grad(total, inputs, retain_graph=True)
    again = torch.autograd.grad(total, inputs)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_values_and_labels_that_are_apart_in_memory():
    values, matrix, bias, labels = given(40, 700, 64)
    spread = torch.stack([labels, labels], 1)[:, 0]
    turned = values.detach().T.contiguous().T.requires_grad_()
    found, hits = found_by(loss, (turned, matrix, bias, spread))
    expected, other_hits = found_by(loss, (values, matrix, bias, labels))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert hits == other_hits


class Guarded:
    """Places with numbers on both sides that nobody may write to."""

    def __init__(self):
        self.places = []

    def empty(self, *shape, dtype=torch.float32):
        size = torch.Size(shape).numel()
        place = torch.full((size + 128,), 7, dtype=dtype)
        self.places.append(place)
        return place[64 : 64 + size].view(shape)

    def are_as_before(self):
        return all((place[:64] == 7).all() and (place[-64:] == 7).all() for place in self.places)


@pytest.mark.parametrize("V", [45, 513])
def test_nothing_is_written_beside(V):
    T, D, threads, bf16 = 33, 64, torch.get_num_threads(), torch.bfloat16
    values, matrix, bias, labels = (x.detach() for x in given(T, V, D))
    guarded = Guarded()
    logits = guarded.empty(ask("vocabulary_logits_room", T, V), dtype=bf16)
    parts = guarded.empty(ask("vocabulary_parts_room", T, V))
    norms, losses = guarded.empty(T), guarded.empty(T)
    hits = guarded.empty(T, dtype=torch.uint8)
    room = guarded.empty(ask("vocabulary_loss_room", D, threads), dtype=bf16)
    given_too = values, matrix, bias, labels
    call("vocabulary_loss", *given_too, logits, parts, norms, losses, hits, room, T, V, D)
    gradients = guarded.empty(T, D, dtype=bf16), guarded.empty(V, D), guarded.empty(V)
    room = guarded.empty(ask("vocabulary_loss_backward_room", T, D), dtype=bf16)
    known = values, matrix, labels, logits, norms, 1.0
    call("vocabulary_loss_backward", *known, *gradients, room, T, V, D)
    assert guarded.are_as_before()
    expected = expected_of(values, matrix, bias, labels, 1.0)
    assert_alike([losses.sum().double(), *(each.double() for each in gradients)], expected)


def test_rows_without_a_label_have_no_gradient():
    values, matrix, bias, labels = given(40, 700, 64)
    found, hits = found_by(loss, (values, matrix, bias, labels[:33]))
    beside, other_hits = found_by(loss, (values[:33].clone(), matrix, bias, labels[:33]))
    assert found[1][:33].any(1).all()
    assert not found[1][33:].any()
    found[1] = found[1][:33]
    assert all(torch.equal(one, other) for one, other in zip(found, beside, strict=True))
    assert hits == other_hits


@pytest.mark.parametrize("wanted", ["values", "matrix", "bias"])
def test_gradients_that_nobody_wants_are_not_made(wanted):
    values, matrix, bias, labels = given(33, 700, 64)
    inputs = {"values": values, "matrix": matrix, "bias": bias}
    found = gradient_of(wanted, inputs, lambda: loss(*inputs.values(), labels)[0].backward())
    expected = dict(zip(inputs, expected_of(*inputs.values(), labels, 1.0)[1:], strict=True))
    assert (found - expected[wanted]).norm() <= 2**-7 * expected[wanted].norm()


def test_numbers_that_are_none_show():
    values, matrix, bias, labels = given(40, 700, 64)
    with torch.no_grad():
        values[3, 5] = torch.nan
    found, _ = found_by(loss, (values, matrix, bias, labels))
    assert found[0].isnan()
    assert found[1].isnan().any(1).nonzero().flatten().tolist() == [3]
    assert found[2].isnan().all()
    with torch.no_grad():
        values[3, 5], matrix[650, 7] = 0, torch.inf
    assert not loss(values, matrix, bias, labels)[0].isfinite()


def test_labels_that_are_no_rows():
    values, matrix, bias, labels = given(4, 100, 64)
    for number in (-1, 100):
        with pytest.raises(IndexError, match="not one of 100 classes"):
            loss(values, matrix, bias, torch.full_like(labels, number))
    with pytest.raises(ValueError, match="5 labels for 4 values"):
        loss(values, matrix, bias, torch.zeros(5, dtype=torch.int64))
    with pytest.raises(ValueError, match="0 labels for 4 values"):
        loss(values, matrix, bias, labels[:0])
    with pytest.raises(TypeError, match="labels are int64"):
        loss(values, matrix, bias, labels.int())


def test_other_widths_are_refused():
    values, matrix, bias, labels = given(4, 100, 64)
    with pytest.raises(ValueError, match="matrix has the shape"):
        loss(values[:, :32], matrix, bias, labels)
    with pytest.raises(ValueError, match="bias has the shape"):
        loss(values, matrix, bias[:99], labels)
    with pytest.raises(TypeError, match="a kernel takes bf16 values"):
        loss(values.float(), matrix, bias, labels)


def small_head():
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 1}
    return MaskedLMHead(BertConfig(vocab_size=45, intermediate_size=64, **shape))


def test_a_head_takes_them_unless_somebody_listens():
    head, hidden, words = small_head(), draw(40, 64), draw(45, 64, seed=1).float()
    labels = torch.arange(40)
    made = head.sums(hidden, words, labels, chunked_sums)
    assert type(made[0].grad_fn).__name__ == "_LossSumBackward"
    seen = []
    handle = head.register_forward_hook(lambda *given: seen.append(given[2]))
    heard = head.sums(hidden, words, labels, chunked_sums)
    handle.remove()
    whole = head.sums(hidden, words, labels, whole_sums)
    assert [each.shape for each in seen] == [(40, 45)]
    for other in (heard, whole):
        torch.testing.assert_close(made[0], other[0], rtol=1e-5, atol=0)
        assert made[1] == other[1]


def test_a_model_has_the_same_loss_and_gradients_by_way_of_its_logits():
    config = BertConfig.of_size("tiny", vocab_size=600)
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0)).eval()
    packed = PackedSequences.from_lists([list(range(5, 50)), list(range(100, 160))])
    positions, labels = torch.arange(65) + 20, torch.arange(65) * 9 % 600  # 66 rows of logits

    def gradients(total):
        model.zero_grad()
        total.backward()
        return {name: weight.grad for name, weight in model.named_parameters()}

    with autocast("bf16", CPU):
        sums = model.forward_sums(packed, positions, labels)
        found = gradients(sums.total + sums.seq_relationship_logits.float().sum())
        logits = model.forward_packed(packed, positions)
        total, hits = chunked_sums(logits.prediction_logits, labels)
        expected = gradients(total + logits.seq_relationship_logits.float().sum())
    torch.testing.assert_close(sums.total, total, rtol=1e-5, atol=0)
    assert sums.num_correct == hits
    assert sums.num_correct.dtype == torch.int64
    for name, other in expected.items():
        assert (found[name] - other).norm() <= 2**-6 * other.norm(), name


def test_a_model_wants_a_label_for_each_position_and_may_have_none():
    model = BertForPreTraining(BertConfig.of_size("tiny", vocab_size=600)).eval()
    packed = PackedSequences.from_lists([list(range(5, 50))])
    # The second is what the tests' checks of shapes say before it comes to that.
    with pytest.raises((ValueError, TypeCheckError), match=r"3 labels for 4 positions|'labels'"):
        model.forward_sums(packed, torch.arange(4), torch.arange(3))
    sums = model.forward_sums(packed, torch.arange(0), torch.arange(0))
    assert (sums.total, sums.num_correct) == (0, 0)
