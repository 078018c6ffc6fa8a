"""`kill -9` at any moment, inside the writing of a checkpoint too: the run ends with the same bits.

Runs are forked from a process that has imported everything, so that a start takes a tenth of a
second, and 25 of them fit into a test.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pretraining_runs
from pretraining_runs import losses, records, same, weights

SCRIPT = """
import json, os, random, signal, sys, time
from pathlib import Path

sys.path.insert(0, sys.argv[3])
import torch._dynamo  # optimizers do so when they are first built; it takes seconds
import bertsmith._files
from bertsmith.training import pretrain
from pretraining_runs import recipe

STORE, FOLDER, STEPS = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[4])
CHANGES = [
    f"training.num_steps={STEPS}", "training.checkpoint_every_seconds=1e-6",
    "training.num_evaluations=6", "training.keep_best=true",
]


def die_at_sync(number):
    original, left = bertsmith._files.sync, [number]

    def sync(path):
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        original(path)

    bertsmith._files.sync = sync


def start(name, prepare=lambda: None):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        prepare()
        pretrain(STORE, recipe(*CHANGES), FOLDER / name, warn=print)
        code = 0
    finally:
        os._exit(code)


def newest():
    steps = [int(path.name[5:]) for path in (FOLDER / "killed/checkpoints").glob("step-*")]
    return max(steps, default=0)


def kill_soon(pid):
    # By progress, then by the clock in steps' time: how fast the machine is doesn't matter.
    wanted = newest() + rng.randint(0, 3)
    while newest() < wanted:
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), "the run is over"
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 3 * seconds_per_step))
    os.kill(pid, signal.SIGKILL)


started = time.monotonic()
assert os.waitpid(start("whole"), 0)[1] == 0
seconds_per_step = (time.monotonic() - started) / STEPS
rng, report = random.Random(int(sys.argv[7])), []
num_timed, num_writing = int(sys.argv[5]), int(sys.argv[6])
kinds = ["timed"] * num_timed + ["writing"] * num_writing
rng.shuffle(kinds)
for kind in kinds:
    if kind == "timed":
        pid = start("killed")
        kill_soon(pid)
    else:
        number = rng.randint(1, 50)
        pid = start("killed", lambda: die_at_sync(number))
    _, status = os.waitpid(pid, 0)
    half = len(list((FOLDER / "killed").glob("checkpoints/.*.tmp")))
    report.append({"status": status, "newest": newest(), "half_written": half})
assert os.waitpid(start("killed"), 0)[1] == 0
print("REPORT " + json.dumps(report))
"""


def kill_again_and_again(store, tmp_path, seed, num_timed, num_writing, num_steps):
    tests = Path(pretraining_runs.__file__).parent
    arguments = [store, tmp_path, tests, num_steps, num_timed, num_writing, seed]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    kills = json.loads(next(line for line in lines if line.startswith("REPORT "))[7:])
    assert not [line for line in lines if "damaged" in line or "taken from" in line]
    print(kills)
    whole, again = tmp_path / "whole", tmp_path / "killed"
    assert same(weights(whole), weights(again))
    assert losses(whole) == losses(again)
    assert [step for step, _ in losses(again)] == list(range(1, num_steps + 1))
    drop = {"seconds"}
    for one, other in zip(records(whole, "evaluation"), records(again, "evaluation"), strict=True):
        assert {k: v for k, v in one.items() if k not in drop} == {
            k: v for k, v in other.items() if k not in drop
        }
    hidden = [path.name for path in again.rglob(".*")]
    assert sorted(hidden) == [".lock", ".model.json", ".store.json"]
    best = [(folder / "checkpoints/best").resolve().name for folder in (whole, again)]
    assert best[0] == best[1]
    assert same(weights(whole / "checkpoints/best"), weights(again / "checkpoints/best"))
    return kills


def test_25_random_moments(store, tmp_path):
    kills = kill_again_and_again(store, tmp_path, 0, 15, 10, num_steps=150)
    assert [kill["status"] for kill in kills] == [9] * 25
    assert sum(kill["half_written"] > 0 for kill in kills) >= 5
    assert len({kill["newest"] for kill in kills}) >= 5


@pytest.mark.slow
def test_many_more_moments(store, tmp_path):
    kills = kill_again_and_again(store, tmp_path, 1, 25, 25, num_steps=320)
    assert [kill["status"] for kill in kills] == [9] * 50
