"""`torch.compile`, part by part, where it pays."""

import os
import shutil
import sys

import torch
from torch import nn

from bertsmith.errors import RecipeError
from bertsmith.model import Sums, chunked_sums, whole_sums
from bertsmith.model.encoder import Embeddings, EncoderLayer
from bertsmith.model.heads import MaskedLMHead
from bertsmith.model.triton_ops import has_triton

__all__ = ["compile_parts", "resolve_compile", "sums_for"]


def resolve_compile(setting: bool | str, device: torch.device) -> bool:
    """Turns "auto" into True on a GPU that Triton can compile for, else False.

    On a CPU PyTorch's compiler needs a C++ compiler, takes half a minute, and saves little of
    what the packed model leaves.

    Args:
        setting: True, False or "auto".
        device: where the model trains.

    Example:
        >>> resolve_compile("auto", torch.device("cpu"))
        False
    """
    if isinstance(setting, bool):
        return setting
    return device.type == "cuda" and has_triton()


def compile_parts(model: nn.Module) -> None:
    """Compiles embeddings, layers and masked-LM head in place, for any number of tokens.

    All layers share one compiled function: that takes seconds, and each layer's gradients are
    there as soon as its backward pass is over, for many ranks to exchange. Names of parameters,
    and so checkpoints, stay as they are.

    Args:
        model: a model of this package, on the device where it trains.

    Raises:
        RecipeError: that is a CPU, and there is no C++ compiler.
    """
    if next(model.parameters()).device.type == "cpu":
        _require_cpp_compiler()
    # DDP would have graphs cut where its buckets end. A layer is a graph by itself, and must be
    # the same one whether a run has come to a phase or begins in it.
    torch._dynamo.config.optimize_ddp = False
    for part in model.modules():
        if isinstance(part, (Embeddings, EncoderLayer, MaskedLMHead)):
            part.compile(dynamic=True)


def _require_cpp_compiler() -> None:
    """Looks for what PyTorch's compiler calls: the first update would end in its traceback."""
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(name) is None:
        raise RecipeError(
            f"PyTorch's compiler needs a C++ compiler on a CPU, and there is no {name}",
            where="training.compile",
            fix="install it, or set training.compile=false",
        )


def sums_for(is_compiled: bool) -> Sums:
    """How cross-entropy is worked out beside a model that is compiled, or not."""
    return torch.compile(whole_sums, dynamic=True) if is_compiled else chunked_sums
