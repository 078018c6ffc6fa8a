"""The C kernels, compiled on the machine that runs them and kept for the next process."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from bertsmith._parallel import num_processors

__all__ = ["kernels", "wants_products", "why_no_kernels"]

_SOURCES = (
    "residual_norm.c",
    "dropout.c",
    "embeddings.c",
    "gelu.c",
    "attention.c",
    "cross_entropy.c",
    "products.c",
    "weight_gradient.c",
    "float_products.c",
    "float_attention.c",
    "tiled_attention.c",
    "float_layer.c",
    "tiled_layer.c",
    "encoder_layer.c",
    "vocabulary.c",
    "vocabulary_loss.c",
    "adamw.c",
)
_HEADERS = (
    "amx_tiles.h",
    "common.h",
    "few_rows.h",
    "float_products.h",
    "gelu.h",
    "kernels.h",
    "layer_kernels.h",
    "softmax.h",
    "tiles.h",
    "tiled_softmax.h",
    "vector_tiles.h",
    "vectors.h",
)
# Not -ffast-math: it would let NaN pass unseen, and change how the whole process rounds.
_FLAGS = (
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",  # which -std=c11 takes away: a product and a sum in one step
    "-fopenmp",
    "-std=c11",
    "-fPIC",
    "-w",  # nobody reads warnings here, and an error is told by its line
)
_TIMEOUT_S = 120
_WORK = "bertsmith-"  # what names of folders for compiling begin with
_FORGOTTEN_S = 3600


def kernels() -> ctypes.CDLL | None:
    """The compiled kernels; None where they can't be had, see `why_no_kernels`."""
    return _load()[0]


def why_no_kernels() -> str | None:
    """Why they can't be had here, in a line for the user; None where they can or aren't wanted."""
    return _load()[1]


def wants_products() -> bool:
    """Whether products may be the kernels' own too, as far as the user is concerned."""
    return _wanted() != "no-products"


@functools.cache
def _load() -> tuple[ctypes.CDLL | None, str | None]:
    if _wanted() in ("off", "0", "false"):
        return None, None
    reasons = []
    for compiler in _compilers():
        name = " ".join(compiler)
        try:
            library = _permitted(compiler)
        except (OSError, subprocess.SubprocessError) as error:
            reasons.append(f"{name} did not compile them ({_reason(error)})")
            continue
        if _on_pytorchs_threads(library):
            return library, None
        reasons.append(f"what {name} compiles would run on other threads than PyTorch's")
    return None, reasons[0] if reasons else "there is no C compiler (gcc, cc or clang)"


def _wanted() -> str:
    return os.environ.get("BERTSMITH_CPU_KERNELS", "on").lower()


def _compilers() -> list[list[str]]:
    """The one that CC names; else all there are, the best first.

    That is GCC, with whose OpenMP library PyTorch's packages come.
    """
    named = os.environ.get("CC", "").split()
    return [named] if named else [[name] for name in ("gcc", "cc", "clang") if shutil.which(name)]


def _permitted(compiler: list[str]) -> ctypes.CDLL:
    """The library, without AMX where the system keeps its tiles from this process."""
    library = _compiled(compiler)
    if not library.lacks_permission():
        return library
    try:
        return _compiled([*compiler, "-DWITHOUT_AMX"])
    except (OSError, subprocess.SubprocessError):
        return library  # which has everything but products of bf16


def _compiled(compiler: list[str]) -> ctypes.CDLL:
    """The library, compiled unless an earlier process did that already."""
    folder = Path(__file__).parent
    texts = [(folder / name).read_bytes() for name in (*_SOURCES, *_HEADERS)]
    options = [*_FLAGS, *_wide_vectors()]
    libraries = [*_openmp(), "-lm"]
    key = b"\0".join([*texts, repr((compiler, options, libraries, _processor())).encode()])
    name = f"cpu-kernels-{hashlib.sha256(key).hexdigest()[:16]}.so"
    cache = _cache()
    if cache is not None and _is_whole(cache / name):
        try:
            return ctypes.CDLL(str(cache / name))
        except OSError:
            pass  # a folder whose programs may not be run
    # Several processes may be at it: each writes its own file, and the last one stays.
    keeps = cache is not None and os.access(cache, os.W_OK)
    if cache is not None and keeps:
        _forget_work(cache)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=cache if keeps else None) as work:
        made = Path(work) / name
        _compile([*compiler, *options], libraries, folder, made)
        library = ctypes.CDLL(str(made))  # fails here, not at a call, where a function is missing
        if cache is not None and keeps:
            _seal(made)
            made.replace(cache / name)
    return library


def _seal(library: Path) -> None:
    """Writes a hash behind a library, where the loader doesn't look, and all of it to the disk."""
    with library.open("r+b") as file:
        digest = hashlib.sha256(file.read()).digest()
        file.write(digest)
        file.flush()
        os.fsync(file.fileno())


def _is_whole(library: Path) -> bool:
    """Whether a file is as `_seal` left it: of one cut short the loader kills the process."""
    try:
        content = library.read_bytes()
    except OSError:
        return False
    size = hashlib.sha256().digest_size
    return hashlib.sha256(content[:-size]).digest() == content[-size:]


def _forget_work(cache: Path) -> None:
    """Removes what processes left that were killed while they compiled."""
    for folder in cache.glob(f"{_WORK}*"):
        try:
            if time.time() - folder.stat().st_mtime > _FORGOTTEN_S:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # another process was faster


def _compile(compiler: list[str], libraries: list[str], folder: Path, made: Path) -> None:
    """Compiles the sources, one a core, and makes them one library.

    Args:
        compiler: with its options.
        libraries: what the library needs.
        folder: where the sources are.
        made: the file to write; its folder takes the objects too.
    """

    def run(*arguments: str) -> None:
        command = [*compiler, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)

    def compile_one(source: str) -> str:
        compiled = str(made.with_name(f"{source}.o"))
        run("-c", str(folder / source), "-o", compiled)
        return compiled

    pool = ThreadPoolExecutor(num_processors())
    try:
        objects = list(pool.map(compile_one, _SOURCES))
    finally:
        pool.shutdown(cancel_futures=True)
    run("-shared", *objects, "-o", str(made), *libraries)


def _cache() -> Path | None:
    """Where the library is kept; None where there is no such folder, or others may write to it."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bertsmith"
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = cache.stat()
    except (OSError, RuntimeError):
        return None  # no home, or one that nobody may write to
    # What lies there is run: it must be by this user or the system's.
    others = stat.S_IWGRP | stat.S_IWOTH
    is_trusted = status.st_uid in (0, os.geteuid()) and not status.st_mode & others
    return cache if is_trusted else None


def _wide_vectors() -> list[str]:
    """512 bits at a time where the processor has them; GCC takes half as many by itself."""
    return ["-mprefer-vector-width=512"] if platform.machine() == "x86_64" else []


def _openmp() -> list[str]:
    """PyTorch's own OpenMP library, so that its threads work here too and not as many more."""
    found = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    return [str(found[0])] if found else []


def _on_pytorchs_threads(library: ctypes.CDLL) -> bool:
    """Whether the kernels start their threads where PyTorch does.

    Clang calls LLVM's OpenMP library, beside GCC's of PyTorch. Each library has its own threads,
    which wait in a loop for their next work and so keep the other's from the cores: a step took
    twice as long as without kernels.
    """
    start = "__kmpc_fork_call" if hasattr(library, "__kmpc_fork_call") else "GOMP_parallel"
    own, pytorchs = _address(library, start), _address(ctypes.CDLL(torch._C.__file__), start)
    return own == pytorchs


def _address(library: ctypes.CDLL, function: str) -> int | None:
    """Where a function of a library, or of one that it needs, lies; None without such a one."""
    try:
        return ctypes.cast(library[function], ctypes.c_void_p).value
    except AttributeError:
        return None


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


def _reason(error: Exception) -> str:
    """The line that says what failed, of what may be a compiler's many."""
    text = getattr(error, "stderr", None) or str(error).encode()
    lines = text.decode(errors="replace").strip().splitlines() or [type(error).__name__]
    told = ("error", "cannot find", "undefined")  # "cannot find -lomp" is the linker's
    return next((line for line in lines if any(word in line for word in told)), lines[0])
