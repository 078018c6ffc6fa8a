"""Timing training steps of either side on the same batches."""

import statistics
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
    """What rounds of steps took, each of them over all batches.

    Attributes:
        tokens_per_second: real tokens, padding not counted; of the median round, as all speeds.
        flops_per_second: floating-point operations that those tokens need, padding not counted.
        seconds_per_step: of the median round, in the mean.
        sequences_per_second: sequences of whatever length.
        peak_bytes: most memory allocated on a GPU; 0 on a CPU.
        host_seconds_per_step: until a step has been handed to a device that is idle; the median.
        seconds_of_rounds: of each round.
    """

    tokens_per_second: float
    flops_per_second: float
    seconds_per_step: float
    sequences_per_second: float
    peak_bytes: int = 0
    host_seconds_per_step: float = 0.0
    seconds_of_rounds: tuple[float, ...] = ()


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
    """Times rounds over all batches by the clock; the median counts.

    Warm-up takes every batch once at least, so that all are ready and all shapes compiled.

    Args:
        step: does one update on a global batch.
        batches: global batches, at least one.
        config: the model's shape.
        device: where the steps run.
        num_steps: steps that are timed, rounded up to whole rounds.
        num_warmup_steps: steps before.
    """
    stream: Iterator[Any] = cycle(batches)
    for batch in islice(stream, max(num_warmup_steps, len(batches))):
        step(batch)
    synchronize(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    rounds = list[float]()
    for _ in range(-(-num_steps // len(batches))):
        start = time.perf_counter()
        for batch in batches:
            step(batch)
        synchronize(device)
        rounds.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    hosts = list[float]()
    for batch in batches:
        start = time.perf_counter()
        step(batch)
        hosts.append(time.perf_counter() - start)
        synchronize(device)
    seconds = statistics.median(rounds)
    parts = [part for batch in batches for part in batch]
    return Speed(
        tokens_per_second=sum(part.num_tokens for part in parts) / seconds,
        flops_per_second=sum(training_flops(config, part) for part in parts) / seconds,
        seconds_per_step=seconds / len(batches),
        sequences_per_second=sum(part.batch_size for part in parts) / seconds,
        peak_bytes=peak,
        host_seconds_per_step=statistics.median(hosts),
        seconds_of_rounds=tuple(rounds),
    )
