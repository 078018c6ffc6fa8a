"""Training on one GPU, against `transformers` in the same run on the same batches.

    make bench-gpu [STORE=store]

One script that fits in ten minutes and needs no network. Without a store it makes one of the
documentation on this machine. The table comes last.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from benchmarks.figures import Figure, print_table, save_results
from benchmarks.training.flops import matrix_product_rate
from benchmarks.training.steps import Speed, our_pretraining, their_pretraining, time_steps
from benchmarks.training.workload import build_store, global_batches

from bertsmith.batches import PretrainingBatch
from bertsmith.model import BertConfig
from bertsmith.store import TokenStore

GPU = torch.device("cuda")


@dataclass(frozen=True)
class Case:
    """A model, a length, and what has to be reached."""

    size: str
    length: int
    batch_size: int
    share: float
    ratio: float | None

    @property
    def name(self) -> str:
        """What the rows of the table say."""
        return f"BERT-{self.size}, length {self.length}"


CASES = {
    "base128": Case("base", 128, 256, 0.55, 2.0),
    "base512": Case("base", 512, 64, 0.55, 2.0),
    "large128": Case("large", 128, 128, 0.60, None),
}


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="a store that bertsmith prepare made")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/gpu.json"))
    parser.add_argument("--seconds", type=float, default=480, help="start nothing new after")
    parser.add_argument("--steps", type=int, default=40, help="updates that are timed")
    parser.add_argument("--profile", type=Path, help="write where the time goes into this folder")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("bench-gpu: PyTorch finds no GPU here")
    started = time.monotonic()
    torch.set_float32_matmul_precision("high")
    with tempfile.TemporaryDirectory() as work:
        store = TokenStore(arguments.store) if arguments.store else None
        store = store or build_store(Path(work) / "store", None, None)
        rate = matrix_product_rate(GPU)
        print(
            f"{torch.cuda.get_device_name()}: bf16 products {rate / 1e12:.0f} TFLOP/s", flush=True
        )
        figures = list[Figure]()
        for key in arguments.only:
            for figure in _figures(
                CASES[key], store, rate, arguments.steps, started + arguments.seconds
            ):
                figures.append(figure)
                print_table([figure])
                save_results(arguments.results, [figure])
            if arguments.profile:
                _profile(CASES[key], store, arguments.profile / f"{key}.txt")
    print_table(figures)


def _figures(
    case: Case, store: TokenStore, rate: float, steps: int, deadline: float
) -> Iterator[Figure]:
    config = BertConfig.of_size(case.size, vocab_size=len(store.vocabulary))
    batches = _batches(case, store)
    details: dict[str, object] = {
        "device": torch.cuda.get_device_name(),
        "bf16 product FLOP/s": rate,
        "sequences in a step": case.batch_size,
        "real tokens of all at this length": _fullness(batches, case.length),
    }
    ours = _time(our_pretraining(config, GPU, is_compiled=True), batches, config, steps)
    details["ours"] = vars(ours)
    yield Figure(
        f"{case.name}: share of the bf16 product rate",
        ours.flops_per_second / rate, "", case.share, details=details,
    )  # fmt: skip
    yield Figure(
        f"{case.name}: sequences", ours.sequences_per_second, "sequences/s",
        1900 if case.size == "large" else 0, details=details,
    )  # fmt: skip
    if case.ratio is None or time.monotonic() > deadline:
        return
    step = their_pretraining(config, GPU, is_compiled=True, length=case.length)
    theirs = _time(step, batches, config, steps)
    details = {**details, "theirs": vars(theirs)}
    yield Figure(
        f"{case.name}: real tokens", ours.tokens_per_second, "tokens/s", case.ratio,
        reference=theirs.tokens_per_second,
        reference_name="transformers, bf16, SDPA, compiled", details=details,
    )  # fmt: skip
    yield Figure(
        f"{case.name}: memory", ours.peak_bytes / 1e9, "GB", 1.0, bound="at most",
        reference=theirs.peak_bytes / 1e9, reference_name="transformers", details=details,
    )  # fmt: skip


def _time(
    step: Callable[[list[PretrainingBatch]], None],
    batches: list[list[PretrainingBatch]],
    config: BertConfig,
    num_steps: int,
) -> Speed:
    torch.cuda.empty_cache()
    speed = time_steps(step, batches, config, GPU, num_steps=num_steps, num_warmup_steps=12)
    print(json.dumps(vars(speed)), flush=True)
    return speed


def _batches(case: Case, store: TokenStore) -> list[list[PretrainingBatch]]:
    made = global_batches(
        store, case.length, batch_size=case.batch_size, micro=case.batch_size, number=8
    )
    return [[part.pin_memory() for part in batch] for batch in made]


def _fullness(batches: list[list[PretrainingBatch]], length: int) -> float:
    parts = [part for batch in batches for part in batch]
    return sum(part.num_tokens for part in parts) / sum(part.batch_size * length for part in parts)


def _profile(case: Case, store: TokenStore, path: Path) -> None:
    """Which kernels a step of ours spends its time in."""
    config = BertConfig.of_size(case.size, vocab_size=len(store.vocabulary))
    batches = _batches(case, store)
    step = our_pretraining(config, GPU, is_compiled=True)
    for batch in batches:
        step(batch)
    torch.cuda.synchronize()
    with torch.profiler.profile() as profiler:
        for batch in batches[:4]:
            step(batch)
        torch.cuda.synchronize()
    path.parent.mkdir(parents=True, exist_ok=True)
    events = profiler.key_averages()
    path.write_text(events.table(sort_by="self_device_time_total", row_limit=45))


if __name__ == "__main__":
    main()
