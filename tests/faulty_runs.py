"""Pre-training runs of the command line that something happens to."""

from cli_runs import FAST

EVERY_STEP = ("--set", "training.checkpoint_every_seconds=1e-6")
OFTEN = (*FAST, *EVERY_STEP, "--set", "training.log_every_steps=1")


def arguments(store, run, *further, steps=8):
    options = ("--recipe", "tiny", *OFTEN, "--set", f"training.num_steps={steps}", *further)
    return ("pretrain", store, "-o", run, *options)


def complaint(result):
    """The one line of a command that failed."""
    code, out, err = result
    assert code == 2, (out, err)
    (line,) = err.splitlines()
    assert line.startswith("bertsmith: ")
    return line.removeprefix("bertsmith: ")


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
