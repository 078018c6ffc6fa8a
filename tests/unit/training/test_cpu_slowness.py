"""What is said where a CPU trains more slowly than it could."""

import pytest
import torch

from bertsmith.training import cpu

CPU = torch.device("cpu")


@pytest.fixture
def on_a_processor(monkeypatch):
    """Says what PyTorch knows of the processor, and why there are no kernels, if there are none."""

    def on(*, has_bf16, reason=None, machine="x86_64", system="Linux"):
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, name, lambda: has_bf16)
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has_bf16)
        monkeypatch.setattr(cpu, "why_no_kernels", lambda: reason)
        monkeypatch.setattr(cpu.platform, "machine", lambda: machine)
        monkeypatch.setattr(cpu.platform, "system", lambda: system)

    return on


@pytest.mark.parametrize(
    ("precision", "has_bf16"), [("bf16", True), ("fp32", True), ("fp32", False)]
)
def test_nothing_where_nothing_is_missing(on_a_processor, precision, has_bf16):
    on_a_processor(has_bf16=has_bf16)
    assert cpu.slowness(precision) is None


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_why_there_are_no_kernels(on_a_processor, precision):
    on_a_processor(has_bf16=True, reason="there is no C compiler (gcc, cc or clang)")
    told = cpu.slowness(precision)
    assert told is not None
    assert "without the C kernels" in told
    assert told.endswith("there is no C compiler (gcc, cc or clang); install gcc")


def test_what_cannot_be_mended_is_not_said(on_a_processor):
    """PyTorch can't tell a Mac's instructions, and GCC has no threads for it."""
    on_a_processor(has_bf16=False, machine="arm64", system="Darwin")
    assert cpu.slowness("bf16") is None
    on_a_processor(has_bf16=False, reason="clang did not", machine="arm64", system="Darwin")
    assert cpu.slowness("fp32") is None


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_bf16_without_instructions_for_it(on_a_processor, machine):
    reason = "there is no C compiler (gcc, cc or clang)"
    on_a_processor(has_bf16=False, reason=reason, machine=machine)
    told = cpu.slowness("bf16")
    assert told is not None
    assert told.startswith("this processor has no instructions for bf16")
    assert told.endswith("set training.precision=auto")
