"""How several processes end: killed, failed, stopped, late; and what is said and kept then."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from ranks_job import do
from ranks_runs import (
    ONE_MACHINE,
    command_line,
    free_port,
    job,
    losses,
    outcome,
    ranks_of,
    run_jobs,
    said,
    torchrun,
    wait_until,
)

pytestmark = pytest.mark.whole_machine


def test_a_rank_that_is_killed_ends_all_and_the_run_goes_on(store, tmp_path):
    changes = ["training.num_steps=100000", "training.checkpoint_every_seconds=0.5"]
    process = torchrun(*command_line(store, tmp_path / "run", *changes))
    checkpoints = tmp_path / "run" / "checkpoints"
    wait_until(lambda: list(checkpoints.glob("step-*")), process)
    os.kill(ranks_of(process)[1], signal.SIGKILL)
    code, _, err = outcome(process, seconds=60)
    assert code != 0
    assert said(err) == [
        "bertsmith: rank 0: another process of this run has ended; "
        "the same command goes on from the last checkpoint, if there is one"
    ], err
    last = max(int(path.name[5:]) for path in checkpoints.glob("step-*"))
    again = job(store, tmp_path / "run", stop_at=1, by=0)
    again["changes"] += changes
    assert do(again) == {"stopped": last + 1}


@pytest.mark.slow
def test_what_is_wrong_is_said_once(store, tmp_path):
    uneven = command_line(store, tmp_path / "uneven", "training.global_batch_size=7")
    unknown = command_line(store, tmp_path / "unknown", "training.lr=1")
    # On one machine, the store is not where it is on the other.
    (tmp_path / "store-0").symlink_to(store)
    one_lacks_it = command_line(f"{tmp_path}/store-$RANK", tmp_path / "lacking")
    shell = ["--no-python", "sh", "-c", shlex.join([sys.executable, *map(str, one_lacks_it)])]
    shell[-1] = shell[-1].replace("'", '"')
    lines = [said(outcome(torchrun(*command))[2]) for command in (uneven, unknown, shell)]
    assert lines[0] == [
        "bertsmith: training.global_batch_size: 7 sequences can't be divided over 2 processes; "
        "use a multiple of 2"
    ]
    assert len(lines[1]) == len(lines[2]) == 1
    assert "training.lr" in lines[1][0]
    assert lines[2][0].startswith(f"bertsmith: rank 1: {tmp_path}/store-1: ")


@pytest.mark.slow
def test_who_fails_alone_before_the_others_are_found_says_it(store, tmp_path):
    environment = {**os.environ, "WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}
    command = [sys.executable, *map(str, command_line(store, tmp_path / "run"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    line = "bertsmith: rank 1: MASTER_ADDR is not set; start the processes with torchrun\n"
    assert done.stderr == line


@pytest.mark.slow
def test_a_run_that_went_astray_names_the_checkpoint_that_is_still_being_written(store, tmp_path):
    strict = ["training.num_steps=20", "training.max_skipped_updates=0"]
    (done,) = run_jobs(job(store, tmp_path / "run", *strict, bad_from=5))
    good = tmp_path / "run" / "checkpoints" / "step-000002"
    assert f"the last good checkpoint is {good}: " in done["error"]
    assert "rank 1" not in done["error"]
    assert good.is_dir()


@pytest.mark.slow
@pytest.mark.usefixtures("hears_hangups")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_torchrun_saves(store, tmp_path, number):
    changes = ["training.num_steps=100000", "training.checkpoint_every_seconds=1000"]
    process = torchrun(*command_line(store, tmp_path / "run", *changes))
    metrics = tmp_path / "run" / "metrics.jsonl"
    wait_until(lambda: metrics.exists() and metrics.stat().st_size > 0, process)
    process.send_signal(number)
    _, _, err = outcome(process, seconds=60)
    assert len(said(err)) == 1
    assert "saved at" in said(err)[0]
    assert len(list((tmp_path / "run" / "checkpoints").glob("step-*"))) == 1


@pytest.mark.slow
def test_torchrun_can_start_a_killed_rank_again(store, tmp_path):
    changes = ["training.num_steps=200", "training.checkpoint_every_seconds=0.3"]
    process = torchrun(
        *command_line(store, tmp_path / "run", *changes),
        rendezvous=[*ONE_MACHINE, "--max-restarts", "1"],
    )
    checkpoints = tmp_path / "run" / "checkpoints"
    wait_until(lambda: list(checkpoints.glob("step-*")), process)
    os.kill(ranks_of(process)[1], signal.SIGKILL)
    code, out, err = outcome(process)
    assert code == 0, err
    assert "200 steps" in out
    # All logged once: what was done again after the checkpoint has replaced what was lost.
    steps = [step for kind, step, _ in losses(tmp_path / "run") if kind == "train"]
    assert steps == list(range(1, 201))


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("gcc") is None,
    reason="needs Linux and gcc, to make a thread late",
)
@pytest.mark.skipif(torch.__version__.startswith("2.10."), reason="its threads have no names")
def test_a_thread_that_is_late_with_its_tensors_aborts_nothing(tmp_path, monkeypatch):
    folder = Path(__file__).parents[2]
    library = tmp_path / "late_threads.so"
    subprocess.run(
        ["gcc", "-O2", "-shared", "-fPIC", folder / "late_threads.c", "-o", library, "-ldl"],
        check=True,
    )
    monkeypatch.setenv("LD_PRELOAD", str(library))
    code, out, err = outcome(torchrun(folder / "late_threads_job.py"))
    assert code == 0, err
    assert sorted(out.split("\n")) == ["", "late", "late"]


@pytest.mark.slow
def test_machines_come_and_go(store, tmp_path, monkeypatch):
    """torchrun begins anew with those that are there, and the run goes on, each time."""
    # Else torchrun's own processes wait for each other when one comes later than the others.
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    steps = ["training.num_steps=100000", "training.global_batch_size=64"]
    changes = [*steps, "training.checkpoint_every_seconds=0.5"]
    endpoint = f"127.0.0.1:{free_port()}"
    patience = "last_call_timeout=3,keep_alive_interval=1,keep_alive_max_attempt=3"
    machines = []

    def start(is_host):
        conf = f"is_host={is_host},{patience}"
        rendezvous = ["--nnodes", "1:2", "--max-restarts", "3", "--rdzv-backend", "c10d",
                      "--rdzv-id", "7", "--rdzv-endpoint", endpoint,
                      "--rdzv-conf", conf]  # fmt: skip
        command = command_line(store, tmp_path / "run", *changes)
        machines.append(torchrun(*command, processes=1, rendezvous=rendezvous))
        return machines[-1]

    def kill(machine):
        """With its rank, which would wait for a machine that is gone."""
        ranks = ranks_of(machine).values() if machine.poll() is None else ()
        machine.kill()
        for rank in ranks:
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(rank, signal.SIGKILL)

    def num_steps():
        log = tmp_path / "run" / "metrics.jsonl"
        return log.read_text().count('"train"') if log.exists() else 0

    def wait_for_others():
        """Until the first machine has another process, and that has made updates."""
        before = ranks_of(first)
        wait_until(lambda: ranks_of(first) not in ({}, before), first)
        begun = num_steps()
        wait_until(lambda: num_steps() > begun + 5, first)

    try:
        first, second = start(1), start(0)
        wait_until(lambda: list((tmp_path / "run" / "checkpoints").glob("step-*")), first)
        kill(second)
        wait_for_others()
        start(0)
        wait_for_others()
        first.send_signal(signal.SIGTERM)
        _, _, err = outcome(first, seconds=60)
    finally:
        for machine in machines:
            kill(machine)
            machine.communicate()
    told = [line.split(": ", 1)[1] for line in said(err)]
    assert told[0].startswith("rank 0: another process of this run has ended")
    assert told[1].startswith("this run goes on with 1 process, not 2")
    assert told[2].startswith("stopped after step ")
    assert told[3].startswith("this run goes on with 2 processes, not 1")
    assert told[4].startswith("stopped after step ")
    assert len(told) == 5
    # The same global batches, whoever was there.
    found = losses(tmp_path / "run")
    alone = job(store, tmp_path / "alone", stop_at=len(found), by=0)
    alone["changes"] += steps
    do(alone)
    for expected, (_, step, loss) in zip(losses(tmp_path / "alone"), found, strict=True):
        assert (expected[1], expected[2]) == (step, pytest.approx(loss, rel=1e-4))
