"""Triton is used where it works, which is more than being installed."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from bertsmith.model import triton_ops
from bertsmith.model.triton_ops import has_triton, why_no_triton
from bertsmith.training import resolve_compile


@pytest.fixture(autouse=True)
def asked_anew():
    why_no_triton.cache_clear()
    yield
    why_no_triton.cache_clear()


@pytest.fixture
def with_gpu(monkeypatch):
    """A GPU of a capability, whose driver does what is given."""

    def with_gpu(capability, target=lambda: "cuda"):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        module = ModuleType("triton.runtime.driver")
        module.driver = SimpleNamespace(active=SimpleNamespace(get_current_target=target))
        for name in ("triton", "triton.runtime"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setitem(sys.modules, "triton.runtime.driver", module)

    return with_gpu


def test_a_gpu_with_a_compiler_has_triton(with_gpu):
    with_gpu((7, 0))
    assert has_triton()
    assert resolve_compile("auto", torch.device("cuda"))
    assert not resolve_compile("auto", torch.device("cpu"))


def test_an_old_gpu_has_none(with_gpu):
    with_gpu((6, 1))
    assert why_no_triton() == "the GPU has compute capability 6.1, and Triton needs 7.0"
    assert not resolve_compile("auto", torch.device("cuda"))
    assert resolve_compile(True, torch.device("cuda"))


def test_without_a_c_compiler_the_reason_is_one_line(with_gpu):
    asked = []

    def target():
        asked.append(1)
        raise RuntimeError("Failed to find C compiler.\nPlease specify via CC.")

    with_gpu((9, 0), target)
    assert not has_triton()
    assert why_no_triton() == (
        "Triton can't be used (RuntimeError: Failed to find C compiler. Please specify via CC.); "
        "has it gcc and Python.h?"
    )
    assert asked == [1]


def test_a_machine_without_a_gpu_or_without_triton_has_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not has_triton()
    why_no_triton.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert why_no_triton() == "Triton isn't installed"


@pytest.mark.parametrize("works", [False, True])
def test_a_compiled_layer_takes_the_answer_as_it_is(monkeypatch, works):
    asked, compiled = [], []

    def why():
        asked.append(1)
        return None if works else "no"

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    def change(x):
        return x * 2 if has_triton() else x * 3

    monkeypatch.setattr(triton_ops, "why_no_triton", why)
    torch.compiler.reset()
    change = torch.compile(change, backend=backend, fullgraph=True)
    for _ in range(2):
        assert change(torch.ones(2)).tolist() == [2 if works else 3] * 2
    assert len(compiled) == len(asked) == 1
