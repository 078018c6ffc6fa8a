"""A terminal that is closed, or an ssh connection that is lost: the run is saved and goes on."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios

import pytest

from pretraining_runs import FAST, records
from ranks_runs import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("hears_hangups")]


def command(store, run, num_steps):
    changes = [*FAST, f"training.num_steps={num_steps}", "training.checkpoint_every_seconds=1000"]
    sets = [part for change in changes for part in ("--set", change)]
    recipe = ["--recipe", "tiny", *sets]
    return [sys.executable, "-m", "bertsmith", "pretrain", str(store), *recipe, "-o", str(run)]


@contextlib.contextmanager
def started(*args, **options):
    """A process that a test which fails doesn't leave behind."""
    with subprocess.Popen(*args, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def has_begun(run):
    return (run / "metrics.jsonl").exists() and bool(records(run, "train"))


def saved(run):
    """The step of the one checkpoint; it is the last that was logged."""
    (folder,) = (run / "checkpoints").glob("step-*")
    step = int(folder.name.removeprefix("step-"))
    assert step == records(run, "train")[-1]["step"]
    return step


def test_a_closed_terminal(store, tmp_path):
    run = tmp_path / "run"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(store, run, 1_000_000),
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    shown = b""

    def bar_is_drawn():
        nonlocal shown
        while select.select([ours], [], [], 0)[0]:
            shown += os.read(ours, 65_536)
        return shown.count(b"pre-training") > 5

    try:
        wait_until(bar_is_drawn, process)
        os.close(ours)
        assert process.wait(timeout=60) == 129
    finally:
        process.kill()
        process.wait()
    assert saved(run) > 0


def test_a_signal_is_told_in_a_line(store, tmp_path):
    run = tmp_path / "run"
    with started(command(store, run, 1_000_000)) as process:
        wait_until(lambda: has_begun(run), process)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 129
    step = saved(run)
    assert err.splitlines()[-1] == (
        f"bertsmith: stopped after step {step}; saved at {run}/checkpoints/step-{step:06d}; "
        "run the same command to go on"
    )


def test_with_nohup_it_goes_on(store, tmp_path):
    run = tmp_path / "run"
    nowhere = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    with started(["nohup", *command(store, run, 300)], **nowhere) as process:
        wait_until(lambda: has_begun(run), process)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert records(run, "train")[-1]["step"] == 300
