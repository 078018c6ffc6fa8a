"""The GPU's kernels for short sequences, run by Triton's interpreter on the CPU."""

from types import SimpleNamespace

import pytest
import torch

from bertsmith.model import short_attention
from bertsmith.model.short_attention import block_for
from triton_checks import needs_triton, run_script

GPU = torch.device("cuda")

# In a process of its own: Triton decides at import whether it interprets.
SCRIPT = """
import torch
from bertsmith.model import PackedSequences, PaddedLayout, packed_attention
from bertsmith.model.short_attention import short_attention

lengths, N, H, block = [32, 1, 17, 30], 2, 16, 32
packed = PackedSequences.from_lists([[7] * n for n in lengths])
generator = torch.Generator().manual_seed(0)

def draw(*shape):
    return torch.randn(sum(lengths), *shape, generator=generator)

values, weights = draw(3, N, H), draw(N, H)

def gradients(attend):
    qkv = values.clone().requires_grad_()
    output = attend(qkv)
    return output.detach(), torch.autograd.grad((output * weights).sum(), qkv)[0]

for causal in (False, True):
    ours = gradients(lambda x: short_attention(x, packed.cu_seqlens, block, causal=causal))
    plain = gradients(
        lambda x: packed_attention(*x.unbind(1), PaddedLayout.of(packed), causal=causal)
    )
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)

# With dropout: read the weights off with values that name the keys, then do it in plain steps.
def dropped(x):
    torch.manual_seed(5)
    return short_attention(x, packed.cu_seqlens, block, dropout_p=0.25)

same = dropped(values)
assert torch.equal(same, dropped(values))
start, shares = 0, []
for length in lengths:
    one_hot = torch.zeros(sum(lengths), N, 32)
    one_hot[start : start + length, :, :length] = torch.eye(length)[:, None]
    wide = torch.zeros(sum(lengths), 3, N, 32)
    wide[:, :2, :, :H] = values[:, :2] * 2**0.25  # H doubles, the scale must not
    wide[:, 2] = one_hot
    kept_weights = dropped(wide)[start : start + length, :, :length].transpose(0, 1)
    q, k, v = (values[start : start + length, i].transpose(0, 1) for i in range(3))
    full = (q @ k.transpose(1, 2) / H**0.5).softmax(-1)
    kept = kept_weights > 0
    torch.testing.assert_close(kept_weights, full * kept / 0.75, atol=1e-5, rtol=1e-4)
    inputs = values[start : start + length].clone().requires_grad_()
    q, k, v = (inputs[:, i].transpose(0, 1) for i in range(3))
    plain = ((q @ k.transpose(1, 2) / H**0.5).softmax(-1) * kept / 0.75) @ v
    torch.testing.assert_close(
        same[start : start + length], plain.detach().transpose(0, 1), atol=1e-5, rtol=1e-4
    )
    loss = (plain.transpose(0, 1) * weights[start : start + length]).sum()
    (expected,) = torch.autograd.grad(loss, inputs)
    got = gradients(dropped)[1][start : start + length]
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)
    shares.append((kept.float().mean().item(), kept.numel()))
    start += length
share = sum(s * n for s, n in shares) / sum(n for _, n in shares)
assert 0.72 < share < 0.78, share  # 4,446 draws: five standard errors are 0.032
print("equal")
"""


@needs_triton
def test_the_kernels_are_attention_in_plain_steps():
    assert run_script("-c", SCRIPT, TRITON_INTERPRET="1") == "equal"


@pytest.mark.parametrize(
    ("max_seqlen", "head_size", "block"),
    [(5, 64, 32), (33, 64, 64), (128, 64, 128), (129, 64, None), (20, 48, None), (20, 256, None)],
)
def test_the_least_block_is_taken_that_is_long_enough(monkeypatch, max_seqlen, head_size, block):
    monkeypatch.setattr(short_attention, "has_triton", lambda: True)
    assert block_for(max_seqlen, head_size, GPU) == block


# Of RTX 4090, A100 and H100, in KiB.
@pytest.mark.parametrize(("shared", "takes_all"), [(99, False), (163, True), (227, True)])
def test_heads_and_blocks_of_128_need_a_chip_with_room(monkeypatch, shared, takes_all):
    """Compiled for sm_80 to sm_120 the backward kernel takes 128 or 129 KiB; smaller ones 80."""
    properties = SimpleNamespace(shared_memory_per_block_optin=shared * 1024)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(short_attention, "has_triton", lambda: True)
    assert block_for(65, 128, GPU) == (128 if takes_all else None)
    assert block_for(64, 128, GPU) == 64
    assert block_for(128, 64, GPU) == 128


def test_no_block_where_triton_does_not_work(monkeypatch):
    monkeypatch.setattr(short_attention, "has_triton", lambda: False)
    assert block_for(5, 64, GPU) is None


def test_shapes_are_known_without_running(monkeypatch):
    with torch.device("meta"):
        values = torch.empty(10, 3, 2, 16)
        output = torch.ops.bertsmith.short_attention(
            values, torch.empty(3, dtype=torch.int32), torch.empty(1), 32, 0.1, False
        )
    assert output.shape == (10, 2, 16)
