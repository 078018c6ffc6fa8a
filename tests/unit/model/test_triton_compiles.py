"""Triton's compiler takes the kernels, for GPUs that aren't here."""

import json

import pytest

from bertsmith.model import short_attention
from triton_checks import needs_triton, run_script

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
    stack = re.search(r"STACK:(\\d+)", said)[1]
    return {"stack": int(stack), "shared": kernel.metadata.shared}


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
gradients = {"grad_output": dtype, "grad_query_key_value": dtype}
for H in (64, 128):
    sizes = {"N": 12, "H": H, "S": 128, "CAUSAL": True, "THRESHOLD": 429496730}
    for name, kernel, others in (
        (f"attention {H}", room.forward_kernel, {"output": dtype}),
        (f"attention {H} backward", room.backward_kernel, gradients),
    ):
        found[name] = usage(compiled(
            kernel, room.LAUNCH, ["keep_scale", "scale"], parts | others, **sizes
        ))
print(json.dumps(found))
"""

# What a program may have of a chip's own memory on GPUs for games and for inference.
LEAST_SHARED = 99 * 1024


@pytest.mark.slow
@needs_triton
@pytest.mark.parametrize(
    ("capability", "dtype"),
    # A100, L4, H100 and H200, B200
    [(80, "fp16"), (80, "bf16"), (89, "bf16"), (90, "bf16"), (100, "bf16")],
)
def test_kernels_compile_and_fit(tmp_path, capability, dtype):
    command = "-W", "error", "-c", SCRIPT, str(capability), dtype
    cache = str(tmp_path / "cache")
    found = json.loads(run_script(*command, folder=tmp_path, TRITON_CACHE_DIR=cache))
    assert len(found) == 6
    wide = found.pop("attention 128 backward")
    assert wide["shared"] <= short_attention._LARGEST_SHARED_BYTES
    assert all(each["shared"] <= LEAST_SHARED for each in found.values()), found
    # What doesn't fit into registers is on a stack, in memory.
    assert all(each["stack"] <= 256 for each in found.values()), found
