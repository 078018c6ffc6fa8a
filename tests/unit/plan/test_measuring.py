"""Measuring how fast this machine trains."""

import json
import os
import signal

import pytest

from bertsmith.model import SIZES
from bertsmith.plan import PlannedCorpus, find_device, make_plan, measure_device, measuring
from bertsmith.training import RunFolder

CORPUS = PlannedCorpus.of_bytes(10**10)


def test_measuring_trains_here(store):
    said = []
    device = measure_device(store, ["tiny"], said.append)
    assert "tokens/s" in said[0]
    assert 0 < device.mfu["tiny"] < 1.5
    assert not device.is_estimated("tiny")
    plan = make_plan(PlannedCorpus.of_store(store), device, 0.1, sizes=["tiny"])
    assert not plan.chosen.is_estimated


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT] * 2])
def test_a_stop_while_measuring_is_a_line(bertsmith, store, monkeypatch, signals):
    log, waiting = RunFolder.log, list(signals)

    def stop(run, kind, *arguments, **values):
        log(run, kind, *arguments, **values)
        while kind == "train" and waiting:
            os.kill(os.getpid(), waiting.pop())

    monkeypatch.setattr(RunFolder, "log", stop)
    options = ("--store", store, "--measure", "--size", "tiny", "--hours", "1")
    code, out, error = bertsmith("plan", *options)
    assert (code, out, error) == (128 + signals[0], "", "bertsmith: stopped\n")


@pytest.mark.parametrize("order", [["base", "tiny"], ["tiny", "base"]])
def test_sizes_that_do_not_fit_are_left_out(bertsmith, store, monkeypatch, order):
    monkeypatch.setattr(measuring, "_memory_gb", lambda: 0.5)
    sizes = [word for size in order for word in ("--size", size)]
    arguments = ["plan", "--store", store, "--measure", "--hours", "1", "--json"]
    code, out, error = bertsmith(*arguments, *sizes)
    assert code == 0
    assert [size["size"] for size in json.loads(out)["sizes"]] == ["tiny"]
    assert "base: left out, there are 0.5 GB of memory and it takes about 1.5\n" in error
    code, out, error = bertsmith(*arguments, "--size", "base")
    assert (code, out) == (2, "")
    last = "--measure: no size could be measured with 0.5 GB of memory; give a smaller --size, "
    assert last in error.splitlines()[-1]


def test_a_size_that_runs_out_of_memory_loses_no_other(store, monkeypatch):
    really, wrong = measuring.pretrain, RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    def run(store, recipe, *arguments, **options):
        if recipe.model.size == "mini":
            raise wrong
        return really(store, recipe, *arguments, **options)

    monkeypatch.setattr(measuring, "pretrain", run)
    said = []
    assert measure_device(store, ["mini", "tiny"], said.append).mfu.keys() == {"tiny"}
    assert "mini: left out" in said[0]
    assert "ran out of them" in said[0]
    wrong = RuntimeError("a bug of ours")
    with pytest.raises(RuntimeError, match="a bug of ours"):
        measure_device(store, ["mini", "tiny"], said.append)


def test_a_gpu_is_measured_with_batches_that_keep_it_busy():
    for size in SIZES:
        training = measuring._recipe(size, 80, is_gpu=True).training
        planned = make_plan(CORPUS, find_device("h100"), 24, sizes=[size]).chosen
        assert training.global_batch_size >= 512
        assert training.micro_batch_size >= min(planned.micro_batch_size, 256)
        small = measuring._recipe(size, 8, is_gpu=True).training
        assert small.micro_batch_size < small.global_batch_size
    assert measuring._recipe("base", 64, is_gpu=False).training.global_batch_size == 8
