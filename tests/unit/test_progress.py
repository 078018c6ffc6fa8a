"""The progress bar: on standard error, only where there is something to wait for."""

import io
import sys

import pytest

from bertsmith import _progress
from bertsmith._progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time that goes on when told."""
    now = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])

    def go_on(seconds):
        now[0] += seconds

    return go_on


def test_short_work_says_nothing(clock, monkeypatch, capsys):
    with progress("reading", 10, "files") as bar:
        clock(9.9)
        bar.advance(5)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("reading", 10, "files") as bar:
        clock(1.9)
        bar.advance(5)
    assert capsys.readouterr() == ("", "")
    assert terminal.getvalue() == ""


def test_without_a_terminal_a_line_every_ten_seconds(clock, capsys):
    with progress("reading", 8e6, "bytes") as bar:
        for _ in range(25):
            clock(1)
            bar.advance(2e5)
            bar.update(loss=1.23456, name="x")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "reading: 2.0 MB of 8.0 MB · 0:30 left · 0.2 MB/s · loss 1.235 · name x",
        "reading: 4.0 MB of 8.0 MB · 0:20 left · 0.2 MB/s · loss 1.235 · name x",
    ]


def test_a_terminal_gets_a_bar(clock, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with progress("[training]", 40, "steps") as bar:
        clock(4)
        bar.advance(8)
        clock(1)
        bar.update(loss=0.5)
    shown = terminal.getvalue()
    assert "[training]" in shown
    assert "20%" in shown
    assert "1.6 steps/s" in shown
    assert "loss 0.5" in shown
    assert capsys.readouterr().out == ""


def test_a_narrow_terminal_still_shows_the_time_left(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    values = {f"value {number}": 0.123 for number in range(12)}
    with progress("training", 40, "steps") as bar:
        clock(4)
        bar.advance(8)
        clock(1)
        bar.update(**values)
    shown = terminal.getvalue()
    assert "…" not in shown
    assert "20%" in shown
    assert "left" in shown
    assert all(name in " ".join(shown.split()) for name in values)


def test_what_was_done_before_is_no_speed(clock, capsys):
    with progress("training", 100, "steps", done=50) as bar:
        clock(10)
        bar.advance(10)
    assert capsys.readouterr().err == "training: 60 of 100 steps · 0:40 left · 1 steps/s\n"


def test_all_that_is_done_in_the_end(clock, capsys):
    with progress("training", 100, "s", done=50) as bar:
        clock(10)
        bar.reach(60)
        clock(10)
        bar.reach(75)
    assert capsys.readouterr().err.splitlines() == [
        "training: 60 of 100 s · 0:40 left",
        "training: 75 of 100 s · 0:20 left",
    ]


def test_inside_another_one_it_is_silent(clock, capsys):
    with progress("outer") as outer:
        with progress("inner") as inner:
            clock(11)
            inner.advance()
        outer.advance()
    assert capsys.readouterr().err == "outer: 1 · 0.1/s\n"
    with pytest.raises(ValueError, match="mine"), progress("broken"):
        raise ValueError("mine")
    with progress("after") as bar:
        clock(11)
        bar.advance()
    assert capsys.readouterr().err.startswith("after: 1")
