"""Scripts on Triton's kernels, in processes of their own: at import it decides to interpret."""

import importlib.util
import os
import subprocess
import sys

import pytest

needs_triton = pytest.mark.skipif(
    not importlib.util.find_spec("triton"), reason="Triton is for x86-64 Linux alone"
)


def run_script(*command, folder=None, **environment):
    """What Python prints that is started with this command; it must end well.

    Args:
        command: Python's options, "-c" and the script, and the script's arguments.
        folder: where it runs.
        environment: what it has besides this process's own, of which no wish to interpret stays.
    """
    kept = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=kept | environment,
    )
    assert not done.returncode, done.stderr[-3000:]
    return done.stdout.strip()
