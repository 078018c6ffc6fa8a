"""What a step must compute, and what the hardware can."""

import time

import torch

from bertsmith.batches import PretrainingBatch
from bertsmith.model import BertConfig, PackedSequences
from bertsmith.training.flops import ModelFlops

__all__ = ["matrix_product_rate", "training_flops"]


def training_flops(config: BertConfig, batch: PackedSequences) -> float:
    """Floating-point operations of a training step on real tokens, see `ModelFlops`."""
    num_predictions = len(batch.masked_labels) if isinstance(batch, PretrainingBatch) else 0
    return ModelFlops.of_config(config).of_batch(batch, num_predictions)


def matrix_product_rate(device: torch.device, dtype: torch.dtype = torch.bfloat16) -> float:
    """The best measured rate of large matrix products, in FLOP/s."""
    is_gpu = device.type == "cuda"
    size = 8192 if is_gpu else 2048
    best = 0.0
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    for _ in range(3):
        for _ in range(3):
            a @ b
        synchronize(device)
        repeats = 20 if is_gpu else 5
        start = time.perf_counter()
        for _ in range(repeats):
            a @ b
        synchronize(device)
        best = max(best, repeats * 2 * size**3 / (time.perf_counter() - start))
    return best


def synchronize(device: torch.device) -> None:
    """Waits for what the device is at."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
