"""Cross-entropy by a C kernel against double precision."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from bertsmith.model import cpu_kernels
from kernel_checks import draw, draw_float32, gradients, in_double, needs_kernels

pytestmark = needs_kernels


@pytest.mark.parametrize("num_classes", [2, 1000])
@pytest.mark.parametrize(
    ("kind", "bounds"),
    [(draw, {"rtol": 2**-8, "atol": 1e-6}), (draw_float32, {"rtol": 1e-5, "atol": 1e-7})],
    ids=["bf16", "float32"],
)
def test_cross_entropy(num_classes, kind, bounds):
    logits = 4 * kind(33, num_classes)
    labels = torch.randint(num_classes, (33,), generator=torch.Generator().manual_seed(1))
    labels[:9] = logits[:9].argmax(1)

    def ours(x):
        return cpu_kernels.cross_entropy_sums(x, labels)[0]

    def plain(x):
        return cross_entropy(x, labels, reduction="sum")

    upper = torch.tensor(0.5)
    found, expected = gradients(ours, [logits], upper), in_double(plain, [logits], upper)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(found[1], expected[1], **bounds)
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


def test_a_slice_hands_its_gradient_to_the_whole_unless_somebody_asks_for_it():
    whole = 1 * draw(8, 30).requires_grad_()
    spare_rows = cpu_kernels.cross_entropy._with_spare_rows
    assert spare_rows(whole[:5]) is whole
    assert spare_rows(whole[1:5]) is not whole
    assert spare_rows(whole.detach()[:5]) is not whole
    logits = whole[:5]
    logits.retain_grad()
    cpu_kernels.cross_entropy_sums(logits, torch.arange(5))[0].backward(retain_graph=True)
    assert logits.grad.any()
    logits, seen = whole[:5], []
    logits.register_hook(seen.append)
    cpu_kernels.cross_entropy_sums(logits, torch.arange(5))[0].backward()
    assert len(seen) == 1


def test_a_view_that_autograd_did_not_make():
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return (2 * x).view(5, 9)  # a view of what has no gradient

        @staticmethod
        def backward(ctx, upper):
            return 2 * upper

    logits = draw(5, 9).requires_grad_()
    cpu_kernels.cross_entropy_sums(Doubled.apply(logits), torch.arange(5))[0].backward()
    assert logits.grad.any()


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


def test_of_equal_logits_the_first_is_the_prediction():
    logits = torch.zeros(3, 4).bfloat16()
    logits[2] = torch.tensor([1.0, 5, 0, 5])
    _, hits = cpu_kernels.cross_entropy_sums(logits, torch.tensor([0, 1, 3]))
    assert hits == 1


@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_that_is_no_class(label):
    with pytest.raises(IndexError, match="not one of 4 classes"):
        cpu_kernels.cross_entropy_sums(torch.zeros(1, 4).bfloat16(), torch.tensor([label]))
