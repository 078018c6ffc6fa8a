"""Shapes in signatures are checked while the tests run."""

import os
import signal
from pathlib import Path

# Two cores, several test processes: one thread each is fastest, and sums come out the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell's script that runs the tests with & has them ignore Ctrl-C, and all that they start; a
# handler of this process's own becomes the system's in those.
signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# How long an example takes says nothing on a busy machine.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

SOURCE = Path(__file__).parents[1] / "src"
# Modules that name shapes alone: checks of the others' plain types double what a run takes.
WITH_SHAPES = [
    ".".join(file.relative_to(SOURCE).with_suffix("").parts)
    for room in ("model", "batches", "objectives")
    for file in (SOURCE / "bertsmith" / room).rglob("*.py")
    if "from jaxtyping import" in file.read_text(encoding="utf-8")
]
install_import_hook(WITH_SHAPES, "shape_checker.check")


@pytest.fixture
def hears_hangups():
    """Whoever runs the tests under nohup: the programs they start hear SIGHUP nevertheless."""
    kept = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, kept)
