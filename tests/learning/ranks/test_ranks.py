"""Several processes train as one does: DDP and FSDP2, on one machine and two, gone on by others."""

import pytest
import torch
from safetensors.torch import load_file

from pretraining_runs import records
from ranks_job import do
from ranks_runs import (
    NUM_STEPS,
    assert_close,
    command_line,
    free_port,
    job,
    losses,
    outcome,
    run_jobs,
    torchrun,
    weights,
)

pytestmark = pytest.mark.whole_machine


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


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["c10d", "static"])
def test_two_machines(store, alone, tmp_path, backend):
    port = free_port()
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
