"""Attention by C kernels, on tiles and between PyTorch's products, against double precision."""

import numpy as np
import pytest
import torch

from bertsmith.model import PackedSequences, cpu_kernels
from bertsmith.model.attention import PaddedLayout, packed_attention
from bertsmith.model.cpu_kernels import attention as room
from kernel_checks import assert_all_close, draw, gradients, in_double, needs_kernels

pytestmark = needs_kernels


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("num_more_rows", [0, 3])
@pytest.mark.parametrize("H", [16, 32, 64])  # tiles take multiples of 32
def test_attention(causal, num_more_rows, H):
    packed = PackedSequences.from_lists([[1] * length for length in (5, 17, 1, 33)])
    T = packed.num_tokens
    inputs, upper = draw(T + num_more_rows, 3, 2, H), draw(T + num_more_rows, 2, H, seed=1)
    upper[T:] = 0
    bias = draw(3 * 2 * H, seed=2).float()

    def ours(x, bias=None):
        layout = packed.cu_seqlens, packed.max_seqlen, T
        return cpu_kernels.padded_attention(x, *layout, causal=causal, bias=bias)

    def plain(x, bias=None):
        with torch.no_grad():
            layout = PaddedLayout.of(packed)
        added = x if bias is None else x + bias.view(3, 2, H)
        return packed_attention(*added.unbind(1), layout, causal=causal)

    for more in ([], [bias]):
        found = gradients(ours, [inputs, *more], upper)
        expected = in_double(plain, [inputs[:T], *more], upper[:T])
        # A score is a sum over the head's values, which were rounded with their bias.
        bounds = {"rtol": 2**-6, "atol": 2**-6 if H == 16 else 2**-5}
        assert_all_close([value[:T] for value in found[:2]], expected[:2], **bounds)
        assert all(not value[T:].any() for value in found[:2])
    # Scores up to 16 were rounded to bf16, which moves a probability by 3 %; and this is a sum of
    # 56 rows, of which the keys' cancel.
    torch.testing.assert_close(found[2], expected[2], rtol=2**-6, atol=2**-3)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dropout_p", [0.0, 0.3])
def test_attention_is_the_same_without_tiles(monkeypatch, causal, dropout_p):
    packed = PackedSequences.from_lists([[1] * length for length in (70, 32, 2, 64)])
    T = packed.num_tokens
    inputs = [draw(T + 6, 3, 3, 32), draw(3 * 3 * 32, seed=1).float()]
    upper = draw(T + 6, 3, 32, seed=2)
    upper[T:] = 0

    def ours(x, bias):
        torch.manual_seed(7)
        layout = packed.cu_seqlens, packed.max_seqlen, T
        numbers = {"dropout_p": dropout_p, "causal": causal, "bias": bias}
        return cpu_kernels.padded_attention(x, *layout, **numbers)

    found = gradients(ours, inputs, upper)
    monkeypatch.setattr("bertsmith.model.cpu_kernels.head_attention.has_tiles", lambda: False)
    # The same values are dropped; PyTorch's products round to bf16 on the way.
    expected = gradients(ours, inputs, upper)
    assert_all_close(found[:2], expected[:2], rtol=2**-5, atol=2**-4)
    torch.testing.assert_close(found[2], expected[2], rtol=2**-5, atol=2**-2)  # of 168 rows


@pytest.mark.parametrize("is_wide", [True, False])
@pytest.mark.parametrize("takes_heads", [True, False])
def test_autocast_around_backward_changes_nothing(monkeypatch, is_wide, takes_heads):
    """Kernels between PyTorch's products go by the type that these have."""
    packed = PackedSequences.from_lists([[1] * length for length in (70, 32, 2, 64)])
    inputs = draw(packed.num_tokens, 3, 3, 32)
    inputs = (inputs.float() if is_wide else inputs).requires_grad_()
    if not takes_heads:
        monkeypatch.setattr(room, "fits_attention", lambda _: False)

    def gradient(dtype):
        layout = packed.cu_seqlens, packed.max_seqlen, packed.num_tokens
        output = cpu_kernels.padded_attention(inputs, *layout).float().square().sum()
        with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            return torch.autograd.grad(output, inputs)[0]

    expected = gradient(None)
    for dtype in (torch.bfloat16, torch.float16):
        torch.testing.assert_close(gradient(dtype), expected, rtol=0, atol=0)


def test_numbers_of_numpy_and_tensors_are_numbers():
    packed = PackedSequences.from_lists([[1] * length for length in (70, 32, 2, 64)])
    inputs, T = draw(packed.num_tokens, 3, 3, 32).float(), packed.num_tokens
    expected = cpu_kernels.padded_attention(inputs, packed.cu_seqlens, 70, T)
    for longest in (np.int64(70), torch.tensor(70)):
        found = cpu_kernels.padded_attention(inputs, packed.cu_seqlens, longest, np.int64(T))
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_no_sequences():
    none = torch.zeros(1, dtype=torch.int32)
    inputs = draw(2, 3, 3, 32).float().requires_grad_()
    for takes_heads in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not takes_heads:
                patch.setattr(room, "fits_attention", lambda _: False)
            output = cpu_kernels.padded_attention(inputs, none, 0, 0)
            assert not output.any()
            output.sum().backward()
    assert not inputs.grad.any()


def test_attention_with_dropout():
    packed = PackedSequences.from_lists([[1] * 30, [1] * 64])
    T, p = packed.num_tokens, 0.25
    inputs = draw(T, 3, 1, 64)
    # With queries of zeros all keys weigh the same, and with unit vectors as values each output
    # shows which of them were kept.
    inputs[:, 0] = 0
    inputs[:, 2, 0] = torch.eye(64).bfloat16()[packed.position_ids]

    def ours(x):
        torch.manual_seed(3)
        cu_seqlens = packed.cu_seqlens
        return cpu_kernels.padded_attention(x, cu_seqlens, 64, T, dropout_p=p)

    kept = ours(inputs)[:, 0] != 0
    seen = torch.arange(64) < packed.lengths[packed.row_index][:, None]
    assert not kept[~seen].any()
    share = kept[seen].double().mean()
    assert abs(share - (1 - p)) < 4 * (p * (1 - p) / int(seen.sum())) ** 0.5

    def plain(x):
        outputs = []
        for length, part, mask in zip(
            (30, 64), x.split([30, 64]), kept.split([30, 64]), strict=True
        ):
            query, key, value = part[:, :, 0].unbind(1)
            probabilities = (query @ key.T / 8).softmax(-1) * mask[:, :length] / (1 - p)
            outputs.append(probabilities @ value)
        return torch.cat(outputs)[:, None]

    inputs[:, 0] = draw(T, 1, 64, seed=2)
    upper = draw(T, 1, 64, seed=1)
    found, expected = gradients(ours, [inputs], upper), in_double(plain, [inputs], upper)
    assert_all_close(found, expected, rtol=2**-5, atol=2**-6)
