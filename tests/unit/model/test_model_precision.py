import ctypes
import platform

import pytest
import torch

from bertsmith.errors import InputError
from bertsmith.model import PRECISIONS, find_device, resolve_precision
from bertsmith.model.precision import autocast

CPU = torch.device("cpu")


def test_auto_is_bf16_exactly_where_the_cpu_multiplies_it():
    if platform.machine() == "aarch64":
        at_hwcap2, hwcap2_bf16 = 26, 1 << 14
        native = ctypes.CDLL(None).getauxval(at_hwcap2) & hwcap2_bf16
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert resolve_precision("auto", CPU) == ("bf16" if native else "fp32")


@pytest.mark.parametrize("has_library", [True, False])
@pytest.mark.parametrize("has_bf16", [True, False])
def test_auto_on_an_arm_processor(monkeypatch, has_library, has_bf16):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: has_library)
    if has_library:
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has_bf16)
    assert resolve_precision("auto", CPU) == ("bf16" if has_library and has_bf16 else "fp32")


@pytest.mark.parametrize(
    ("number_format", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_products_run_in_that_format(number_format, dtype):
    a = torch.ones(2, 2)
    with autocast(number_format, CPU):
        assert (a @ a).dtype == dtype


def test_fp16_and_what_is_unknown_are_refused():
    with pytest.raises(InputError, match="precision: fp16 is unusable on CPUs; use bf16 or fp32"):
        resolve_precision("fp16", CPU)
    with pytest.raises(InputError, match="precision: is 'half'; use fp32, bf16, fp16 or auto"):
        resolve_precision("half", CPU)
    assert PRECISIONS == ("auto", "fp32", "bf16", "fp16")


def test_devices():
    assert find_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert find_device("cpu") == CPU
    for name in ("toaster", "cuda:99"):
        with pytest.raises(InputError, match=f"device {name}: cannot be used .* use cpu, cuda"):
            find_device(name)


@pytest.mark.gpu
def test_fp16_on_a_gpu():
    device = find_device()
    a = torch.ones(2, 2, device=device)
    with autocast(resolve_precision("fp16", device), device):
        assert (a @ a).dtype == torch.float16
