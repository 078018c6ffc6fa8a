"""`torch.compile`, part by part, where it pays."""

import importlib.util

import torch
from torch import nn

from bertsmith.model.encoder import Embeddings, Encoder, EncoderLayer
from bertsmith.model.heads import MaskedLMHead
from bertsmith.objectives import Sums, chunked_sums, whole_sums

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
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None


def compile_parts(model: nn.Module, *, by_layer: bool = True) -> None:
    """Compiles embeddings, encoder and masked-LM head in place, for any number of tokens.

    Names of parameters, and so checkpoints, stay as they are.

    Args:
        model: a model of this package, on the device where it trains.
        by_layer: compile one layer, which all share. That takes seconds, and each layer's
            gradients are there as soon as its backward pass is over, for many ranks to exchange.
            Otherwise the encoder is compiled as a whole, which takes a minute and keeps the
            processor less busy.
    """
    parts = (Embeddings, EncoderLayer if by_layer else Encoder, MaskedLMHead)
    for part in model.modules():
        if isinstance(part, parts):
            part.compile(dynamic=True)


def sums_for(is_compiled: bool) -> Sums:
    """How cross-entropy is worked out beside a model that is compiled, or not."""
    return torch.compile(whole_sums, dynamic=True) if is_compiled else chunked_sums
