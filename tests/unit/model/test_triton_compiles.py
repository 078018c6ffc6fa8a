"""Triton's compiler takes the kernels, for GPUs that aren't here."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("triton", reason="Triton is for x86-64 Linux alone")

# In a process of its own, with a cache of its own: other tests have Triton interpret.
SCRIPT = """
import json, re, subprocess, sys
from pathlib import Path

import triton
from triton import knobs
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from bertsmith.model import residual_norm_kernels, short_attention_kernels

capability, dtype = int(sys.argv[1]), sys.argv[2]


def compiled(kernel, launch, floats, pointers, ints=(), **constants):
    places = {name: place for place, name in enumerate(kernel.arg_names)}
    types = {
        **dict.fromkeys(floats, "fp32"),
        **dict.fromkeys(ints, "i32"),
        **{name: f"*{kind}" for name, kind in pointers.items()},
        **dict.fromkeys(constants, "constexpr"),
    }
    signature = {name: types[name] for name in places}
    values = {(places[name],): value for name, value in constants.items()}
    aligned = {(places[name],): [["tt.divisibility", 16]] for name in pointers}
    source = ASTSource(kernel, signature, values, aligned)
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(source, target=target, options=launch)


def usage(kernel):
    binary = Path("kernel.cubin")
    binary.write_bytes(kernel.asm["cubin"])
    command = [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", binary]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spilled = re.search(r"STACK:(\\d+)", said)[1]
    return {"spilled": int(spilled), "shared": kernel.metadata.shared}


found = {}
room = residual_norm_kernels
parts = {"values": dtype, "residual": dtype, "weight": "fp32", "means": "fp32", "factors": "fp32"}
parts["seed_pointer"] = "i32"
sizes = {"D": 768, "W": 1024, "THRESHOLD": 429496730}
found["norm"] = usage(compiled(
    room.forward_kernel, room.LAUNCH, ["scale", "eps"], parts | {"bias": "fp32", "output": dtype},
    **sizes,
))
gradients = {"grad_output": dtype, "grad_values": dtype, "grad_residual": dtype}
gradients |= {"grad_weights": "fp32", "grad_biases": "fp32"}
found["norm backward"] = usage(compiled(
    room.backward_kernel, room.LAUNCH, ["scale"], parts | gradients, ["T"], **sizes
))
room = short_attention_kernels
parts = {"query_key_value": dtype, "cu_seqlens": "i32", "seed": "i32"}
sizes = {"N": 12, "H": 64, "S": 128, "CAUSAL": True, "THRESHOLD": 429496730}
found["attention"] = usage(compiled(
    room.forward_kernel, room.LAUNCH, ["keep_scale", "scale"], parts | {"output": dtype}, **sizes
))
gradients = {"grad_output": dtype, "grad_query_key_value": dtype}
found["attention backward"] = usage(compiled(
    room.backward_kernel, room.LAUNCH, ["keep_scale", "scale"], parts | gradients, **sizes
))
print(json.dumps(found))
"""

#: What a program may have of a chip's own memory on GPUs for games and for inference.
LEAST_SHARED = 99 * 1024


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
@pytest.mark.parametrize("capability", [80, 90, 100])  # A100, H100 and H200, B200
def test_kernels_compile_and_fit(tmp_path, capability, dtype):
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path / "cache")}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(capability), dtype],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 4
    # What does not fit into registers goes through memory: a few are nothing, thousands are slow.
    assert all(each["spilled"] <= 256 for each in found.values()), found
    assert all(each["shared"] <= LEAST_SHARED for each in found.values()), found
