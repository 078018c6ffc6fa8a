"""What a step must compute, and what the hardware can."""

import time

import torch

from bertsmith.batches import PretrainingBatch
from bertsmith.model import BertConfig, PackedSequences

__all__ = ["matrix_product_rate", "training_flops"]


def training_flops(config: BertConfig, batch: PackedSequences) -> float:
    """Floating-point operations of the matrix products of a training step on real tokens.

    A product of [m, k] and [k, n] is 2mkn. Of every token: query, key, value and output
    projections 8D², feed-forward 4DF; of a sequence of S tokens: scores and values 4S²D; all that
    in L layers. Of every predicted token: 2D² + 2DV. Of every sequence: the pooler's 2D². Backward
    is twice forward.
    """
    D, F, V = config.hidden_size, config.intermediate_size, config.vocab_size
    lengths = batch.lengths.double()
    layer = batch.num_tokens * (8 * D * D + 4 * D * F) + 4 * D * float(lengths.square().sum())
    total = config.num_hidden_layers * layer + batch.batch_size * 2 * D * D
    if isinstance(batch, PretrainingBatch):
        total += len(batch.masked_labels) * (2 * D * D + 2 * D * V)
    return 3 * total


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
