"""How weights start, and what only happens while training."""

import contextlib

import pytest
import torch

from bertsmith import model as room
from bertsmith.model import BertConfig, BertForPreTraining, BertModel, PackedSequences
from bertsmith.model.dropout import dropout


def seeded(head, config, seed):
    return getattr(room, head)(config, generator=torch.Generator().manual_seed(seed))


def test_a_seed_makes_the_same_model_each_time(head, config):
    first, again, other = (seeded(head, config, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_without_a_generator_the_default_one_is_used(config):
    torch.manual_seed(5)
    first = BertModel(config)
    torch.manual_seed(5)
    again = BertModel(config)
    assert torch.equal(first.word_embeddings, again.word_embeddings)


def test_weights_start_as_googles(config):
    model = BertForPreTraining(BertConfig.of_size("mini", vocab_size=2000))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "layer_norm" in name:
            assert (parameter == 1).all(), name
        else:
            assert parameter.abs().max() <= 0.04, name
            # A normal cut off at two standard deviations keeps 0.8796 of them; the bound is six
            # standard errors.
            standard_error = 0.0176 / (2 * parameter.numel()) ** 0.5
            assert abs(parameter.std().item() - 0.02 * 0.8796) < 6 * standard_error, name


def test_dropout_acts_only_while_training(head, config, ragged_batch):
    model = seeded(head, config, 0)
    packed = PackedSequences.from_padded(**ragged_batch)
    extra = (2,) if head == "BertForMultipleChoice" else ()

    def run():
        output = model.forward_packed(packed, *extra, output_hidden_states=True)
        return output.hidden_states[-1]

    model.eval()
    assert torch.equal(run(), run())
    model.train()
    assert not torch.equal(run(), run())


@pytest.mark.parametrize(
    "field", ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"]
)
def test_each_dropout_has_its_own_setting(config, ragged_batch, field):
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    packed = PackedSequences.from_padded(**ragged_batch)
    for changes, differs in (({}, False), ({field: 0.5}, True)):
        changed = BertConfig(**{**vars(config), **none, **changes})
        model = seeded("BertForSequenceClassification", changed, 0).train()
        first, second = (model.forward_packed(packed).logits for _ in range(2))
        assert torch.equal(first, second) is not differs


@pytest.fixture(params=["kernels", "no kernels"])
def with_and_without_kernels(request, without_kernels):
    with without_kernels() if request.param == "no kernels" else contextlib.nullcontext():
        yield


@pytest.mark.usefixtures("with_and_without_kernels")
@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("shape", [(1000, 301), (7,), ()])
def test_dropout_drops_its_share_and_keeps_the_mean(p, shape):
    torch.manual_seed(0)
    dropped = dropout(torch.ones(shape), p)
    assert dropped.shape == shape
    for value in dropped.unique().tolist():
        assert value in (0.0, pytest.approx(1 / (1 - p), rel=1e-4))
    if dropped.numel() > 1000:
        count = dropped.numel()
        six_sigma = 6 * (p * (1 - p) / count) ** 0.5
        assert abs((dropped == 0).double().mean().item() - p) < six_sigma
        rows, columns = ((dropped == 0).double().mean(dim) for dim in (0, 1))
        assert 0 < rows.std() < 6 * (p * (1 - p) / shape[0]) ** 0.5
        assert 0 < columns.std() < 6 * (p * (1 - p) / shape[1]) ** 0.5


@pytest.mark.usefixtures("with_and_without_kernels")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_dropout_sends_gradients_where_it_sent_values(dtype):
    torch.manual_seed(0)
    values = torch.ones(99, 101, dtype=dtype, requires_grad=True)
    dropped = dropout(values.T, 0.3)  # not in one piece, no multiple of a vector
    assert dropped.dtype == dtype
    assert 0 < (dropped == 0).sum() < dropped.numel()
    dropped.sum().backward()
    assert torch.equal(values.grad.T, dropped.detach())


@pytest.mark.usefixtures("with_and_without_kernels")
def test_dropout_goes_by_the_default_generator():
    def drawn(seed):
        torch.manual_seed(seed)
        return dropout(torch.ones(64), 0.5), dropout(torch.ones(64), 0.5)

    first, second = drawn(1)
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip(drawn(1), (first, second), strict=True))
    assert not torch.equal(first, drawn(2)[0])


@pytest.mark.usefixtures("with_and_without_kernels")
def test_dropout_hides_no_nan():
    assert dropout(torch.full((1000,), torch.nan), 0.5).isnan().all()


def test_every_weight_gets_a_gradient(head, config, ragged_batch):
    model = seeded(head, config, 0).train()
    extra = (2,) if head == "BertForMultipleChoice" else ()
    output = model.forward_packed(PackedSequences.from_padded(**ragged_batch), *extra)
    tensors = [x for x in vars(output).values() if isinstance(x, torch.Tensor)]
    torch.stack([(x * torch.randn_like(x)).sum() for x in tensors]).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert all(p.grad.any() for name, p in model.named_parameters())


def test_it_runs_under_bf16_autocast(head, config, ragged_batch):
    model = seeded(head, config, 0).train()
    extra = (2,) if head == "BertForMultipleChoice" else ()
    with torch.autocast("cpu", torch.bfloat16):
        output = model.forward_packed(PackedSequences.from_padded(**ragged_batch), *extra)
    tensors = [x for x in vars(output).values() if isinstance(x, torch.Tensor)]
    torch.stack([x.float().square().sum() for x in tensors]).sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
