"""Summed cross-entropy: whole, in chunks and PyTorch's own are the same numbers."""

import pytest
import torch
from torch.nn.functional import cross_entropy

import bertsmith.model.cross_entropy as room
from bertsmith.model import chunked_sums, whole_sums


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Three rows of seven classes to a chunk."""
    monkeypatch.setattr(room, "_CHUNK_NUMEL", 21)


def make(rows, dtype=torch.float32, classes=7):
    generator = torch.Generator().manual_seed(rows)
    logits = (torch.randn(rows, classes, generator=generator) * 3).to(dtype).requires_grad_()
    return logits, torch.randint(classes, (rows,), generator=generator)


@pytest.mark.parametrize("sums", [chunked_sums, whole_sums])
@pytest.mark.parametrize("rows", [1, 3, 8, 30])
def test_sum_gradient_and_hits_are_those_of_pytorch(sums, rows):
    logits, labels = make(rows)
    total, hits = sums(logits, labels)
    (gradient,) = torch.autograd.grad(total * 0.25, logits)
    expected = cross_entropy(logits, labels, reduction="sum")
    (expected_gradient,) = torch.autograd.grad(expected * 0.25, logits)
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient, expected_gradient)
    assert hits == (logits.argmax(1) == labels).sum()


def test_gradients_are_those_of_finite_differences():
    logits, labels = make(8, torch.float64)
    assert torch.autograd.gradcheck(lambda x: chunked_sums(x, labels)[0], logits)
    assert torch.autograd.gradgradcheck(lambda x: chunked_sums(x, labels)[0], logits)


def test_16_bit_logits_are_summed_in_32_and_have_16_bit_gradients():
    logits, labels = make(30, torch.bfloat16)
    total, _ = chunked_sums(logits, labels)
    (gradient,) = torch.autograd.grad(total, logits)
    wide = logits.detach().float().requires_grad_()
    expected = cross_entropy(wide, labels, reduction="sum")
    (expected_gradient,) = torch.autograd.grad(expected, wide)
    assert (total.dtype, gradient.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(gradient, expected_gradient.bfloat16())


def test_equal_scores_hit_at_the_first_of_them():
    logits = torch.zeros(6, 7)
    _, hits = chunked_sums(logits, torch.tensor([0, 0, 1, 2, 0, 6]))
    assert hits == 3


def test_no_rows_are_a_sum_of_nothing():
    logits = torch.zeros(0, 7, requires_grad=True)
    total, hits = chunked_sums(logits, torch.zeros(0, dtype=torch.int64))
    total.backward()
    assert (total.item(), hits.item(), tuple(logits.grad.shape)) == (0.0, 0, (0, 7))


@pytest.mark.parametrize("has_kernels", [True, False])
def test_logits_may_be_large(monkeypatch, has_kernels):
    """As those of a run that goes wrong: what is lost there is no loss that the guard may judge."""
    if not has_kernels:
        monkeypatch.setattr(room, "has_cpu_kernels", lambda _: False)
    logits, labels = make(8)
    far = (logits.detach().round() + 1e7).requires_grad_()
    total, _ = chunked_sums(far, labels)
    expected = cross_entropy(far, labels, reduction="sum")
    torch.testing.assert_close(total, expected)
    (gradient,) = torch.autograd.grad(total, far)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, far)[0])
