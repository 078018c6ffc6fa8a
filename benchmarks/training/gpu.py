"""Training on one GPU, against `transformers` in the same run on the same batches.

    make bench-gpu [STORE=store]

One script that fits in ten minutes and needs no network. Without a store it makes one of the
documentation on this machine. Our side of every case comes first, then theirs; what fails is
printed, and the exit code is 1 at the end. The table comes last.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from benchmarks.figures import Figure, print_table, results_path, save_results
from benchmarks.training.attempts import Attempts
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
    "base512": Case("base", 512, 64, 0.55, 2.0),
    "base128": Case("base", 128, 256, 0.55, 2.0),
    "large128": Case("large", 128, 128, 0.60, None),
}


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="a store that bertsmith prepare made")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--results", type=results_path, default="benchmarks/results/gpu.json")
    parser.add_argument("--seconds", type=float, default=480, help="start nothing new after")
    parser.add_argument("--steps", type=int, default=40, help="updates that are timed, in rounds")
    parser.add_argument("--profile", type=Path, help="write where the time goes into this folder")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("bench-gpu: PyTorch finds no GPU here")
    attempt = Attempts(time.monotonic() + arguments.seconds)
    torch.set_float32_matmul_precision("high")
    with tempfile.TemporaryDirectory() as work:
        store = TokenStore(arguments.store) if arguments.store else None
        store = store or build_store(Path(work) / "store", None, None)
        rate = matrix_product_rate(GPU)
        print(
            f"{torch.cuda.get_device_name()}: bf16 products {rate / 1e12:.0f} TFLOP/s", flush=True
        )
        bench = GpuBench(store, rate, arguments.steps, arguments.results)
        bench.measure(arguments.only, attempt, arguments.profile)
    print_table(bench.figures)
    if attempt.failed:
        sys.exit(f"bench-gpu: these failed, see above: {'; '.join(attempt.failed)}")


@dataclass
class GpuBench:
    """Measures cases, and writes each figure as soon as it is there.

    Attributes:
        store: where the batches come from.
        rate: of matrix products on this GPU, in FLOP/s.
        num_steps: updates that are timed.
        results: the JSON file.
        figures: what was measured so far.
        speeds: of our side, by the case.
    """

    store: TokenStore
    rate: float
    num_steps: int
    results: Path
    figures: list[Figure] = field(default_factory=list)
    speeds: dict[Case, Speed] = field(default_factory=dict)

    def measure(self, keys: list[str], attempt: Attempts, profile: Path | None = None) -> None:
        """Our side of all cases, then the other, then where our time goes."""
        cases = {key: CASES[key] for key in keys}
        for key, case in cases.items():
            attempt(f"{key}, ours", partial(self.ours, case))
        for key, case in cases.items():
            # Without our side there is nothing to compare.
            if case.ratio is not None and case in self.speeds:
                attempt(f"{key}, transformers", partial(self.theirs, case))
        if profile is not None:
            for key, case in cases.items():
                attempt(f"{key}, profile", partial(self.profile, case, profile / f"{key}.txt"))

    def ours(self, case: Case) -> None:
        """Figures that need no reference."""
        batches = self._batches(case)
        ours = self._time(case, partial(our_pretraining, is_compiled=True), batches)
        self.speeds[case] = ours
        details = self._details(case, batches)
        share = Figure(
            f"{case.name}: share of the bf16 product rate",
            ours.flops_per_second / self.rate, "", case.share, details=details,
        )  # fmt: skip
        sequences = Figure(
            f"{case.name}: sequences", ours.sequences_per_second, "sequences/s",
            1900 if case.size == "large" else 0, details=details,
        )  # fmt: skip
        self._keep(share, sequences)

    def theirs(self, case: Case) -> None:
        """Figures against `transformers`; ours has been timed."""
        batches, ours = self._batches(case), self.speeds[case]
        make_step = partial(their_pretraining, is_compiled=True, length=case.length)
        theirs = self._time(case, make_step, batches)
        details = {**self._details(case, batches), "theirs": vars(theirs)}
        tokens = Figure(
            f"{case.name}: real tokens", ours.tokens_per_second, "tokens/s", case.ratio or 0,
            reference=theirs.tokens_per_second,
            reference_name="transformers, bf16, SDPA, compiled", details=details,
        )  # fmt: skip
        memory = Figure(
            f"{case.name}: memory", ours.peak_bytes / 1e9, "GB", 1.0, bound="at most",
            reference=theirs.peak_bytes / 1e9, reference_name="transformers", details=details,
        )  # fmt: skip
        self._keep(tokens, memory)

    def profile(self, case: Case, path: Path) -> None:
        """Which kernels a step of ours spends its time in."""
        forget()
        batches = self._batches(case)
        step = our_pretraining(self._config(case), GPU, is_compiled=True)
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

    def _time(
        self, case: Case, make_step: Callable[..., Any], batches: list[list[PretrainingBatch]]
    ) -> Speed:
        """Times a side's step, which is built once nothing of the side before is left."""
        forget()
        config = self._config(case)
        speed = time_steps(
            make_step(config, GPU), batches, config, GPU,
            num_steps=self.num_steps, num_warmup_steps=12,
        )  # fmt: skip
        print(json.dumps(vars(speed)), flush=True)
        return speed

    def _keep(self, *figures: Figure) -> None:
        self.figures += figures
        save_results(self.results, figures)
        print_table(figures)

    def _config(self, case: Case) -> BertConfig:
        return BertConfig.of_size(case.size, vocab_size=len(self.store.vocabulary))

    def _batches(self, case: Case) -> list[list[PretrainingBatch]]:
        made = global_batches(
            self.store, case.length, batch_size=case.batch_size, micro=case.batch_size, number=8
        )
        return [[part.pin_memory() for part in batch] for batch in made]

    def _details(self, case: Case, batches: list[list[PretrainingBatch]]) -> dict[str, Any]:
        return {
            "device": torch.cuda.get_device_name(),
            "bf16 product FLOP/s": self.rate,
            "sequences in a step": case.batch_size,
            "real tokens of all at this length": _fullness(batches, case.length),
            "ours": vars(self.speeds[case]),
        }


def forget() -> None:
    """Lets go of what an earlier side compiled and allocated.

    A function that was compiled for one length is compiled for any at the second, which is slower:
    each side has its own, and a peak of memory that is its own.
    """
    gc.collect()
    torch.compiler.reset()
    torch.cuda.empty_cache()


def _fullness(batches: list[list[PretrainingBatch]], length: int) -> float:
    parts = [part for batch in batches for part in batch]
    return sum(part.num_tokens for part in parts) / sum(part.batch_size * length for part in parts)


if __name__ == "__main__":
    main()
