"""The benchmark on a GPU without one: what is measured when, and what a failure leaves."""

import json
import sys
import time

import pytest
import torch

from bertsmith.model import BertConfig
from bertsmith.model.packing import PackedSequences
from docs_pages import ROOT

sys.path.insert(0, str(ROOT))
from benchmarks.training import gpu, steps
from benchmarks.training.attempts import Attempts
from benchmarks.training.steps import Speed, time_steps

LATER = float("inf")


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Times nothing: notes which side of which case was asked for."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "none")
    bench = gpu.GpuBench(None, 1e12, 40, tmp_path / "gpu.json")
    bench.timed, bench.failing = [], set()

    def timed(case, make_step, batches):
        key = next(key for key, other in gpu.CASES.items() if other is case)
        bench.timed.append((make_step.func.__name__.partition("_")[0], key))
        if bench.timed[-1] in bench.failing:
            raise torch.OutOfMemoryError(f"no memory for {key}")
        return Speed(1e5, 5e11, 0.1, 100, 10**9)

    batch = PackedSequences.from_lists([[7] * 9])
    monkeypatch.setattr(bench, "_batches", lambda case: [[batch]])
    monkeypatch.setattr(bench, "_time", timed)
    return bench


OURS = [("our", key) for key in ("base512", "base128", "large128")]
THEIRS = [("their", key) for key in ("base512", "base128")]


def test_all_of_ours_come_first(bench):
    bench.measure(list(gpu.CASES), Attempts(LATER))
    assert bench.timed == [*OURS, *THEIRS]
    assert len(bench.figures) == 3 * 2 + 2 * 2
    written = json.loads(bench.results.read_text())["figures"]
    assert [figure["name"] for figure in written] == [figure.name for figure in bench.figures]


def test_what_fails_leaves_the_rest(bench, capsys):
    bench.failing = {OURS[0], THEIRS[1]}
    attempt = Attempts(LATER)
    bench.measure(list(gpu.CASES), attempt)
    assert bench.timed == [*OURS, THEIRS[1]]
    assert attempt.failed == ["base512, ours", "base128, transformers"]
    assert len(bench.figures) == 2 * 2
    assert "no memory for base512" in capsys.readouterr().err


def test_a_failure_is_an_exit_code(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu.torch.cuda, "get_device_name", lambda: "none")
    monkeypatch.setattr(gpu, "matrix_product_rate", lambda device: 1e12)
    monkeypatch.setattr(gpu, "build_store", lambda *paths: None)
    monkeypatch.setattr(gpu, "global_batches", lambda *given, **names: 1 / 0)
    monkeypatch.setattr(gpu, "forget", lambda: None)
    results = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu", "--only", "large128", "--results", str(results)])
    precision = torch.get_float32_matmul_precision()
    try:
        with pytest.raises(SystemExit, match="large128, ours"):
            gpu.main()
    finally:
        torch.set_float32_matmul_precision(precision)


def test_nothing_begins_after_the_deadline(bench, tmp_path, capsys):
    bench.measure(list(gpu.CASES), Attempts(time.monotonic() - 1), tmp_path)
    assert bench.timed == []
    assert "large128, ours: left out, the time is up" in capsys.readouterr().err
    bench.measure(["base128"], Attempts(LATER))
    bench.measure(["base128"], Attempts(time.monotonic() - 1), tmp_path)
    assert bench.timed == [OURS[1], THEIRS[1]]
    assert not list(tmp_path.glob("*.txt"))


def test_the_median_round_counts(monkeypatch):
    now, calls = [0.0], []

    def step(batch):
        calls.append(batch)
        # Two batches a round: two of warm-up, then rounds of 2, 20 and 4 s, then one at a time.
        now[0] += [1, 1, 1, 1, 10, 10, 2, 2, 5, 7][len(calls) - 1]

    monkeypatch.setattr(steps.time, "perf_counter", lambda: now[0])
    batches = [[PackedSequences.from_lists([[7] * n])] for n in (6, 10)]
    config = BertConfig.of_size("tiny", vocab_size=10)
    cpu = torch.device("cpu")
    speed = time_steps(step, batches, config, cpu, num_steps=5, num_warmup_steps=1)
    assert speed.seconds_of_rounds == (2, 20, 4)
    assert (speed.seconds_per_step, speed.host_seconds_per_step) == (2, 6)
    assert (speed.tokens_per_second, speed.sequences_per_second) == (4, 0.5)
    assert len(calls) == 10


def test_a_side_is_built_when_the_one_before_is_forgotten(tmp_path, monkeypatch):
    order = []
    bench = gpu.GpuBench(None, 1e12, 40, tmp_path / "gpu.json")
    monkeypatch.setattr(bench, "_config", lambda case: None)
    monkeypatch.setattr(gpu, "forget", lambda: order.append("forget"))
    monkeypatch.setattr(
        gpu, "time_steps", lambda step, *given, **names: order.append(step) or Speed(1, 1, 1, 1)
    )

    def build(config, device):
        order.append("build")
        return "time"

    bench._time(gpu.CASES["base128"], build, [])
    assert order == ["forget", "build", "time"]


def test_forgetting_compiles_for_one_length_again():
    compiled = []

    def backend(graph, inputs):
        compiled.append(len(inputs))
        return graph.forward

    def double(x):
        return x * 2

    for length in (3, 4):
        gpu.forget()
        torch.compile(double, backend=backend)(torch.ones(length))
    assert compiled == [1, 1]  # a function for any length has the length as an input, too
