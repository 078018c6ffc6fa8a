"""Running the command line inside the tests, and text to run it on."""

import sys

from bertsmith.cli import main

WORDS = [
    *("river", "mountain", "city", "village", "bridge", "market", "winter", "summer", "teacher"),
    *("farmer", "red", "old", "small", "quiet", "walks", "builds", "paints", "sells", "near"),
    *("behind", "under", "and", "the", "a", "of", "with", "from", "to", "in", "slowly", "often"),
]


def run(*arguments):
    """Runs the command line in this process; returns the exit code."""
    saved = sys.argv
    sys.argv = ["bertsmith", *map(str, arguments)]
    try:
        main()
    except SystemExit as stop:
        return stop.code or 0
    finally:
        sys.argv = saved
    return 0


def sentence(rng):
    return " ".join(rng.choices(WORDS, k=rng.randint(5, 12))) + " ."


FAST = (
    "--set", "model.num_hidden_layers=1", "--set", "model.hidden_size=32",
    "--set", "model.max_position_embeddings=64", "--set", "examples.max_seq_length=32",
    "--set", "training.global_batch_size=8", "--set", "training.micro_batch_size=8",
    "--set", "training.held_out_fraction=0.1", "--set", "training.num_evaluations=2",
    "--set", "training.precision=fp32",
)  # fmt: skip


def complains(result, *parts):
    """Checks that a command, of which these are exit code, output and errors, says so in a line."""
    code, out, err = result
    assert code == 2, (out, err)
    lines = [line for line in err.splitlines() if line.startswith("bertsmith: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    for part in parts:
        assert part in lines[0], lines[0]
