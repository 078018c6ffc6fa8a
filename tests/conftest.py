"""Shapes in signatures are checked while the tests run."""

import os

# Two cores, several test processes: one thread each is fastest, and sums come out the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings
from jaxtyping import install_import_hook

# How long an example takes says nothing on a busy machine.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

install_import_hook(
    ["bertsmith.model", "bertsmith.batches", "bertsmith.objectives"], "shape_checker.check"
)
