"""Training on this machine's cores, against `transformers` in the same run on the same data.

    make bench-train [BERTSMITH_DATA=/path/to/data]

Every measurement is a process of its own, in turn, a few rounds; medians count. Speeds are real
tokens a second by the clock, with data loading, optimizer and evaluation in it. With
BERTSMITH_DATA, a folder with `pretrain/`, `vocab/` and `finetune/glue`, the texts are real; without
it they are the documentation on this machine, and fine-tuning is left out. On a processor without
instructions for bf16 only what is float32 is measured, and written to a file of its own.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from benchmarks.figures import Figure, print_table, save_results
from benchmarks.measuring import Measurement, alternate, measure, median
from benchmarks.training import runs
from benchmarks.training.workload import build_store

from bertsmith.model import resolve_precision

_CORES = 2


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    has_bf16 = resolve_precision("auto", torch.device("cpu")) == "bf16"
    groups = [name for name in GROUPS if has_bf16 != name.endswith("float32")]
    results = Path("benchmarks/results") / f"training{'' if has_bf16 else '_float32'}.json"
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=groups)
    parser.add_argument("--rounds", type=int, default=3, help="how often speeds are measured")
    parser.add_argument("--results", type=Path, default=results)
    arguments = parser.parse_args()
    # As the command line does it; for both sides alike.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    data = Path(os.environ["BERTSMITH_DATA"]) if os.environ.get("BERTSMITH_DATA") else None
    figures = list[Figure]()
    with tempfile.TemporaryDirectory() as work:
        store = Path(work) / "store"
        text = data / "pretrain/wiki_en.jsonl.zst" if data else None
        vocabulary = data / "vocab/google_uncased_en_vocab.txt" if data else None
        build_store(store, text, vocabulary)
        for group in arguments.only:
            if data is None and group.startswith("tuning"):
                print("BERTSMITH_DATA isn't set: fine-tuning is left out", file=sys.stderr)
                continue
            print(f"measuring: {group}", file=sys.stderr, flush=True)
            measured = list(GROUPS[group](store, data, arguments.rounds))
            save_results(arguments.results, measured)
            figures += measured
    print_table(figures)


def _small(store: Path, _: Path | None, rounds: int) -> Iterator[Figure]:
    """L4 H256, length 128, batch 32, dropout 0.1, against three ways to run `transformers`."""
    shape = ("mini", 128, 32, 40)
    kinds: list[tuple[str, Callable[..., object], tuple[object, ...]]] = [
        ("ours", runs.ours, ()),
        ("transformers as it comes, fp32", runs.theirs, ("fp32", False)),
        ("transformers, bf16 autocast", runs.theirs, ("bf16", False)),
        ("transformers, bf16, compiled", runs.theirs, ("bf16", True)),
    ]
    measured = _measured([(kind, (store, *shape, *more)) for _, kind, more in kinds], rounds)
    names = [name for name, _, _ in kinds]
    speeds = {
        name: [each.result["tokens_per_second"] for each in row]
        for name, row in zip(names, measured, strict=True)
    }
    details = {"tokens/s, each round": speeds, "model": "L4 H256", "batch": 32, "length": 128}
    ours = median(speeds["ours"])
    for name, floor in zip(names[1:], (7, 3.5, 2.5), strict=True):
        yield Figure(
            f"pre-training L4 H256, length 128, against {name}", ours, "tokens/s", floor,
            reference=median(speeds[name]), reference_name=name, details=details,
        )  # fmt: skip
    yield _share("pre-training L4 H256, length 128", measured[0], 0.45)
    waits = [each.result["waiting"] for each in measured[0]]
    yield Figure(
        "time spent waiting for data", median(waits), "", 0.02, bound="at most",
        details={"each round": waits},
    )  # fmt: skip
    peaks = [median([each.peak_bytes / 1e6 for each in row]) for row in measured]
    yield Figure(
        "memory, all of the process", peaks[0], "MB", 0.5, bound="at most",
        reference=peaks[2], reference_name="transformers, bf16 autocast",
        details=dict(zip(names, peaks, strict=True)),
    )  # fmt: skip


def _float32(store: Path, _: Path | None, rounds: int) -> Iterator[Figure]:
    """The same model on processors that have no instructions for bf16, as most laptops' do."""
    shape = ("mini", 128, 32, 20)
    measured = _measured(
        [
            (runs.ours, (store, *shape, None, "fp32")),
            (runs.theirs, (store, *shape, "fp32", False)),
            (runs.theirs, (store, *shape, "fp32", True)),
        ],
        rounds,
    )
    speeds = [[each.result["tokens_per_second"] for each in row] for row in measured]
    ours = median(speeds[0])
    for index, name in ((1, "transformers as it comes"), (2, "transformers, compiled")):
        yield Figure(
            f"fp32 pre-training L4 H256, length 128, against {name}", ours, "tokens/s", 2,
            reference=median(speeds[index]), reference_name=name,
            details={"tokens/s, each round": speeds},
        )  # fmt: skip
    yield _share("fp32 pre-training L4 H256, length 128", measured[0], 0.60, precision="fp32")


def _tuning_float32(_: Path, data: Path | None, rounds: int) -> Iterator[Figure]:
    """BERT-base on SST-2 there; `run_glue` pads its short sentences to 128."""
    if data is None:
        return
    speeds = _tuning_speeds(data, "sst2", "SST-2", "fp32", rounds)
    ours, *references = map(median, speeds)
    names = "run_glue's defaults, padded to 128", "transformers, padded to the longest"
    for reference, name, floor in zip(references, names, (5, 1.5), strict=True):
        yield Figure(
            f"fp32 fine-tuning BERT-base on SST-2, against {name}", ours, "tokens/s", floor,
            reference=reference, reference_name=name, details={"tokens/s, each round": speeds},
        )  # fmt: skip


def _base(store: Path, _: Path | None, rounds: int) -> Iterator[Figure]:
    """BERT-base at both lengths of the paper; a small batch pays more for the optimizer.

    The first sixteen updates don't count: they touch gigabytes of memory for the first time, in
    pages of 2 MiB that the system clears, and a run has thousands.
    """
    for length, batch in ((128, 32), (512, 32), (512, 8)):
        (measured,) = _measured([(runs.ours, (store, "base", length, batch, 16, 16))], rounds)
        yield _share(f"pre-training BERT-base, length {length}, batch {batch}", measured, 0.60)


def _tuning(_: Path, data: Path | None, rounds: int) -> Iterator[Figure]:
    """BERT-base on the lengths that SST-2 and MRPC really have."""
    if data is None:
        return
    for task, folder in (("sst2", "SST-2"), ("mrpc", "MRPC")):
        speeds = _tuning_speeds(data, task, folder, "bf16", rounds)
        ours, padded, dynamic = map(median, speeds)
        details = {"tokens/s, each round": speeds}
        yield Figure(
            f"fine-tuning BERT-base on {folder}, against run_glue", ours, "tokens/s", 5,
            reference=padded, reference_name="run_glue's defaults: fp32, padded to 128",
            details=details,
        )  # fmt: skip
        yield Figure(
            f"fine-tuning BERT-base on {folder}, against bf16", ours, "tokens/s", 2,
            reference=dynamic, reference_name="transformers, bf16, padded to the longest",
            details=details,
        )  # fmt: skip


def _tuning_speeds(
    data: Path, task: str, folder: str, precision: str, rounds: int
) -> list[list[float]]:
    """Tokens a second, each round: ours, `run_glue`'s defaults, theirs padded to the longest."""
    where = (task, data / "finetune/glue" / folder, data / "vocab/google_uncased_en_vocab.txt")
    kinds = [
        (runs.our_tuning, (*where, precision)),
        (runs.their_tuning, (*where, "fp32", 128)),
        (runs.their_tuning, (*where, precision, None)),
    ]
    return [[each.result["tokens_per_second"] for each in row] for row in _measured(kinds, rounds)]


def _measured(
    kinds: list[tuple[Callable[..., object], tuple[object, ...]]], rounds: int
) -> list[list[Measurement]]:
    def call(function: Callable[..., object], arguments: tuple[object, ...]) -> Measurement:
        return measure(function, *arguments, cores=_CORES)

    return alternate(
        [lambda kind=kind, given=given: call(kind, given) for kind, given in kinds], rounds
    )


def _share(name: str, measured: list[Measurement], floor: float, precision: str = "bf16") -> Figure:
    shares = [each.result["flops_per_second"] / each.result["product_rate"] for each in measured]
    details = {"each round": [each.result for each in measured]}
    return Figure(
        f"{name}: share of the {precision} product rate", median(shares), "", floor, details=details
    )


GROUPS = {
    "small": _small,
    "float32": _float32,
    "base": _base,
    "tuning": _tuning,
    "tuning_float32": _tuning_float32,
}

if __name__ == "__main__":
    main()
