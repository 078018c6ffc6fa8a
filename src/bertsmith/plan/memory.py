"""What a device's memory holds: sequences in a forward pass, and sizes at all."""

import math

import torch

from bertsmith.model import BertConfig, BertForPreTraining

__all__ = ["choose_micro_batch", "needed_memory_gb"]

_LENGTH = 128
# Of a token, a layer and a hidden unit: 34 bytes in half precision (Korthikanti et al. 2022), and
# as much again for attention and the head.
_BYTES_PER_ACTIVATION = 34 * 2
# Weights, gradients and Adam's two moments, in fp32.
_BYTES_PER_PARAMETER = 4 * 4
# Larger ones gain nothing on a CPU.
_LARGEST_ON_CPU = 32


def choose_micro_batch(config: BertConfig, memory_gb: float, share: int, *, is_gpu: bool) -> int:
    """As many of a device's share as a third of the memory holds activations of, at length 128.

    Args:
        config: the model's shape.
        memory_gb: the device's memory, in 10⁹ bytes.
        share: the device's sequences of an update.
        is_gpu: whether it is one.

    Returns:
        Sequences in a forward pass; all of an update's are alike, but for the last.

    Example:
        >>> choose_micro_batch(BertConfig.of_size("base"), 80, 768, is_gpu=True)
        256
    """
    fits = memory_gb * 1e9 / 3 / _activation_bytes(config)
    largest = 1 << math.floor(math.log2(max(fits, 1)))
    if not is_gpu:
        largest = min(largest, _LARGEST_ON_CPU)
    return math.ceil(share / math.ceil(share / largest))


def needed_memory_gb(config: BertConfig, micro_batch_size: int) -> float:
    """Memory that training takes at length 128, about, in 10⁹ bytes.

    Args:
        config: the model's shape.
        micro_batch_size: sequences in a forward pass.

    Example:
        >>> round(needed_memory_gb(BertConfig.of_size("large"), 8), 1)
        7.1
    """
    with torch.device("meta"):  # shapes alone
        num_parameters = BertForPreTraining(config).num_parameters()
    activations = micro_batch_size * _activation_bytes(config)
    return (num_parameters * _BYTES_PER_PARAMETER + activations) / 1e9


def _activation_bytes(config: BertConfig) -> int:
    """Of a sequence."""
    return _LENGTH * config.hidden_size * config.num_hidden_layers * _BYTES_PER_ACTIVATION
