"""Timing training steps of either side on the same batches."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import torch
from benchmarks.training.flops import synchronize, training_flops
from benchmarks.training.reference import padded_batch, reference_model, reference_step

from bertsmith.batches import PretrainingBatch
from bertsmith.model import BertConfig, BertForPreTraining, PackedSequences
from bertsmith.objectives import MaskedLM
from bertsmith.training import LoopSettings, compile_parts, sums_for
from bertsmith.training.update import Updater
from bertsmith.training.window import Window

__all__ = ["Speed", "our_pretraining", "their_pretraining", "time_steps"]

GlobalBatch = Sequence[PretrainingBatch]


@dataclass(frozen=True)
class Speed:
    """What a number of steps took.

    Attributes:
        tokens_per_second: real tokens, padding not counted.
        flops_per_second: floating-point operations that those tokens need, padding not counted.
        seconds_per_step: the median.
        sequences_per_second: sequences of whatever length.
        peak_bytes: most memory allocated on a GPU; 0 on a CPU.
        host_seconds_per_step: until a step has been handed to the device.
    """

    tokens_per_second: float
    flops_per_second: float
    seconds_per_step: float
    sequences_per_second: float
    peak_bytes: int = 0
    host_seconds_per_step: float = 0.0


def our_pretraining(
    config: BertConfig,
    device: torch.device,
    *,
    precision: str = "bf16",
    is_compiled: bool = False,
    **settings: Any,
) -> Callable[[GlobalBatch], None]:
    """A function that does one of our updates."""
    torch.manual_seed(0)
    model = BertForPreTraining(config).to(device)
    if is_compiled:
        compile_parts(model)
    loop = LoopSettings(precision=precision, **settings)  # type: ignore[arg-type]
    update = Updater(model, MaskedLM(sums_for(is_compiled)), loop)
    window = Window()
    return lambda micro_batches: update(micro_batches, 1.0, window)


def their_pretraining(
    config: BertConfig,
    device: torch.device,
    *,
    precision: str = "bf16",
    is_compiled: bool = False,
    length: int | None = None,
    **settings: Any,
) -> Callable[[GlobalBatch], None]:
    """A function that does one update of `transformers`' model, batches padded beforehand."""
    model = reference_model(config).to(device).train()
    if is_compiled:
        model = torch.compile(model)  # type: ignore[assignment]
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.get("learning_rate", 1e-4), weight_decay=0.01, fused=True
    )
    padded = dict[int, list[dict[str, torch.Tensor]]]()

    def step(micro_batches: GlobalBatch) -> None:
        key = id(micro_batches)
        if key not in padded:
            padded[key] = [padded_batch(batch, length) for batch in micro_batches]
            if device.type == "cuda":
                padded[key] = [
                    {name: value.pin_memory() for name, value in batch.items()}
                    for batch in padded[key]
                ]
        reference_step(model, optimizer, padded[key], precision)

    return step


def time_steps(
    step: Callable[[Any], None],
    batches: Sequence[Sequence[PackedSequences]],
    config: BertConfig,
    device: torch.device,
    *,
    num_steps: int,
    num_warmup_steps: int,
) -> Speed:
    """Times steps over the batches, again and again, by the clock from first to last.

    Warm-up takes every batch once at least, so that all are ready and all shapes compiled.
    """
    stream: Iterator[Any] = cycle(batches)
    for batch in islice(stream, max(num_warmup_steps, len(batches))):
        step(batch)
    synchronize(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    chosen = list(islice(stream, num_steps))
    flops = sum(training_flops(config, part) for batch in chosen for part in batch)
    tokens = sum(part.num_tokens for batch in chosen for part in batch)
    sequences = sum(part.batch_size for batch in chosen for part in batch)
    start = time.perf_counter()
    for batch in chosen:
        step(batch)
    synchronize(device)
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    start = time.perf_counter()
    step(chosen[0])
    host = time.perf_counter() - start
    synchronize(device)
    return Speed(
        tokens / seconds, flops / seconds, seconds / num_steps, sequences / seconds, peak, host
    )
