"""Calling the C kernels with tensors."""

import ctypes
import operator
import threading
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from bertsmith.model.cpu_kernels.library import kernels
from bertsmith.model.dropout_draws import dropout_numbers, dropout_seed, dropout_seeds

__all__ = [
    "HashedDropout",
    "ask",
    "call",
    "empty",
    "has_cpu_kernels",
    "in_rows",
    "is_in_rows",
    "is_looked_at",
    "is_plain_float32",
    "is_wide",
    "must_agree",
    "quiet",
    "scratch",
    "thread_sums",
]


def has_cpu_kernels(*tensors: Tensor) -> bool:
    """Whether the kernels can take these tensors: on a CPU, where nobody looks for operators.

    All of them are bf16; or all are float32, and autocast doesn't ask for another type.
    """
    return (
        all(type(t) in (Tensor, nn.Parameter) and t.is_cpu for t in tensors)
        and _have_one_type(tensors)
        and not is_looked_at()
        and kernels() is not None
    )


def is_looked_at() -> bool:
    """Whether PyTorch's operators are recorded, counted or transformed, which kernels aren't.

    That is `torch.compile`, tracing, modes such as a counter of FLOPs, and `torch.func`'s and
    forward-mode differentiation.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    )


def _have_one_type(tensors: tuple[Tensor, ...]) -> bool:
    types = {tensor.dtype for tensor in tensors}
    if types == {torch.float32}:
        return not torch.is_autocast_enabled("cpu")
    return types <= {torch.bfloat16}


def is_wide(numbers: Tensor) -> int:
    """What kernels for both types are told about a tensor: 1 for float32, 0 for bf16.

    Raises:
        TypeError: another type, which they would read as one of these.
    """
    if numbers.dtype not in (torch.float32, torch.bfloat16):
        raise TypeError(f"a kernel takes bf16 or float32, not {numbers.dtype}")
    return int(numbers.dtype == torch.float32)


def is_plain_float32(tensor: Tensor) -> bool:
    """Whether numbers lie as kernels read them: a float32 tensor on the CPU, in one piece."""
    return (
        type(tensor) in (Tensor, nn.Parameter)
        and tensor.dtype == torch.float32
        and tensor.is_cpu
        and tensor.is_contiguous()
    )


@dataclass(frozen=True)
class HashedDropout:
    """One draw from the default generator, from which a kernel hashes what is dropped.

    Attributes:
        seed: the draw, of 31 bits.
        threshold: below which of 2^32 hashes a value is dropped; 0 drops none.
        scale: what the others are multiplied by.
    """

    seed: int
    threshold: int
    scale: float

    @classmethod
    def draw(cls, p: float) -> Self:
        """Draws for a probability in [0, 1); nothing is drawn for 0.

        Example:
            >>> HashedDropout.draw(0.0)
            HashedDropout(seed=0, threshold=0, scale=1.0)
        """
        return cls(int(dropout_seed(p, torch.device("cpu"))), *dropout_numbers(p))

    @classmethod
    def draw_each(cls, *probabilities: float) -> list[Self]:
        """What `draw` gives for one after the other, in one draw."""
        number = sum(p > 0 for p in probabilities)
        seeds = iter(dropout_seeds(number, torch.device("cpu")).tolist())
        return [cls(next(seeds) if p > 0 else 0, *dropout_numbers(p)) for p in probabilities]

    @property
    def numbers(self) -> tuple[int, int, float]:
        """Seed, threshold and scale, as kernels take them."""
        return self.seed, self.threshold, self.scale


def empty(*shape: int) -> Tensor:
    """Room for float32 numbers on the CPU, whatever PyTorch's default type and device are."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")


def thread_sums(*shape: int) -> Tensor:
    """Zeros, float32 [threads, *shape], to which each thread of a kernel adds its own part."""
    return torch.zeros(torch.get_num_threads(), *shape, dtype=torch.float32, device="cpu")


class _Scratch(threading.local):
    """Each thread's rooms, as large as any of its kernels has needed them."""

    def __init__(self) -> None:
        self.rooms = dict[str, Tensor]()


_SCRATCH = _Scratch()


def scratch(num_bytes: int, name: str = "") -> Tensor:
    """Room for what one call of a kernel forgets, uint8; this thread's next call gets the same.

    Args:
        num_bytes: how much is needed.
        name: which of several, where a call needs them.
    """
    room = _SCRATCH.rooms.get(name)
    if room is None or len(room) < num_bytes:
        room = torch.empty(num_bytes, dtype=torch.uint8, device="cpu")
        _SCRATCH.rooms[name] = room
    return room


def in_rows(matrix: Tensor) -> Tensor:
    """The same matrix, each row in one piece; rows may be further apart than they are long."""
    return matrix if is_in_rows(matrix) else matrix.contiguous()


def is_in_rows(matrix: Tensor) -> bool:
    """Whether each row is in one piece, and no number of two rows."""
    rows, length = matrix.shape
    return matrix.stride(1) == 1 and (rows <= 1 or matrix.stride(0) >= length)


def quiet(values: Tensor) -> Tensor:
    """The same as contiguous float32, each NaN as the one that kernels don't round to a number.

    Args:
        values: a bias or weights, a few numbers compared with what they are added to.
    """
    inf = torch.inf
    return values.float().nan_to_num(nan=torch.nan, posinf=inf, neginf=-inf).contiguous()


def must_agree(what: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Refuses a tensor of another shape: a kernel would read or write beyond it.

    Args:
        what: the tensor, for the message.
        shape: its shape.
        expected: what the kernel goes by.

    Raises:
        ValueError: they differ.
    """
    if shape != expected:
        raise ValueError(f"{what} has the shape {list(shape)}, not {list(expected)}")


def call(name: str, *arguments: Tensor | float | int | None) -> None:
    """Calls a kernel on as many threads as PyTorch uses.

    Args:
        name: the C function.
        arguments: its arguments but the last, the number of threads: tensors on the CPU that are
            contiguous, or matrices as `in_rows` gives them; ints for int64_t, floats for float,
            and None for a pointer to nothing.
    """
    library = kernels()
    if library is None:
        raise RuntimeError("there are no kernels; ask has_cpu_kernels first")
    given = [_converted(argument) for argument in (*arguments, torch.get_num_threads())]
    getattr(library, name)(*given)


def ask(name: str, *numbers: int) -> int:
    """The number that a function of the library has for others, all of them int64_t; 0 without one.

    Args:
        name: the C function.
        numbers: its arguments.
    """
    library = kernels()
    if library is None:
        return 0
    function = getattr(library, name)
    function.restype = ctypes.c_int64
    return int(function(*map(ctypes.c_int64, numbers)))


def _converted(
    argument: Tensor | float | int | None,
) -> ctypes.c_void_p | ctypes.c_int64 | ctypes.c_float:
    if argument is None:
        return ctypes.c_void_p(None)
    if isinstance(argument, Tensor):
        is_in_pieces = not argument.is_contiguous() and (
            argument.dim() != 2 or not is_in_rows(argument)
        )
        if is_in_pieces or not argument.is_cpu:
            raise ValueError("a kernel takes contiguous tensors on the CPU")
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, float):
        return ctypes.c_float(argument)
    return ctypes.c_int64(operator.index(argument))  # of NumPy's integers too
