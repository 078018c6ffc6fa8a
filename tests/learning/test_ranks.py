"""Several processes train as one does: DDP and FSDP2, stopped, killed, and gone on by others."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bertsmith.recipes import load_recipe
from bertsmith.training import PretrainRecipe, pretrain
from pretraining_runs import records
from ranks_job import do
from ranks_runs import (
    NUM_STEPS,
    ONE_MACHINE,
    SMALL,
    assert_close,
    job,
    losses,
    make_store,
    outcome,
    ranks_of,
    run_jobs,
    torchrun,
    wait_until,
    weights,
)

pytestmark = pytest.mark.whole_machine


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def alone(store, tmp_path_factory):
    """What one process makes of it."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    recipe = load_recipe(
        PretrainRecipe, "pretrain", "tiny", [*SMALL, f"training.num_steps={NUM_STEPS}"]
    )
    pretrain(store, recipe, folder, warn=print)
    return folder


def command_line(store, output, *changes):
    sets = [part for change in [*SMALL, *changes] for part in ("--set", change)]
    return ["-m", "bertsmith", "pretrain", store, "--recipe", "tiny", *sets, "-o", output]


def said(stderr):
    """The lines that are ours, without what torchrun says."""
    return [line for line in stderr.splitlines() if line.startswith("bertsmith: ")]


def test_two_ranks_are_one(store, alone, tmp_path):
    # In each rank one micro-batch, or four that are added up first.
    many = "training.micro_batch_size=1"
    jobs = {
        "ddp": ["training.parallel=ddp"],
        "ddp-many": ["training.parallel=ddp", many],
        "fsdp": ["training.parallel=fsdp"],
        "fsdp-many": [
            "training.parallel=fsdp", many, "training.activation_checkpointing=true"
        ],
    }  # fmt: skip
    done = run_jobs(*(job(store, tmp_path / name, *changes) for name, changes in jobs.items()))
    assert [result["step"] for result in done] == [NUM_STEPS] * len(jobs)
    for name in jobs:
        assert_close(alone, tmp_path / name)
    files = {path.name for path in alone.iterdir()}
    assert {path.name for path in (tmp_path / "fsdp").iterdir()} == files
    for name in ("config.json", "vocab.txt"):
        assert (tmp_path / "fsdp" / name).read_bytes() == (alone / name).read_bytes()


@pytest.mark.slow
def test_two_ranks_are_one_in_bf16(store, tmp_path):
    changes = [
        "training.precision=bf16",
        "model.num_attention_heads=1",  # a head of 32, as tiles take
        # Later a bf16 number rounds the other way, half a percent, and soon all weights tell of it.
        "training.num_steps=2",
    ]
    fsdp = [*changes, "training.parallel=fsdp"]
    again = "training.activation_checkpointing=true"
    run_jobs(job(store, tmp_path / "fsdp", *fsdp), job(store, tmp_path / "again", *fsdp, again))
    do(job(store, tmp_path / "one", *changes))
    for name in ("fsdp", "again"):
        assert_close(tmp_path / "one", tmp_path / name, atol=1e-6)


def test_two_ranks_then_one_then_two(store, alone, tmp_path):
    run = tmp_path / "run"
    # Any rank's signal stops all, after the same step.
    first = job(store, run, "training.parallel=fsdp", stop_at=3, by=1)
    second = job(store, run, stop_at=1, by=0)
    third = job(store, run, "training.parallel=ddp")
    assert run_jobs(first) == [{"stopped": 3}]
    assert do(second) == {"stopped": 4}
    assert run_jobs(third)[0]["step"] == NUM_STEPS
    assert_close(alone, run)
    names = {path.name for path in (run / "checkpoints" / "step-000004").iterdir()}
    assert names == {path.name for path in (run / "checkpoints" / "step-000003").iterdir()}


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
@pytest.mark.parametrize("backend", ["c10d", "static"])
def test_two_machines(store, alone, tmp_path, backend):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {
        "c10d": ["--rdzv-id", "7", "--rdzv-endpoint", f"127.0.0.1:{port}"],
        "static": ["--master-addr", "127.0.0.1", "--master-port", str(port)],
    }[backend]
    arguments = command_line(store, tmp_path / "run", f"training.num_steps={NUM_STEPS}")
    machines = [
        torchrun(
            *arguments, processes=2,
            rendezvous=["--nnodes", "2", "--node-rank", str(rank), "--rdzv-backend", backend,
                        *address],
        )
        for rank in range(2)
    ]  # fmt: skip
    results = [outcome(machine) for machine in machines]
    assert [code for code, _, _ in results] == [0, 0], results
    assert sum("held-out MLM loss" in out for _, out, _ in results) == 1
    assert_close(alone, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_dropout_differs_between_ranks_and_goes_on_to_the_bit(store, tmp_path, processes):
    """The order in which two numbers are added changes nothing; three are needed to see one."""
    kinds = ("ddp", "fsdp")
    whole = {kind: tmp_path / f"{kind}-whole" for kind in kinds}
    halves = {kind: tmp_path / f"{kind}-halves" for kind in kinds}
    # Two micro-batches each: the stop comes between them, and the update is made anew.
    changes = [
        "model.hidden_dropout_prob=0.2", "model.attention_probs_dropout_prob=0.2",
        f"training.global_batch_size={processes * 2}", "training.micro_batch_size=1",
    ]  # fmt: skip
    begun = []
    for kind in kinds:
        settings = [*changes, f"training.parallel={kind}"]
        begun.append(job(store, whole[kind], *settings))
        begun.append(job(store, halves[kind], *settings, stop_in=[4, 1], by=1))
    assert run_jobs(*begun, processes=processes)[1::2] == [{"stopped": 3}] * 2
    run_jobs(
        *(job(store, halves[kind], *changes, f"training.parallel={kind}") for kind in kinds),
        processes=processes,
    )
    for kind in kinds:
        expected, found = weights(whole[kind]), weights(halves[kind])
        assert all(torch.equal(expected[name], found[name]) for name in expected)
        assert losses(whole[kind]) == losses(halves[kind])
        state = halves[kind] / "checkpoints" / "step-000003" / "training_state.safetensors"
        states = load_file(state)
        assert not torch.equal(states["random.cpu"], states["random.cpu.1"])


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
def test_fine_tuning_on_two_ranks(store, alone, tmp_path):
    rows = [f"{'good' if n % 3 else 'bad'}\tthe old teacher {'paints' if n % 3 else 'sells'}"
            for n in range(42)]  # fmt: skip
    data = tmp_path / "data.tsv"
    data.write_text("\n".join(["label\ttext", *rows]) + "\n")
    changes = [
        "training.global_batch_size=4", "training.micro_batch_size=1", "training.precision=fp32",
        "training.num_epochs=2", "training.keep=last",
    ]  # fmt: skip

    def tune(output, *further):
        return {
            "task": "classify", "model": str(alone), "data": str(data), "output": str(output),
            "changes": [*changes, *further],
        }  # fmt: skip

    one = do(tune(tmp_path / "one"))
    sharded = tune(tmp_path / "fsdp", "training.parallel=fsdp")
    # Stopped where an epoch's evaluation is due: the next sitting begins with it.
    of_epoch = one["step"] // 2
    ddp, stopped, fsdp = run_jobs(
        tune(tmp_path / "ddp", "training.parallel=ddp"),
        {**sharded, "stop_at": of_epoch, "by": 0},
        sharded,
    )
    assert stopped == {"stopped": of_epoch}
    evaluations = [record["step"] for record in records(tmp_path / "fsdp", "evaluation")]
    assert evaluations == [of_epoch, one["step"]]
    for result, name in ((ddp, "ddp"), (fsdp, "fsdp")):
        assert result["step"] == one["step"]
        assert result["scores"] == pytest.approx(one["scores"])
        expected, found = weights(tmp_path / "one"), weights(tmp_path / name)
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, atol=2e-5, rtol=1e-3, msg=key)


@pytest.mark.slow
def test_weights_without_a_part_in_the_loss(store, tmp_path):
    # Without next sentences, pooler and head get no gradient: no rank may wait for them.
    changes = ["examples.next_sentence=false"]
    do(job(store, tmp_path / "alone", *changes))
    run_jobs(
        job(store, tmp_path / "ddp", *changes, "training.parallel=ddp"),
        job(store, tmp_path / "fsdp", *changes, "training.parallel=fsdp"),
    )
    for name in ("ddp", "fsdp"):
        assert_close(tmp_path / "alone", tmp_path / name)


@pytest.mark.slow
def test_all_ranks_end_with_the_same_clock(store, tmp_path):
    (done,) = run_jobs(job(store, tmp_path / "run", "training.budget_seconds=3"))
    assert done["step"] > 1
    evaluated = [step for kind, step, _ in losses(tmp_path / "run") if kind == "evaluation"]
    # One in the midst is left out where that would have taken a quarter of the time.
    assert evaluated[-1] == done["step"]
    assert len(evaluated) <= 2


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


@pytest.mark.slow
@pytest.mark.parametrize("changes", [
    ["training.optimizer=lamb"],
    ["training.optimizer=google_adam"],
    ["training.freeze_layers=1", "training.max_grad_norm=0"],
])  # fmt: skip
def test_other_updates_are_the_same_too(store, tmp_path, changes):
    do(job(store, tmp_path / "alone", *changes))
    run_jobs(
        *(job(store, tmp_path / name, *changes, f"training.parallel={name}")
          for name in ("ddp", "fsdp"))
    )  # fmt: skip
    for name in ("ddp", "fsdp"):
        assert_close(tmp_path / "alone", tmp_path / name)


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("gcc") is None,
    reason="needs Linux and gcc, to make a thread late",
)
@pytest.mark.skipif(torch.__version__.startswith("2.10."), reason="its threads have no names")
def test_a_thread_that_is_late_with_its_tensors_aborts_nothing(tmp_path, monkeypatch):
    folder = Path(__file__).parents[1]
    library = tmp_path / "late_threads.so"
    subprocess.run(
        ["gcc", "-O2", "-shared", "-fPIC", folder / "late_threads.c", "-o", library, "-ldl"],
        check=True,
    )
    monkeypatch.setenv("LD_PRELOAD", str(library))
    code, out, err = outcome(torchrun(folder / "late_threads_job.py"))
    assert code == 0, err
    assert sorted(out.split("\n")) == ["", "late", "late"]
