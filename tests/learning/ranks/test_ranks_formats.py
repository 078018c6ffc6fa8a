"""Several processes in fp16, and with compiled layers."""

import shutil

import pytest
import torch

from pretraining_runs import records
from ranks_job import do
from ranks_runs import assert_close, job, losses, run_jobs, weights

pytestmark = pytest.mark.whole_machine


@pytest.mark.slow
def test_fp16_skips_the_same_overflows_in_shards(store, tmp_path):
    """What overflows in one rank's shard alone must be skipped by all."""
    changes = ["training.precision=fp16", "training.learning_rate=1e-2", "training.num_steps=24"]

    def fp16(name, parallel, *further, **stop):
        changed = [*changes, f"training.parallel={parallel}", *further]
        return job(store, tmp_path / name, *changed, fp16=True, **stop)

    run_jobs(
        fp16("ddp", "ddp"),
        fp16("fsdp", "fsdp"),
        fp16("halves", "fsdp", stop_at=11, by=1),
        fp16("halves", "fsdp"),
        fp16("ddp-lamb", "ddp", "training.optimizer=lamb"),
        fp16("fsdp-lamb", "fsdp", "training.optimizer=lamb"),
    )
    for ddp, fsdp in (("ddp", "fsdp"), ("ddp-lamb", "fsdp-lamb")):
        skipped = [record["overflowed_steps"] for record in records(tmp_path / fsdp, "train")]
        assert skipped == [r["overflowed_steps"] for r in records(tmp_path / ddp, "train")]
        assert 5 < skipped[-1] < 20
        expected, found = weights(tmp_path / ddp), weights(tmp_path / fsdp)
        for name, value in expected.items():
            # One update more or less would be 5e-3.
            torch.testing.assert_close(found[name], value, atol=5e-4, rtol=0, msg=name)
    train = records(tmp_path / "fsdp", "train")
    assert train[-1]["mlm_loss"] < train[0]["mlm_loss"] - 0.3
    assert losses(tmp_path / "halves") == losses(tmp_path / "fsdp")
    halves, whole = weights(tmp_path / "halves"), weights(tmp_path / "fsdp")
    assert all(torch.equal(halves[name], whole[name]) for name in whole)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="PyTorch's compiler needs g++ on a CPU")
def test_compiled_layers_are_sharded_too(store, tmp_path):
    do(job(store, tmp_path / "alone"))
    compiled = ["training.compile=true", "training.parallel=fsdp"]
    recomputing = ["training.activation_checkpointing=true", "training.micro_batch_size=1"]
    done = run_jobs(
        job(store, tmp_path / "fsdp", *compiled),
        job(store, tmp_path / "recomputing", *compiled, *recomputing),
    )
    assert done[0]["compiled"] > 3, "the layers, too, not the losses alone"
    for name in ("fsdp", "recomputing"):
        assert_close(tmp_path / "alone", tmp_path / name)
