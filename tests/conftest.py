"""Shapes in signatures are checked while the tests run."""

import os

from jaxtyping import install_import_hook

# Two cores, several test processes: one thread each is fastest, and sums come out the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")

install_import_hook("bertsmith", "beartype.beartype")
