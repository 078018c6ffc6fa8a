"""The word embeddings' gradient, whoever uses them."""

import copy
import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from bertsmith.model import BertConfig, BertForPreTraining, PackedSequences
from bertsmith.model.tied_embedding import TiedUse, as_output_weights, look_up

IDS = torch.tensor([3, 1, 3, 0])


def plain(weight):
    rows = torch.nn.functional.embedding(IDS, weight)
    return rows, rows.tanh() @ weight.T


def tied(weight):
    use = TiedUse()
    rows = look_up(weight, IDS, use)
    return rows, rows.tanh() @ as_output_weights(weight, use).T


@pytest.fixture
def weight():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True)


def loss_of(parts, name):
    rows, scores = parts
    return {"rows": rows.square().sum(), "scores": scores.square().sum()}[name]


@pytest.mark.parametrize("loss", ["rows", "scores"])
def test_gradients(weight, loss):
    (expected,) = torch.autograd.grad(loss_of(plain(weight), loss), weight)
    (found,) = torch.autograd.grad(loss_of(tied(weight), loss), weight)
    assert found.layout == torch.strided
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("loss", ["rows", "scores"])
def test_second_derivatives(weight, loss):
    assert torch.autograd.gradgradcheck(lambda weight: loss_of(tied(weight), loss), weight)


def test_one_backward_pass_after_the_other(weight):
    rows, scores = tied(weight)
    loss_of((rows, scores), "scores").backward(retain_graph=True)
    (found,) = torch.autograd.grad(loss_of((rows, scores), "rows"), weight)
    assert found.layout == torch.strided
    torch.testing.assert_close(found[3], 4 * weight[3].detach())


def test_gradients_of_two_passes_add_up(weight):
    for _ in range(2):
        loss_of(tied(weight), "scores").backward()
    (expected,) = torch.autograd.grad(loss_of(plain(weight), "scores"), weight)
    torch.testing.assert_close(weight.grad, 2 * expected)


def test_two_passes_under_way_at_once(weight):
    first, second = tied(weight), tied(weight)
    loss_of(first, "scores").backward()
    assert weight.grad.layout == torch.strided
    loss_of(second, "scores").backward()
    (expected,) = torch.autograd.grad(loss_of(plain(weight), "scores"), weight)
    torch.testing.assert_close(weight.grad, 2 * expected)


def test_two_heads(weight):
    use = TiedUse()
    rows = look_up(weight, IDS, use)
    scores = [rows.tanh() @ as_output_weights(weight, use).T for _ in range(2)]
    (found,) = torch.autograd.grad(sum(score.square().sum() for score in scores), weight)
    (expected,) = torch.autograd.grad(loss_of(plain(weight), "scores"), weight)
    torch.testing.assert_close(found, 2 * expected)


@pytest.fixture
def model():
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = BertConfig.of_size("tiny", vocab_size=30, **dropout)
    return BertForPreTraining(config, generator=torch.Generator().manual_seed(0))


def gradient(model, head="prediction_logits", sequences=([2, 9, 9, 4, 3], [2, 7, 3])):
    packed = PackedSequences.from_lists(list(sequences))
    output = model.forward_packed(packed, masked_positions=torch.tensor([1, 6]))
    loss = getattr(output, head).square().sum()
    (found,) = torch.autograd.grad(loss, model.bert.word_embeddings)
    return found


@pytest.mark.parametrize("head", ["prediction_logits", "seq_relationship_logits"])
def test_a_model_gets_the_gradient_of_autograd_itself(model, head):
    found = gradient(model, head)
    # The same numbers come out where the model looks words up as `nn.Embedding` does.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bertsmith.model.encoder.Embeddings._adds_rows_alone", lambda self: False)
        expected = gradient(model, head)
    assert found.layout == torch.strided
    torch.testing.assert_close(found, expected)


def test_a_model_may_be_trained_in_several_threads_at_once(model):
    texts = [[2, number, 9, number + 1, 3] * 2 for number in range(10, 13)]
    expected = [gradient(model, sequences=[text]) for text in texts]
    together = Barrier(len(texts))

    def meet(*_):
        together.wait(60)

    model.bert.encoder.register_forward_pre_hook(meet)
    with ThreadPoolExecutor(len(texts)) as threads:
        found = list(threads.map(lambda text: gradient(model, sequences=[text]), texts))
    torch.testing.assert_close(found, expected)


def test_a_model_that_was_trained_can_be_copied_and_written(model):
    expected = gradient(model)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for other in (copy.deepcopy(model), torch.load(file, weights_only=False)):
        torch.testing.assert_close(gradient(other), expected)
