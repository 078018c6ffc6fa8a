"""A stop before the work starts: one line and an exit code, whatever is imported."""

import signal
import subprocess
import sys

import pytest
import typer

from bertsmith.cli.stopping import (
    Stopped,
    exit_code,
    raise_on_signals,
    stop_before,
    stop_behind,
)
from bertsmith.errors import StoreError
from cli_runs import FAST

PROGRAM = """
import os, signal, sys, weakref

class Stopping:
    def find_spec(self, wanted, *_):
        if wanted == module:
            sys.meta_path.remove(self)
            {code}

class Owner: ...

class Field:
    def __set_name__(self, *_):
        stop()

def stop():
    os.kill(os.getpid(), getattr(signal, name))

if __name__ == "__main__":
    from bertsmith.cli import main
    sys.meta_path.insert(0, Stopping())
    module, name = sys.argv[1:3]
    del sys.argv[1:3]
    main()
"""

# What is imported when the signal comes, and where that is done.
MOMENTS = {
    "before there are commands": ("typer", "stop()"),
    "while a command is imported": ("bertsmith.corpus", "stop()"),
    "while a dataclass is made": ("bertsmith.corpus", "exec('stop()')"),
    "while a class is made": ("bertsmith.corpus", "type('Class', (), {'field': Field()})"),
    "in a callback": ("bertsmith.corpus", "self.kept = weakref.ref(Owner(), lambda _: stop())"),
}


@pytest.mark.usefixtures("hears_hangups")
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stop_before_the_work(tmp_path, name, moment):
    module, code = MOMENTS[moment]
    (tmp_path / "program.py").write_text(PROGRAM.replace("{code}", code))
    (tmp_path / "long.txt").write_bytes(b"it rains\n" * 2_000_000)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nit\nrains\n")
    arguments = ["prepare", "long.txt", "--vocab", "vocab.txt", "-o", "store", "--workers", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "program", module, name, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 128 + getattr(signal, name)
    (line,) = done.stderr.splitlines()
    assert line in ("bertsmith: stopped", "bertsmith: stopped; run the same command to go on")
    assert done.stdout == ""
    assert not (tmp_path / "store").exists()


def test_what_a_stop_is_told_by():
    error = RuntimeError()
    assert stop_behind(error) is None
    error.__cause__ = Stopped(signal.SIGTERM)
    assert exit_code(stop_behind(error)) == 143


def test_a_stop_of_which_only_the_name_is_left(monkeypatch):
    """As pydantic leaves it, where a signal comes while a schema is built."""
    error = ValueError('Error building "literal" validator:\n  Stopped: \n')
    assert stop_behind(error) is None  # no signal came
    monkeypatch.setattr("bertsmith.cli.stopping._latest", Stopped(signal.SIGHUP))
    assert exit_code(stop_behind(error)) == 129
    assert stop_behind(ValueError("something else")) is None


def test_a_stop_that_an_import_passed_over(monkeypatch):
    """As PyTorch does with what is raised while it imports NumPy."""
    half = AttributeError("module 'numpy' has no attribute 'matrix'")
    assert stop_before(half) is None
    monkeypatch.setattr("bertsmith.cli.stopping._latest", Stopped(signal.SIGINT))
    assert exit_code(stop_before(half)) == 130
    for told in (StoreError("does not exist", where="store"), typer.Exit(3), OSError(28, "full")):
        assert stop_before(told) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.default_int_handler])
def test_who_ignores_a_signal_still_does(monkeypatch, before, number):
    """A shell lets jobs in the background ignore Ctrl-C, nohup the end of the terminal."""
    monkeypatch.setattr("sys.unraisablehook", sys.unraisablehook)
    kept = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        signal.signal(number, before)
        raise_on_signals()
        assert (signal.getsignal(number) == before) is (before == signal.SIG_IGN)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


AT_ONCE = """
import signal, sys
import torch
from bertsmith.cli import main
from bertsmith.training import saver
from bertsmith.training.update import Updater

num_written, before = int(sys.argv.pop(1)), int(sys.argv.pop(1))
update, write = Updater.__call__, saver.write_checkpoint

def writing(*arguments):
    global num_written
    num_written -= 1
    while num_written < 0:
        torch.ones(1000).numpy().tobytes()
    write(*arguments)

def stopping(self, *arguments):
    global before
    if before == 0:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    before -= 1
    return update(self, *arguments)

Updater.__call__, saver.write_checkpoint = stopping, writing
main()
"""


@pytest.mark.parametrize(
    ("num_updates", "num_written", "told"),
    [
        (0, 9, "nothing is kept"),
        (3, 9, "the same command goes on from its last checkpoint"),
        (2, 1, "the same command goes on from its last checkpoint"),  # the second is never done
    ],
)
def test_a_second_ctrl_c_says_what_is_kept(store, tmp_path, num_updates, num_written, told):
    changes = ("training.num_steps=9", "training.checkpoint_every_seconds=1e-6")
    options = [*FAST, *(part for change in changes for part in ("--set", change))]
    program = [sys.executable, "-c", AT_ONCE, str(num_written), str(num_updates)]
    arguments = ["pretrain", str(store), "-o", str(tmp_path / "run"), "--recipe", "tiny"]
    done = subprocess.run([*program, *arguments, *options], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, f"bertsmith: stopped at once; {told}\n")
    assert (tmp_path / "run" / "checkpoints").exists() == (num_updates > 0)
