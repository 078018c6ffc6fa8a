"""Compiling the C kernels: which compiler, once, and what happens where none can."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bertsmith.model import cpu_kernels

SCRIPT = """
import torch
from bertsmith.model import cpu_kernels
print(cpu_kernels.has_cpu_kernels(torch.zeros(1).bfloat16()), cpu_kernels.why_no_kernels())
"""
TILES = """
import torch
from bertsmith.model import cpu_kernels
values, weight = torch.ones(40, 64).bfloat16(), torch.ones(32, 64, requires_grad=True)
cu_seqlens = torch.tensor([0, 40], dtype=torch.int32)
with torch.autocast("cpu", dtype=torch.bfloat16):
    output = cpu_kernels.product(values, weight)
assert (output == 64).all()
output.sum().backward()
assert (weight.grad == 40).all()
heads = torch.ones(40, 3, 2, 32).bfloat16()
assert (cpu_kernels.padded_attention(heads, cu_seqlens, 40, 40) == 1).all()
"""
PERMITTED = """
from bertsmith.model.cpu_kernels import running, tiles
print(tiles.has_tiles(), running.ask("lacks_permission"))
"""
PRODUCTS = """
from bertsmith.model import cpu_kernels
from bertsmith.model.cpu_kernels import float_products, tiles
print(cpu_kernels.has_cpu_kernels(), tiles.has_tiles(), float_products.has_float_products())
"""
REFUSED = "would run on other threads than PyTorch's"
CROSS_COMPILER = {True: "aarch64-linux-gnu-gcc", False: "x86_64-linux-gnu-gcc"}
COMPILER = " ".join((cpu_kernels.library._compilers() or [["no compiler"]])[0])

pytestmark = pytest.mark.skipif(
    not cpu_kernels.has_cpu_kernels(torch.zeros(1).bfloat16()), reason="no C compiler here"
)


@pytest.fixture(scope="module", autouse=True)
def quick(tmp_path_factory):
    """A compiler that doesn't optimize, in CC: six times as fast, and what it makes isn't run."""
    program = tmp_path_factory.mktemp("compiler") / "quick-cc"
    a_program(program, f'exec {COMPILER} "$@" -O0')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CC", str(program))
        yield str(program)


def asked(cache, script=SCRIPT, **environment):
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), **environment}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def a_program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_they_are_compiled_once(tmp_path):
    assert asked(tmp_path) == "True None"
    (library,) = (tmp_path / "bertsmith").iterdir()
    made = library.stat().st_mtime_ns
    assert asked(tmp_path) == "True None"
    assert [file.stat().st_mtime_ns for file in (tmp_path / "bertsmith").iterdir()] == [made]


def test_a_damaged_library_is_compiled_again(tmp_path):
    asked(tmp_path)
    (library,) = (tmp_path / "bertsmith").iterdir()
    whole = library.read_bytes()
    half = len(whole) // 2
    flipped = whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]
    # The loader dies at one that is cut short, by SIGBUS, and takes a flipped bit for code.
    for damaged in (b"no library", b"", whole[:half], whole[:-1], flipped):
        library.write_bytes(damaged)
        assert asked(tmp_path) == "True None"
        assert library.read_bytes() != damaged


def test_what_killed_processes_left_is_removed(tmp_path):
    left, new = (tmp_path / "bertsmith" / name for name in ("bertsmith-old", "bertsmith-new"))
    for folder in (left, new):
        folder.mkdir(parents=True)
        (folder / "gelu.c.o").write_text("half of it")
    os.utime(left, (0, 0))
    asked(tmp_path)
    assert not left.exists()
    assert new.exists()


def test_a_cache_that_cannot_be_made(tmp_path):
    (tmp_path / "bertsmith").write_text("a file")
    assert asked(tmp_path) == "True None"


def test_a_process_without_a_cache_leaves_nothing_behind(tmp_path):
    (tmp_path / "bertsmith").write_text("a file")
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    assert asked(tmp_path, TMPDIR=str(rooms)) == "True None"
    assert not [room for room in rooms.iterdir() if list(room.glob("*.so"))]


def test_what_others_may_have_written_is_not_run(tmp_path):
    asked(tmp_path)
    (library,) = (tmp_path / "bertsmith").iterdir()
    assert library.parent.stat().st_mode & 0o077 == 0
    library.write_text("planted")
    for mode in (0o777, 0o770):
        library.parent.chmod(mode)
        assert asked(tmp_path) == "True None"
        assert library.read_text() == "planted"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_nobody_may_write_to_is_read(tmp_path):
    works = tmp_path / "compiler"
    shutil.copy(os.environ["CC"], works)
    assert asked(tmp_path, CC=str(works)) == "True None"
    (tmp_path / "bertsmith").chmod(0o500)
    a_program(works, "exit 1")
    assert asked(tmp_path, CC=str(works)) == "True None"


def test_a_path_with_spaces(tmp_path):
    assert asked(tmp_path / "a b", HOME=str(tmp_path)) == "True None"
    assert list((tmp_path / "a b" / "bertsmith").iterdir())


def test_tiles_get_what_was_written_wherever_a_function_stands(tmp_path):
    """GCC thinks that a tile's instructions read less than they do: it must be told."""
    asked(tmp_path, TILES, CC=f"{COMPILER} -fno-inline")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="what stands in for AMX is x86's")
def test_a_system_that_keeps_the_tiles_gets_vectors(tmp_path, quick):
    emulation = Path(__file__).parents[2] / "emulation" / "amx.h"
    compiler = f"{quick} -include {emulation} -DREFUSES_AMX"
    made = []
    for _ in range(2):  # the second one finds both compiled
        assert asked(tmp_path, TILES + PERMITTED, CC=compiler) == "True 0"
        made.append({file.stat().st_mtime_ns for file in (tmp_path / "bertsmith").iterdir()})
    assert len(made[0]) == 2
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("processor", "its_own"),
    [
        ("x86-64", set()),
        ("x86-64-v3", {"float_product"}),
        ("cooperlake", {"float_product", "weight_gradient"}),  # AVX512-BF16 alone
        ("sapphirerapids", {"float_product", "weight_gradient"}),
        ("armv8-a", set()),
        ("armv8.6-a+sve", set()),
    ],
)
def test_they_compile_for_every_kind_of_processor(processor, its_own, tmp_path):
    is_arm = processor.startswith("arm")
    is_another = is_arm != (platform.machine() == "aarch64")
    compiler = CROSS_COMPILER[is_arm] if is_another else COMPILER
    command = [*compiler.split(), f"-march={processor}", "-x", "c"]
    try:
        subprocess.run([*command, "-E", os.devnull], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        # GCC 10 is too old for Sapphire Rapids; ARM's is a package of its own, which CI installs.
        pytest.skip(f"there is no {compiler} here that knows {processor}")
    folder = Path(cpu_kernels.__file__).parent
    sources = [str(folder / name) for name in cpu_kernels.library._SOURCES]
    flags = [flag for flag in cpu_kernels.library._FLAGS if flag != "-march=native"]
    subprocess.run([*command, *flags, "-O0", "-c", *sources], check=True, cwd=tmp_path)
    names = {"float_product": "float_products.o", "weight_gradient": "weight_gradient.o"}
    found = {
        name
        for name, file in names.items()
        if f"\0{name}\0".encode() in (tmp_path / file).read_bytes()
    }
    assert found == its_own


def test_products_can_be_left_to_pytorch(tmp_path):
    assert asked(tmp_path, PRODUCTS, BERTSMITH_CPU_KERNELS="no-products") == "True False False"


def test_without_a_compiler_there_are_none(tmp_path):
    assert asked(tmp_path, CC="no-such-compiler").startswith("False no-such-compiler did not")
    assert asked(tmp_path, CC="false").startswith("False false did not compile them")
    assert asked(tmp_path, CC=" ", PATH="").startswith("False there is no C compiler")
    assert asked(tmp_path, BERTSMITH_CPU_KERNELS="off") == "False None"


def test_a_compiler_that_fails_leaves_it_to_the_next(tmp_path):
    a_program(tmp_path / "gcc", "echo 'In file x' >&2; echo 'x: error: too old' >&2; exit 1")
    found = {"CC": "", "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    a_program(tmp_path / "cc", f'exec {shutil.which(COMPILER)} "$@" -O0')
    assert asked(tmp_path, **found) == "True None"
    for name in ("cc", "clang"):
        a_program(tmp_path / name, "exit 1")
    (tmp_path / "bertsmith").rename(tmp_path / "before")
    assert asked(tmp_path, **found) == "False gcc did not compile them (x: error: too old)"
    # One that is named is the only one that is tried.
    assert asked(tmp_path, **found | {"CC": "clang"}).startswith("False clang did not compile")


def test_a_library_that_lacks_a_function_is_refused_before_the_first_call(tmp_path, quick):
    header = tmp_path / "lacking.h"
    header.write_text("#include <math.h>\nfloat missing(float);\n#define logf missing\n")
    said = asked(tmp_path, CC=f"{quick} -include {header}")
    assert said.startswith(f"False {quick} -include")
    assert "undefined symbol: missing" in said
    assert not list((tmp_path / "bertsmith").iterdir())


def test_kernels_on_other_threads_than_pytorchs_are_refused(tmp_path, quick):
    threads = tmp_path / "threads.h"
    threads.write_text(
        "__attribute__((weak)) void GOMP_parallel("
        "void (*work)(void *), void *data, unsigned n, unsigned flags) { work(data); }\n"
    )
    for _ in range(2):  # the second one finds it compiled
        said = asked(tmp_path, CC=f"{quick} -include {threads}")
        assert said == f"False what {quick} -include {threads} compiles {REFUSED}"


@pytest.mark.skipif(not shutil.which("clang"), reason="no clang here")
def test_clang_is_refused_with_the_reason(tmp_path):
    said = asked(tmp_path, CC="clang")
    # Its OpenMP library is a package of its own, and not PyTorch's.
    missing = said.startswith("False clang did not compile them") and "omp" in said
    assert missing or said == f"False what clang compiles {REFUSED}"
