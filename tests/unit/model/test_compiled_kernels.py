"""The GPU's kernels inside compiled layers, run by Triton's interpreter on the CPU."""

import shutil

import pytest

from triton_checks import needs_triton, run_script

SCRIPT = """
import torch
from bertsmith.model import BertConfig, PackedSequences, residual_norm
from bertsmith.model.attention import PaddedLayout, VarlenLayout
from bertsmith.model.encoder import Encoder

config = BertConfig.of_size(
    "tiny", hidden_size=32, intermediate_size=64, hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
torch.manual_seed(0)
encoder = Encoder(config)

def gradients(lengths, with_kernels):
    residual_norm._has_kernel = lambda values, residual: with_kernels
    packed = PackedSequences.from_lists([[7] * n for n in lengths])
    T = packed.num_tokens
    layout = PaddedLayout.of(packed)
    if with_kernels:
        layout = VarlenLayout(packed.cu_seqlens, packed.max_seqlen, T, T, 32)
    hidden = torch.linspace(-1, 1, T * 32).sin().view(T, 32).requires_grad_()
    output, _ = encoder(hidden, layout)
    inputs = [hidden, *encoder.parameters()]
    return output.detach(), *torch.autograd.grad((output * output.cos().detach()).sum(), inputs)

batches = ([5, 9], [7, 2])
plain = [gradients(lengths, False) for lengths in batches]
for layer in encoder.layers:
    layer.compile(dynamic=True)
for lengths, expected in zip(batches, plain, strict=True):
    torch.testing.assert_close(gradients(lengths, True), expected, atol=2e-4, rtol=1e-3)
print("equal")
"""


@pytest.mark.slow
@needs_triton
@pytest.mark.skipif(not shutil.which("g++"), reason="PyTorch's compiler needs g++")
def test_compiled_layers_with_kernels_are_plain_layers():
    assert run_script("-c", SCRIPT, TRITON_INTERPRET="1") == "equal"
