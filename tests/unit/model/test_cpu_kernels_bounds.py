"""C kernels stay within tensors: what doesn't fit is refused, whatever PyTorch's defaults are."""

import pytest
import torch

from bertsmith.model import cpu_kernels
from bertsmith.model.precision import autocast
from kernel_checks import assert_all_close, draw, needs_kernels

pytestmark = needs_kernels

CPU = torch.device("cpu")
VECTOR = torch.ones(64)
HEADS = 5, 3, 2, 32


def ends(*numbers):
    return torch.tensor(numbers, dtype=torch.int32, device=CPU)


def attention(cu_seqlens, max_seqlen=5, num_tokens=5, **more):
    return cpu_kernels.padded_attention(draw(*HEADS), cu_seqlens, max_seqlen, num_tokens, **more)


def norm(**changed):
    given = {"values": draw(5, 64), "residual": draw(5, 64), "weight": VECTOR, "bias": VECTOR}
    return cpu_kernels.residual_norm(**given | changed, eps=1e-12, dropout_p=0.0)


@pytest.mark.parametrize(
    "cu_seqlens", [ends(0, 6), ends(0, 4), ends(1, 5), ends(0, 5, 2, 5), ends(0, 2, 7, 5)]
)
def test_sequences_lie_in_the_rows(cu_seqlens):
    assert attention(ends(0, 2, 2, 5)).shape == (5, 2, 32)
    with pytest.raises(ValueError, match="sequence"):
        attention(cu_seqlens)


def test_lengths_of_another_kind():
    with pytest.raises(ValueError, match="longer than 2"):
        attention(ends(0, 2, 5), max_seqlen=2)
    with pytest.raises(ValueError, match="in 6 of 5 rows"):
        attention(ends(0, 6), max_seqlen=6, num_tokens=6)
    with pytest.raises(TypeError, match="int32"):
        attention(torch.tensor([0, 5]))


def test_vectors_are_as_long_as_rows():
    with pytest.raises(ValueError, match=r"bias has the shape \[3\], not \[192\]"):
        attention(ends(0, 5), bias=torch.zeros(3))
    with pytest.raises(ValueError, match=r"bias has the shape \[3\], not \[64\]"):
        cpu_kernels.gelu(draw(5, 64), torch.zeros(3))
    for changed in ({"weight": torch.ones(1)}, {"bias": torch.ones(65)}):
        with pytest.raises(ValueError, match="bias or weight"):
            norm(**changed)
    with pytest.raises(ValueError, match="bias or weight"):
        norm(values_bias=torch.ones(3))


def test_a_residual_has_as_many_rows():
    with pytest.raises(ValueError, match=r"residual has the shape \[1, 64\], not \[5, 64\]"):
        norm(residual=draw(1, 64))


@pytest.mark.parametrize("labels", [torch.zeros(4, dtype=torch.int32), torch.zeros(4, 2).long()])
def test_labels_of_another_type_or_shape(labels):
    with pytest.raises(TypeError, match="labels are int64"):
        cpu_kernels.cross_entropy_sums(draw(4, 9), labels)


def attended(heads, bias):
    return cpu_kernels.padded_attention(heads, ends(0, 12, 40), 28, 40, dropout_p=0.1, bias=bias)


def normed(*values):
    return cpu_kernels.residual_norm(*values[:4], 1e-12, 0.1, values[4])


def fed(values, weight, bias, out_weight):
    if not cpu_kernels.fits_tiles(values, weight, out_weight):
        return values + 0 * (weight.sum() + bias.sum() + out_weight.sum())
    return cpu_kernels.product(cpu_kernels.feed_forward(values, weight, bias, out_weight), weight)


def loss(values):
    return cpu_kernels.cross_entropy_sums(values, LABELS)[0]


def vocabulary_loss(values, matrix, bias):
    if not cpu_kernels.fits_vocabulary(values, matrix):
        return values.sum() + 0 * (matrix.sum() + bias.sum())
    return cpu_kernels.vocabulary_cross_entropy(values, matrix, bias, LABELS)[0]


LABELS = torch.arange(40)
ROWS, COLUMN = draw(40, 64), draw(64, seed=1).float()
KERNELS = {
    "gelu": (cpu_kernels.gelu, [ROWS, COLUMN]),
    "norm": (normed, [ROWS, draw(40, 64, seed=2), COLUMN, COLUMN, COLUMN]),
    "loss": (loss, [ROWS]),
    "attention": (attended, [draw(40, 3, 2, 32), draw(192).float()]),
    "attention without tiles": (attended, [draw(40, 3, 2, 16), draw(96).float()]),
    "vocabulary": (vocabulary_loss, [ROWS, draw(45, 64).float(), draw(45).float()]),
    "products": (fed, [ROWS, *(draw(*x).float() for x in ((96, 64), (96,), (64, 96)))]),
}


def output_and_gradients(function, inputs):
    torch.manual_seed(0)
    inputs = [each.clone().requires_grad_() for each in inputs]
    with autocast("bf16", CPU):
        output = function(*inputs)
    return [output, *torch.autograd.grad(output, inputs, torch.ones_like(output))]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_other_defaults_of_pytorch_change_nothing(name, device):
    expected = output_and_gradients(*KERNELS[name])
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device(device):
            found = output_and_gradients(*KERNELS[name])
    finally:
        torch.set_default_dtype(before)
    assert_all_close(found, expected, rtol=0, atol=0)
