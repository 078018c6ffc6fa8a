"""The C kernels, compiled on the machine that runs them and kept for the next process."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

__all__ = ["kernels", "why_no_kernels"]

_SOURCES = ("residual_norm.c", "gelu.c", "attention.c", "cross_entropy.c")
_HEADERS = ("common.h",)
# Not -ffast-math: it would let NaN pass unseen, and change how the whole process rounds.
_FLAGS = (
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fopenmp",
    "-std=c11",
    "-shared",
    "-fPIC",
)
_TIMEOUT_S = 120


def kernels() -> ctypes.CDLL | None:
    """The compiled kernels; None where they can't be had, see `why_no_kernels`."""
    return _load()[0]


def why_no_kernels() -> str | None:
    """Why they can't be had here, in a line for the user; None where they can or aren't wanted."""
    return _load()[1]


@functools.cache
def _load() -> tuple[ctypes.CDLL | None, str | None]:
    if os.environ.get("BERTSMITH_CPU_KERNELS", "on").lower() in ("off", "0", "false"):
        return None, None
    compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        return None, "there is no C compiler (cc, gcc or clang)"
    try:
        return _compiled(compiler.split()), None
    except (OSError, subprocess.SubprocessError) as error:
        return None, f"{compiler} did not compile them ({_first_line(error)})"


def _compiled(compiler: list[str]) -> ctypes.CDLL:
    """The library, compiled unless an earlier process did that already."""
    folder = Path(__file__).parent
    texts = [(folder / name).read_bytes() for name in (*_SOURCES, *_HEADERS)]
    options = [*_FLAGS, *_wide_vectors()]
    libraries = [*_openmp(), "-lm"]
    key = b"\0".join([*texts, repr((compiler, options, libraries, _processor())).encode()])
    target = _cache() / f"cpu-kernels-{hashlib.sha256(key).hexdigest()[:16]}.so"
    try:
        return ctypes.CDLL(str(target))
    except OSError:
        pass  # it isn't there, or is no library
    # Several processes may be at it: each writes its own file, and the last one stays.
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        made = Path(work) / target.name
        sources = [str(folder / name) for name in _SOURCES]
        command = [*compiler, *options, *sources, "-o", str(made), *libraries]
        subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)
        made.replace(target)
    return ctypes.CDLL(str(target))


def _cache() -> Path:
    """Where the library is kept; a folder for this process alone where there is no other."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bertsmith"
        cache.mkdir(parents=True, exist_ok=True)
        if os.access(cache, os.W_OK):
            return cache
    except (OSError, RuntimeError):
        pass  # no home, or one that nobody may write to
    return Path(tempfile.mkdtemp(prefix="bertsmith-"))


def _wide_vectors() -> list[str]:
    """512 bits at a time where the processor has them; GCC takes half as many by itself."""
    return ["-mprefer-vector-width=512"] if platform.machine() == "x86_64" else []


def _openmp() -> list[str]:
    """PyTorch's own OpenMP library, so that its threads work here too and not as many more."""
    found = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    return [str(found[0])] if found else []


def _processor() -> str:
    """What the compiler's `-march=native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(
        next((line for line in lines if line.startswith(name)), "")
        for name in ("model name", "flags", "Features")
    )


def _first_line(error: Exception) -> str:
    text = getattr(error, "stderr", None) or str(error).encode()
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else type(error).__name__
