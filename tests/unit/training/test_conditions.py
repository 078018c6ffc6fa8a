"""A run that goes on under other conditions says so: its bits depend on them."""

import os
import signal

import pytest
import torch

from bertsmith.training import Interrupted, pretrain
from bertsmith.training.conditions import changed_conditions
from bertsmith.training.update import Updater
from seeing_runs import recipe

START = {
    "kind": "start", "step": 0, "threads": 2, "cpu_kernels": "yes", "torch_version": "2.13.0",
    "device": "A processor, 2 cores", "processes": 4,
}  # fmt: skip


@pytest.fixture
def threads():
    kept = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(kept)


def test_a_run_on_another_number_of_threads(store, tmp_path, monkeypatch, threads):
    settings, lines = recipe("training.num_steps=6"), []

    def stop(self, *arguments, update=Updater.__call__):
        update(self, *arguments)
        os.kill(os.getpid(), signal.SIGTERM)

    def sitting(num_threads):
        threads(num_threads)
        with monkeypatch.context() as patch:
            patch.setattr(Updater, "__call__", stop)
            with pytest.raises(Interrupted):
                pretrain(store, settings, tmp_path / "run", warn=lines.append)

    sitting(2)
    sitting(2)
    assert lines == []
    threads(1)
    pretrain(store, settings, tmp_path / "run", warn=lines.append)
    assert lines == [
        "this run goes on with 1 thread, not 2: its numbers won't be those of a run without a "
        "stop to the bit"
    ]


@pytest.mark.parametrize(("change", "told"), [
    ({}, None),
    ({"threads": 3}, "with 3 threads, not 2"),
    ({"processes": 1, "threads": 1}, "with 1 process, not 4, and with 1 thread, not 2"),
    ({"cpu_kernels": "no"}, "without the C kernels"),
    ({"cpu_kernels": "no products"}, "without the C kernels' products"),
    ({"device": "B processor, 2 cores"}, "on B processor, not A processor"),
    ({"device": "A processor, 8 cores"}, None),
    ({"device": "NVIDIA H100"}, "on NVIDIA H100, not A processor"),
    ({"torch_version": "2.14.0", "threads": 1},
     "with 1 thread, not 2, and with PyTorch 2.14.0, not 2.13.0"),
])  # fmt: skip
def test_what_is_told(change, told):
    line = changed_conditions([START], 5, {**START, **change}, on_cpu=True)
    assert line == (told and f"this run goes on {told}: its numbers won't be those of a run "
                    "without a stop to the bit")  # fmt: skip


def test_what_is_not_compared():
    """Threads of a GPU's process, what an older version didn't log, and sittings without result."""
    other = {**START, "threads": 7}
    assert changed_conditions([START], 5, other, on_cpu=False) is None
    assert changed_conditions([{"kind": "start", "step": 0}], 5, other, on_cpu=True) is None
    assert changed_conditions([START], 0, other, on_cpu=True) is None
    lost = {**other, "step": 5}
    assert changed_conditions([START, lost], 5, START, on_cpu=True) is None
    assert changed_conditions([START, lost], 6, START, on_cpu=True) is not None
