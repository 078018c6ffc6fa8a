"""A disk that fills up while a run is saved: one line, exit code 2, and the run goes on later."""

import shutil
import subprocess
import sys

import pytest

from bertsmith.training.checkpoint import verify_checkpoint
from pretraining_runs import FAST, losses, same, weights

STEPS = ["training.num_steps=8", "training.checkpoint_every_seconds=1e-6"]
KEEP_ALL = ["training.keep_checkpoints=100"]

SCRIPT = """
import resource, sys
limit = int(sys.argv[1])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = sys.argv[1:]
from bertsmith.cli import main
main()
"""


def pretrain(store, folder, changes, limit=0):
    options = [part for change in [*FAST, *STEPS, *changes] for part in ("--set", change)]
    command = ["pretrain", str(store), "--recipe", "tiny", "-o", str(folder), *options]
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(limit), *command], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert pretrain(store, folder, KEEP_ALL).returncode == 0
    return folder


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def small_disk(tmp_path, whole):
    """A disk with room for three checkpoints and a half; only root may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = int(3.5 * size_of(whole / "checkpoints/step-000001")) + 60_000
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("may not mount a disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def one_line(done):
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_a_full_disk(store, tmp_path, whole, small_disk):
    run = small_disk / "run"
    line = one_line(pretrain(store, run, KEEP_ALL))
    assert line.startswith(f"bertsmith: {run}/checkpoints/step-00000")
    assert "cannot be written (No space left on device)" in line
    assert "earlier checkpoints are untouched; make room and run the same command" in line
    names = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert names[0] == "step-000001"
    assert len(names) >= 2
    assert line.endswith(f" to go on from {names[-1]}")
    for name in names:
        verify_checkpoint(run / "checkpoints" / name)
    # Making room: fewer checkpoints stay, which a run may change.
    for name in names[:-1]:
        shutil.rmtree(run / "checkpoints" / name)
    done = pretrain(store, run, ["training.keep_checkpoints=1"])
    assert done.returncode == 0, done.stderr
    assert same(weights(whole), weights(run))
    assert losses(whole) == losses(run)


def test_a_file_that_cannot_grow(store, tmp_path, whole):
    run = tmp_path / "run"
    limit = (whole / "checkpoints/step-000001/training_state.safetensors").stat().st_size // 2
    line = one_line(pretrain(store, run, KEEP_ALL, limit))
    assert line == (
        f"bertsmith: {run}/checkpoints/step-000001: cannot be written (File too large); "
        "make room and run the same command, which starts anew: there is no checkpoint yet"
    )
    assert list((run / "checkpoints").iterdir()) == []
    done = pretrain(store, run, KEEP_ALL)
    assert done.returncode == 0
    assert "the run starts anew; its log so far is metrics.jsonl.old" in done.stderr
    assert same(weights(whole), weights(run))


def test_a_log_that_cannot_grow(store, tmp_path, whole):
    run = tmp_path / "run"
    rare = ["training.checkpoint_every_seconds=1000", "training.num_steps=40"]
    rare.append("training.trackers=[]")
    line = one_line(pretrain(store, run, rare, 4096))
    assert line == (
        f"bertsmith: {run}/metrics.jsonl: cannot be written (File too large); "
        "make room and run the same command, which starts anew: there is no checkpoint yet"
    )
    assert pretrain(store, run, rare).returncode == 0
    assert len(losses(run)) == 40


@pytest.mark.slow
def test_a_log_and_a_tracker_that_cannot_grow(store, tmp_path):
    """Each is a line of its own; what the tracker's thread raises is no traceback."""
    rare = ["training.checkpoint_every_seconds=1000", "training.num_steps=40"]
    done = pretrain(store, tmp_path / "run", rare, 8192)
    assert done.returncode == 2
    tracker, log = done.stderr.splitlines()
    assert tracker == (
        "bertsmith: tensorboard failed ([Errno 27] File too large); the run goes on without it, "
        "and its metrics.jsonl has everything"
    )
    assert log.startswith(f"bertsmith: {tmp_path}/run/metrics.jsonl: cannot be written (File too")


def test_a_model_that_cannot_be_written_at_the_end(store, tmp_path, whole):
    run = tmp_path / "run"
    limit = (whole / "model.safetensors").stat().st_size // 2
    rare = ["training.checkpoint_every_seconds=1000"]
    line = one_line(pretrain(store, run, rare, limit))
    assert line.startswith(f"bertsmith: {run}: cannot be written (File too large)")
    assert line.endswith("which starts anew: there is no checkpoint yet")
    assert pretrain(store, run, rare).returncode == 0
    assert same(weights(whole), weights(run))
