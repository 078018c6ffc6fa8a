"""The GPU's ways against the CPU's: attention without padding, compiled parts, whole steps."""

import pytest
import torch

from bertsmith.batches import PretrainingBatch
from bertsmith.model import (
    BertConfig,
    BertForPreTraining,
    PackedSequences,
    PaddedLayout,
    chunked_sums,
    layout_for,
    whole_sums,
)
from bertsmith.model.attention import VarlenLayout, self_attention
from bertsmith.model.residual_norm import ResidualNorm
from bertsmith.objectives import MaskedLM
from bertsmith.training import LoopSettings, compile_parts, sums_for
from bertsmith.training.update import Updater
from bertsmith.training.window import Window

pytestmark = pytest.mark.gpu

LENGTHS = [128, 5, 77, 1, 128, 64]
GPU = torch.device("cuda")


def make_batch(vocab_size=1000, lengths=tuple(LENGTHS)):
    generator = torch.Generator().manual_seed(0)
    packed = PackedSequences.from_lists(
        [torch.randint(5, vocab_size, (n,), generator=generator).tolist() for n in lengths]
    )
    positions = torch.arange(1, packed.num_tokens, 7)
    return PretrainingBatch(
        packed.input_ids,
        packed.token_type_ids,
        packed.position_ids,
        packed.cu_seqlens,
        packed.max_seqlen,
        positions,
        packed.input_ids[positions],
        torch.arange(len(lengths)) % 2,
    )


def make_model(**changes):
    config = BertConfig.of_size("mini", vocab_size=1000, **changes)
    return BertForPreTraining(config, generator=torch.Generator().manual_seed(1))


def hidden(dtype=torch.bfloat16):
    return torch.empty(0, 64, dtype=dtype, device=GPU)


def query_key_value(num_tokens):
    generator = torch.Generator().manual_seed(2)
    values = torch.randn(num_tokens, 3, 4, 64, generator=generator)
    return values.to(GPU, torch.bfloat16).requires_grad_()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("longest", [20, 64, 128, 500])
def test_without_padding_is_with_padding_in_double_precision(causal, longest):
    packed = make_batch(lengths=(longest, *(min(n, longest) for n in LENGTHS))).to(GPU)
    layout = layout_for(packed, hidden(), 64)
    assert isinstance(layout, VarlenLayout)
    assert layout.block == {20: 32, 64: 64, 128: 128, 500: None}[longest]
    inputs = query_key_value(packed.num_tokens)
    output = self_attention(inputs, layout, causal=causal)
    exact = inputs.detach().double().requires_grad_()
    expected = self_attention(exact, PaddedLayout.of(packed), causal=causal)
    torch.testing.assert_close(output.double(), expected, atol=1e-2, rtol=2e-2)
    weights = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad((output.double() * weights).sum(), inputs)
    (wanted,) = torch.autograd.grad((expected * weights).sum(), exact)
    torch.testing.assert_close(gradient.double(), wanted, atol=3e-2, rtol=3e-2)


@pytest.mark.parametrize("longest", [128, 500])
def test_dropout_keeps_the_mean_and_follows_the_seed(longest):
    packed = make_batch(lengths=(longest, *LENGTHS)).to(GPU)
    layout = layout_for(packed, hidden(), 64)
    inputs = query_key_value(packed.num_tokens).detach()
    inputs[:, 2] = 1
    torch.manual_seed(3)
    first = self_attention(inputs, layout, dropout_p=0.1)
    torch.manual_seed(3)
    again = self_attention(inputs, layout, dropout_p=0.1)
    other = self_attention(inputs, layout, dropout_p=0.1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert abs(first.float().mean().item() - 1) < 0.02
    assert first.float().std() > 0.01


def test_fp32_pads_and_bf16_does_not():
    packed = make_batch().to(GPU)
    assert isinstance(layout_for(packed, hidden(torch.float32), 64), PaddedLayout)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        assert isinstance(layout_for(packed, hidden(torch.float32), 64), VarlenLayout)
    assert isinstance(layout_for(packed, hidden(), 36), PaddedLayout)


def test_the_fused_norm_is_that_of_double_precision():
    norm = ResidualNorm(768, 1e-12, 0.0).to(GPU)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    values, residual, upper = (
        torch.randn(3000, 768, device=GPU).bfloat16().requires_grad_() for _ in range(3)
    )
    exact = ResidualNorm(768, 1e-12, 0.0).to(GPU, torch.float64)
    exact.load_state_dict(norm.state_dict())
    wide = [x.detach().double().requires_grad_() for x in (values, residual)]
    output, expected = norm(values, residual), exact(*wide)
    torch.testing.assert_close(output.double(), expected, atol=2e-2, rtol=1e-2)
    got = torch.autograd.grad(output, [values, residual, norm.weight, norm.bias], upper)
    wanted = torch.autograd.grad(
        expected, [*wide, exact.weight, exact.bias], upper.detach().double()
    )
    for gradient, other in zip(got, wanted, strict=True):
        error = (gradient.double() - other).abs().max() / other.abs().max()
        assert error < 1e-2


def test_the_fused_norm_drops_what_the_seed_says():
    norm = ResidualNorm(768, 1e-12, 0.1).to(GPU)
    values = torch.randn(3000, 768, device=GPU).bfloat16().requires_grad_()
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        output = norm(values, torch.zeros_like(values))
        (gradient,) = torch.autograd.grad(output, values, torch.randn_like(output))
        found.append((output, gradient == 0))
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.equal(found[0][0], found[2][0])
    share = found[0][1].double().mean().item()
    assert abs(share - 0.1) < 0.002


def losses(device, *, precision, is_compiled=False, num_steps=6):
    model = make_model(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).to(device)
    if is_compiled:
        compile_parts(model)
    update = Updater(
        model,
        MaskedLM(sums_for(is_compiled)),
        LoopSettings(precision=precision, learning_rate=1e-3),
    )
    found = []
    for step in range(num_steps):
        window = Window()
        lengths = (*LENGTHS, 10 + step)
        update([make_batch(lengths=lengths), make_batch(lengths=(31 + step, 9))], 1.0, window)
        found.append(window.means())
    return [[means["mlm_loss"], means["nsp_loss"]] for means in found]


def test_steps_on_the_gpu_are_those_on_the_cpu():
    torch.testing.assert_close(
        losses(GPU, precision="fp32"),
        losses(torch.device("cpu"), precision="fp32"),
        atol=2e-3,
        rtol=0,
    )


@pytest.mark.parametrize("is_compiled", [False, True])
def test_bf16_steps_without_padding_are_near_those_of_fp32(is_compiled):
    torch.testing.assert_close(
        losses(GPU, precision="bf16", is_compiled=is_compiled),
        losses(GPU, precision="fp32"),
        atol=3e-2,
        rtol=0,
    )


def test_packed_is_one_by_one():
    model = make_model().to(GPU).eval()
    batch = make_batch()
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        together = model.bert.forward_packed(batch.to(GPU)).last_hidden_state
        start = 0
        for length in LENGTHS:
            ids = batch.input_ids[start : start + length].tolist()
            alone = model.bert.forward_packed(PackedSequences.from_lists([ids]).to(GPU))
            torch.testing.assert_close(
                together[start : start + length], alone.last_hidden_state, atol=5e-2, rtol=5e-2
            )
            start += length


def test_the_sums_of_cross_entropy_agree():
    logits = torch.randn(5000, 3000, device=GPU).bfloat16()
    labels = torch.randint(3000, (5000,), device=GPU)
    expected = torch.nn.functional.cross_entropy(logits.double(), labels, reduction="sum")
    hits = (logits.argmax(1) == labels).sum()
    for sums in (chunked_sums, whole_sums, torch.compile(whole_sums, dynamic=True)):
        total, found = sums(logits, labels)
        torch.testing.assert_close(total.double(), expected, rtol=1e-5, atol=0)
        assert found == hits
