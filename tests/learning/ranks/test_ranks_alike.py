"""Machines that were given different commands or files: every rank refuses, and says which."""

import re
import shutil
import socket
import sys
from types import SimpleNamespace

import pytest
import torch

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.store import TokenStore, write_store
from bertsmith.training.distributed import Ranks
from bertsmith.training.parallel import choose_parallel
from kernel_checks import needs_kernels
from ranks_job import do
from ranks_runs import SMALL, free_port, job, outcome, torchrun

STEPS = "training.num_steps=6"

pytestmark = pytest.mark.whole_machine


def pretrain(store, output, *changes):
    sets = [part for change in [*SMALL, STEPS, *changes] for part in ("--set", change)]
    return ["-m", "bertsmith", "pretrain", store, "--recipe", "tiny", *sets, "-o", output]


def changed(folder, *lines):
    """A script that runs what follows `-m bertsmith`, with what it finds changed by some lines."""
    script = folder / "changed.py"
    run = "runpy.run_module('bertsmith', run_name='__main__', alter_sys=True)"
    script.write_text("\n".join(["import runpy, sys", *lines, "del sys.argv[:2]", run, ""]))
    return script


def on_two_machines(first, second):
    """Runs a command on each of two machines, of one rank each; returns their outcomes."""
    port = str(free_port())
    rendezvous = ["--nnodes", "2", "--master-addr", "127.0.0.1", "--master-port", port]
    machines = [
        torchrun(*command, processes=1, rendezvous=[*rendezvous, "--node-rank", str(rank)])
        for rank, command in enumerate((first, second))
    ]
    try:
        return [outcome(machine, seconds=60) for machine in machines]
    finally:
        for machine in machines:
            machine.terminate()


def refusal(first, second):
    """What both machines refuse with."""
    said = set()
    for code, out, err in on_two_machines(first, second):
        assert code != 0, out
        assert re.findall(r"exitcode +: (\S+)", err) == ["2"], err
        assert "held-out" not in out
        said |= {line for line in err.splitlines() if line.startswith("bertsmith: rank ")}
    (line,) = said
    return line.removeprefix("bertsmith: ")


@pytest.mark.slow
@pytest.mark.parametrize(("change", "told"), [
    ("training.learning_rate=0.1", "training.learning_rate = 0.1, not 0.002"),
    ("training.num_steps=40", "training.num_steps = 40, not 6"),
    ("training.log_every_steps=2", "training.log_every_steps = 2, not 1"),
])  # fmt: skip
def test_another_setting(store, tmp_path, change, told):
    line = refusal(pretrain(store, tmp_path / "run"), pretrain(store, tmp_path / "run", change))
    assert line == f"rank 1 has {told} as rank 0; give every process the same settings"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_another_version(store, tmp_path):
    """A machine that was forgotten when the others were updated."""
    older = changed(
        tmp_path, "import torch", "torch.__version__ = torch.torch_version.TorchVersion('0.0.1')"
    )
    command = pretrain(store, tmp_path / "run")
    line = refusal(command, [older, *command])
    told = f"rank 1 has torch = '0.0.1', not '{torch.__version__}' as rank 0"
    assert line == f"{told}; install the same versions on every machine"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@needs_kernels
def test_a_machine_without_a_compiler(store, tmp_path):
    """Its replica would be updated by other operators, and round otherwise."""
    command = pretrain(store, tmp_path / "run")
    without = ["--no-python", "env", "BERTSMITH_CPU_KERNELS=off", sys.executable, *command]
    line = refusal(command, without)
    told = "rank 1 has C kernels = false, not true as rank 0; install gcc on every machine, or set "
    assert line == f"{told}BERTSMITH_CPU_KERNELS=off on all of them"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_folder_that_is_not_shared(store, tmp_path):
    """A disk of each machine's own, or a relative path and different working folders."""
    machines = [tmp_path / name for name in ("first", "second")]
    for folder in machines:
        folder.mkdir()
    impatient = changed(
        tmp_path, "from bertsmith.training import shared_run", "shared_run._SEEN_SECONDS = 1"
    )
    command = [sys.executable, impatient, *pretrain(store, "run")]
    line = refusal(*(["--no-python", "env", "-C", folder, *command] for folder in machines))
    told = f"rank 1 ({socket.gethostname()}) doesn't see run, where rank 0 writes"
    assert line == f"{told}; give a folder on a disk that all machines share"
    assert not any(list(folder.iterdir()) for folder in machines)


@pytest.mark.slow
def test_replicas_that_drift_apart_are_one_again(store, tmp_path):
    """Something went wrong on one, once: told at the evaluation after it, and mended there."""
    script = changed(
        tmp_path,
        "import os",
        "from bertsmith.training.update import Updater",
        "original, done = Updater.__call__, []",
        "def update(self, *arguments):",
        "    original(self, *arguments)",
        "    done.append(1)",
        "    if len(done) == 2 and os.environ['RANK'] == '1':",
        "        bias = next(p for n, p in self.model.named_parameters() if n.endswith('bias'))",
        "        bias.data[:2] = bias.data[:2].flip(0)",
        "Updater.__call__ = update",
    )
    command = pretrain(store, tmp_path / "run", "training.parallel=ddp")
    code, _, err = outcome(torchrun(script, *command))
    assert code == 0, err
    told = [line for line in err.splitlines() if "weren't rank 0's to the bit" in line]
    assert [line.startswith("bertsmith: the weights of rank 1 weren't") for line in told] == [True]
    assert "after step 3: its processor rounds otherwise" in told[0]


def test_the_smallest_gpu_decides_for_all(monkeypatch):
    class Gathering(Ranks):
        def gather(self, value):
            return [value, 10 * 2**30]

    memory = SimpleNamespace(total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: memory)
    gpu = torch.device("cuda")
    with torch.device("meta"):
        large = torch.nn.Linear(2**14, 2**14 + 2**13)  # 6 GiB with its moments
    assert choose_parallel("auto", large, Ranks(device=gpu)) == "ddp"
    assert choose_parallel("auto", large, Gathering(world_size=2, device=gpu)) == "fsdp"
    assert choose_parallel("ddp", large, Gathering(world_size=2, device=gpu)) == "ddp"


@pytest.mark.slow
def test_another_store(store, tmp_path):
    lines = store.with_name("corpus.txt").read_text().split("\n\n")
    (tmp_path / "fewer.txt").write_text("\n\n".join(lines[:-1]))
    corpus = open_corpus([str(tmp_path / "fewer.txt")], CorpusSettings())
    write_store(corpus, TokenStore(store).tokenizer, tmp_path / "fewer")
    run = tmp_path / "run"
    line = refusal(pretrain(store, run), pretrain(tmp_path / "fewer", run))
    told = (
        "rank 1 has store.num_documents = 49, not 50 as rank 0; give every process the same files"
    )
    assert line == told
    assert not run.exists()


@pytest.mark.slow
def test_a_copy_of_the_store(store, tmp_path):
    """A whole one will do; in a damaged one the shard is named."""
    copy = tmp_path / "copy"
    shutil.copytree(store, copy)
    commands = [pretrain(place, tmp_path / "run") for place in (store, copy)]
    results = on_two_machines(*commands)
    assert [code for code, _, _ in results] == [0, 0], results
    shutil.rmtree(tmp_path / "run")
    (shard,) = copy.glob("*.arrow")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    line = refusal(*commands)
    assert line.startswith(f"rank 1: {shard}: is damaged (its SHA-256 is not the manifest's)")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_other_data_to_fine_tune_on(store, tmp_path):
    do(job(store, tmp_path / "model"))
    rows = [f"{'good' if n % 3 else 'bad'}\tthe old teacher paints" for n in range(12)]
    commands = []
    for name, kept in (("one", rows), ("two", rows[:-1])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.tsv").write_text("\n".join(["label\ttext", *kept]) + "\n")
        commands.append(
            ["-m", "bertsmith", "finetune", "classify", "--model", tmp_path / "model", "--data",
             tmp_path / name / "data.tsv", "--recipe", "small", "-o", tmp_path / "run"]
        )  # fmt: skip
    line = refusal(*commands)
    assert line.startswith("rank 1 has data.data.tsv = '")
    assert line.endswith("' as rank 0; give every process the same files")
    assert not (tmp_path / "run").exists()
