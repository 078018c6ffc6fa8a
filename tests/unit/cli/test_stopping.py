"""A stop before the work starts: one line and an exit code, whatever is imported."""

import signal
import subprocess
import sys

import pytest

from bertsmith.cli.stopping import Stopped, exit_code, raise_on_signals, stop_behind

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
