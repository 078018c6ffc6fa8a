"""Starting runs of several processes, as a user would: through torchrun."""

import json
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.recipes import load_recipe
from bertsmith.store import write_store
from bertsmith.training import PretrainRecipe, pretrain
from bertsmith.wordpiece import Tokenizer, learn_vocabulary
from cli_runs import sentence

SMALL = [
    "model.num_hidden_layers=2",
    "model.hidden_size=32",
    "model.max_position_embeddings=64",
    "examples.max_seq_length=32",
    "training.global_batch_size=8",
    "training.micro_batch_size=4",
    "training.held_out_fraction=0.1",
    "training.num_evaluations=2",
    "training.precision=fp32",
    "training.log_every_steps=1",
]
NUM_STEPS = 6
ONE_MACHINE = ("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0")


def make_store(folder):
    """A token store of 50 small documents; returns its path."""
    rng = random.Random(3)
    documents = ["\n".join(sentence(rng) for _ in range(8)) for _ in range(50)]
    (folder / "corpus.txt").write_text("\n\n".join(documents))
    corpus = open_corpus([str(folder / "corpus.txt")], CorpusSettings())
    vocabulary = learn_vocabulary((document.text for document in corpus), size=150)
    write_store(corpus, Tokenizer(vocabulary, lowercase=True), folder / "store")
    return folder / "store"


def free_port():
    """A port of loopback's that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def torchrun(*arguments, processes=2, rendezvous=ONE_MACHINE, within=()):
    """Starts torchrun on what `python` would be given, by the command `within`."""
    return subprocess.Popen(
        [*within, sys.executable, "-m", "torch.distributed.run", *rendezvous,
         "--nproc-per-node", str(processes), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # As the test's own processes see the machine: no GPU, and sums of one thread.
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip


def outcome(process, seconds=240):
    """Waits for a process; returns its exit code and what it printed."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        out, err = process.communicate(timeout=60)
        raise AssertionError(f"not done after {seconds} s:\n{out}\n{err}") from None
    return process.returncode, out, err


def run_jobs(*jobs, processes=2):
    """Does jobs (see ranks_job.py) in one torchrun; returns what each printed."""
    script = Path(__file__).with_name("ranks_job.py")
    code, out, err = outcome(torchrun(script, json.dumps(jobs), processes=processes))
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def ranks_of(process):
    """The process ids of a torchrun's ranks, by rank."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = {}
    for child in children:
        try:
            environment = Path(f"/proc/{child}/environ").read_bytes()
        except OSError:  # it has ended since
            continue
        for entry in environment.split(b"\0"):
            if entry.startswith(b"RANK="):
                found[int(entry[5:])] = int(child)
    return found


def wait_until(condition, process, seconds=120):
    """Waits until something is so, while a process runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def weights(folder):
    return load_file(folder / "model.safetensors")


def losses(folder):
    """(step, loss) of the log, train and evaluation."""
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(r["kind"], r["step"], r["mlm_loss"]) for r in records if "mlm_loss" in r]


def job(store, output, *changes, **further):
    """A job for `run_jobs`: a short pre-training run of SMALL."""
    steps = f"training.num_steps={NUM_STEPS}"
    return {
        "store": str(store), "output": str(output), "changes": [*SMALL, steps, *changes], **further
    }  # fmt: skip


def assert_close(one, other, atol=2e-5):
    """Equal but for rounding."""
    expected, found = weights(one), weights(other)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=atol, rtol=1e-4, msg=name)
    assert [entry[:2] for entry in losses(one)] == [entry[:2] for entry in losses(other)]
    for first, second in zip(losses(one), losses(other), strict=True):
        assert second[2] == pytest.approx(first[2], rel=1e-4)


def train_alone(store, folder):
    """What one process makes of it."""
    recipe = load_recipe(
        PretrainRecipe, "pretrain", "tiny", [*SMALL, f"training.num_steps={NUM_STEPS}"]
    )
    pretrain(store, recipe, folder, warn=print)
    return folder


def command_line(store, output, *changes):
    sets = [part for change in [*SMALL, *changes] for part in ("--set", change)]
    return ["-m", "bertsmith", "pretrain", store, "--recipe", "tiny", *sets, "-o", output]


def said(stderr):
    """The lines that are ours, without what torchrun says."""
    return [line for line in stderr.splitlines() if line.startswith("bertsmith: ")]
