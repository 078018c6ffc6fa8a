"""Shapes in signatures are checked while the tests run."""

import os
import signal

# Two cores, several test processes: one thread each is fastest, and sums come out the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# How long an example takes says nothing on a busy machine.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

install_import_hook(
    ["bertsmith.model", "bertsmith.batches", "bertsmith.objectives"], "shape_checker.check"
)


@pytest.fixture
def hears_hangups():
    """Whoever runs the tests under nohup: the programs they start hear SIGHUP nevertheless."""
    kept = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, kept)
