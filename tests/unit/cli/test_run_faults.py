"""What can happen to a run: one line that says what and where, exit code 2, and nothing is lost."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from cli_runs import FAST
from pretraining_runs import losses, same, weights

EVERY_STEP = ("--set", "training.checkpoint_every_seconds=1e-6")
OFTEN = (*FAST, *EVERY_STEP, "--set", "training.log_every_steps=1")


def arguments(store, run, *further, steps=8):
    options = ("--recipe", "tiny", *OFTEN, "--set", f"training.num_steps={steps}", *further)
    return ("pretrain", store, "-o", run, *options)


@pytest.fixture(scope="module")
def finished(store, tmp_path_factory):
    """A run of 8 steps, with the checkpoints of its last two."""
    from cli_runs import run

    path = tmp_path_factory.mktemp("finished") / "run"
    assert run(*arguments(store, path)) == 0
    return path


@pytest.fixture
def stopped(finished, tmp_path):
    """The same run, as if the machine had gone down after step 8."""
    path = tmp_path / "run"
    shutil.copytree(finished, path, symlinks=True)
    log = (path / "metrics.jsonl").read_text().splitlines(keepends=True)
    assert json.loads(log[-1])["kind"] == "end"
    (path / "metrics.jsonl").write_text("".join(log[:-1]))
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (path / name).unlink()
    return path


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


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: flip_a_bit(folder / "model.safetensors"),
         "model.safetensors is damaged: its hash differs"),
        (lambda folder: flip_a_bit(folder / "training_state.safetensors"),
         "training_state.safetensors is damaged: its hash differs"),
        (lambda folder: flip_a_bit(folder / "training_state.json"),
         "training_state.json is damaged: its hash differs"),
        (lambda folder: (folder / "vocab.txt").unlink(), "the checkpoint lacks vocab.txt"),
        (lambda folder: (folder / "hashes.json").unlink(),
         "the checkpoint is incomplete (hashes.json: FileNotFoundError)"),
        (lambda folder: (folder / "hashes.json").write_text("[1, 2"),
         "the checkpoint is incomplete (hashes.json: JSONDecodeError)"),
    ],
)  # fmt: skip
def test_a_damaged_checkpoint(bertsmith, store, finished, stopped, damage, told):
    newest = stopped / "checkpoints/step-000008"
    damage(newest)
    damaged = content(newest)
    code, _, err = bertsmith(*arguments(store, stopped))
    assert code == 0
    assert err.splitlines() == [
        f"bertsmith: {newest}: {told}; going on from step-000007, the last good one"
    ]
    assert same(weights(finished), weights(stopped))
    assert losses(finished) == losses(stopped)
    assert content(stopped / "checkpoints/damaged-step-000008") == damaged


def test_all_checkpoints_damaged(bertsmith, store, stopped):
    for folder in (stopped / "checkpoints").iterdir():
        flip_a_bit(folder / "model.safetensors")
    before = content(stopped)
    assert complaint(bertsmith(*arguments(store, stopped))) == (
        f"{stopped}/checkpoints: none of the 2 checkpoints can be used "
        "(step-000008: model.safetensors is damaged: its hash differs, "
        "step-000007: model.safetensors is damaged: its hash differs); "
        "copy one back from elsewhere, or give another output folder to start anew"
    )
    assert content(stopped) == before


def test_two_runs_into_one_folder(bertsmith, store, stopped):
    command = [
        sys.executable,
        "-m",
        "bertsmith",
        *map(str, arguments(store, stopped, "--set", "training.trackers=[]")),
    ]
    code = "import runpy, sys, time; from bertsmith.training.update import Updater\n"
    code += "def wait(*_): print('training', flush=True); sys.stdin.read()\n"
    code += "Updater.__call__ = wait; sys.argv = sys.argv[1:]\n"
    code += "runpy.run_module('bertsmith', run_name='__main__')"
    (stopped / "checkpoints/step-000008").rename(stopped / "step-000008")
    with subprocess.Popen(
        [sys.executable, "-c", code, *command[2:]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as other:  # fmt: skip
        assert other.stdout.readline() == "training\n"
        before = content(stopped)
        assert complaint(bertsmith(*arguments(store, stopped))) == (
            f"{stopped}: another run is writing into this folder; "
            "wait for it or give another output folder"
        )
        assert content(stopped) == before
        other.kill()


def test_a_store_that_was_appended_to(bertsmith, corpus, store, stopped, tmp_path):
    mine = tmp_path / "store"
    shutil.copytree(store, mine)
    assert bertsmith("prepare", corpus, "-o", mine, "--append", "--again")[0] == 0
    before = content(stopped)
    line = complaint(bertsmith(*arguments(mine, stopped)))
    assert line.startswith(
        f"{stopped}: this run was started on another store, or the store has changed since "
        "(store.num_documents = 60, not 120); give the store as it was to go on, or another"
    )
    assert content(stopped) == before


def test_a_store_with_the_same_manifest_and_other_bytes(bertsmith, store, stopped, tmp_path):
    """Noticed when a run starts; and when it goes on, if a file was touched or stands elsewhere."""
    mine = tmp_path / "store"
    shutil.copytree(store, mine)
    (shard,) = mine.glob("*.arrow")
    flip_a_bit(shard)
    told = (
        f"{shard}: is damaged (its SHA-256 is not the manifest's); "
        "copy the store again, or prepare it again with `bertsmith prepare`"
    )
    assert complaint(bertsmith(*arguments(mine, tmp_path / "fresh/run"))) == told
    assert not (tmp_path / "fresh").exists()
    before = content(stopped)
    assert complaint(bertsmith(*arguments(mine, stopped))) == told
    assert content(stopped) == before
    shutil.copy(store / shard.name, shard)
    assert bertsmith(*arguments(mine, stopped))[0] == 0


def test_a_store_is_not_read_again_when_nothing_has_changed(store, stopped, tmp_path, monkeypatch):
    from bertsmith.store import TokenStore
    from bertsmith.training.store_check import verify_store

    reads = []
    monkeypatch.setattr(TokenStore, "verify", lambda self: reads.append(self.folder))
    verify_store(TokenStore(store), stopped / ".store.json")
    assert reads == []
    (shard,) = store.glob("*.arrow")
    old = shard.stat().st_mtime_ns
    os.utime(shard, ns=(old, old + 1))
    verify_store(TokenStore(store), stopped / ".store.json")
    os.utime(shard, ns=(old, old))
    assert reads == [store]


def test_another_recipe(bertsmith, store, stopped):
    before = content(stopped)
    another = arguments(store, stopped, "--set", "training.learning_rate=0.5")
    assert complaint(bertsmith(*another)) == (
        f"{stopped}: this folder holds a run with training.learning_rate = 0.002, not 0.5; "
        "use the same settings to go on, or another output folder"
    )
    assert content(stopped) == before


def test_a_run_of_another_start(bertsmith, store, stopped, model):
    before = content(stopped)
    assert complaint(bertsmith(*arguments(store, stopped), "--init", model)) == (
        f"{stopped}: this folder holds a run without --init, not with --init {model}; "
        "start as it was to go on, or give another output folder"
    )
    another = arguments(store, stopped, "--set", "training.num_warmup_steps=1")
    told = "this folder holds a run with training.num_warmup_steps = null, not 1;"
    assert told in complaint(bertsmith(*another))
    assert content(stopped) == before


def test_a_recipe_that_is_damaged_or_missing(bertsmith, store, stopped):
    """Every checkpoint has a copy, and the line says so."""
    path = stopped / "recipe.yaml"
    copy = max(stopped.glob("checkpoints/step-*")) / "recipe.yaml"
    before = path.read_bytes()
    for damage, fault in ((b"training: [", "can't be read"), (b"- 1", "is no recipe")):
        path.write_bytes(damage)
        told = complaint(bertsmith(*arguments(store, stopped)))
        assert told == f"{path}: {fault}; {shlex.join(['cp', str(copy), str(path)])} mends it"
    path.write_bytes(b"training: \xb3")
    told = complaint(bertsmith("doctor", "run", stopped))
    assert told.startswith(f"{path}: can't be read; cp ")
    path.unlink()
    told = complaint(bertsmith(*arguments(store, stopped)))
    assert told.startswith(f"{path}: is missing; cp ")
    shutil.copy(copy, path)
    assert path.read_bytes() == before
    assert bertsmith(*arguments(store, stopped))[0] == 0


def test_a_checkpoint_of_another_run(bertsmith, store, stopped, tmp_path):
    other = tmp_path / "other"
    assert bertsmith(*arguments(store, other, steps=9))[0] == 0
    foreign = stopped / "checkpoints/step-000009"
    shutil.copytree(other / "checkpoints/step-000009", foreign)
    before = content(stopped)
    assert complaint(bertsmith(*arguments(store, stopped))) == (
        f"{foreign}: is a checkpoint of another run: its recipe has training.num_steps = 9, not 8; "
        "move it out of this run's folder"
    )
    assert content(stopped) == before


def test_settings_that_weights_do_not_depend_on_may_change(bertsmith, store, finished, stopped):
    flip_a_bit(stopped / "checkpoints/step-000008/model.safetensors")
    changes = (
        "--set", "training.keep_checkpoints=1", "--set", "training.log_every_steps=3",
        "--set", "training.keep_best=true", "--set", "training.max_skipped_updates=0",
    )  # fmt: skip
    assert bertsmith(*arguments(store, stopped, *changes))[0] == 0
    assert same(weights(finished), weights(stopped))
    saved = yaml.safe_load((stopped / "recipe.yaml").read_text())
    assert saved["training"]["keep_checkpoints"] == 1


@pytest.mark.parametrize(
    ("further", "told"),
    [
        (("--init", "nowhere"), "nowhere: "),
        (
            (
                "--set",
                "model.attention=causal",
                "--set",
                "examples.next_sentence=false",
                "--init",
                "MODEL",
            ),
            "the model's attention is bidirectional",
        ),
    ],
)
def test_a_start_that_fails_leaves_nothing(bertsmith, store, finished, tmp_path, further, told):
    further = [str(finished) if part == "MODEL" else part for part in further]
    line = complaint(bertsmith(*arguments(store, tmp_path / "runs/deep/run", *further)))
    assert told in line
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    complaint(bertsmith(*arguments(store, tmp_path / "mine", *further)))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert list((tmp_path / "mine").iterdir()) == []


def test_the_recipe_of_a_run_is_a_recipe(bertsmith, store, finished, tmp_path):
    again = tmp_path / "again"
    assert bertsmith("pretrain", store, "--recipe", finished / "recipe.yaml", "-o", again)[0] == 0
    assert same(weights(finished), weights(again))
    assert (again / "recipe.yaml").read_text() == (finished / "recipe.yaml").read_text()
    in_checkpoint = again / "checkpoints/step-000008/recipe.yaml"
    assert in_checkpoint.read_text() == (again / "recipe.yaml").read_text()


def test_the_recipe_of_a_fine_tuned_run_is_a_recipe(bertsmith, finished, tmp_path):
    rows = [("red river .", 0), ("old city .", 1)] * 8
    lines = "".join(f"{text}\t{label}\n" for text, label in rows)
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text(f"sentence\tlabel\n{lines}")
    first, again = tmp_path / "first", tmp_path / "again"
    command = ("finetune", "sst2", "--model", finished, "--data", tmp_path)
    changes = ("--set", "training.num_epochs=1", "--set", "max_seq_length=16")
    assert bertsmith(*command, "-o", first, *changes)[0] == 0
    assert bertsmith(*command, "-o", again, "--recipe", first / "recipe.yaml")[0] == 0
    assert same(weights(first), weights(again))
    _, _, err = bertsmith("evaluate", "mrpc", "--model", first, "--data", tmp_path)
    assert "was fine-tuned for sst2, not mrpc" in err, "recipe.yaml says what it was run on"


def test_the_best_checkpoint_is_a_model(bertsmith, store, tmp_path):
    run = tmp_path / "run"
    changes = ("--set", "training.keep_best=true", "--set", "training.num_evaluations=4")
    rare = ("--set", "training.checkpoint_every_seconds=1000")
    assert bertsmith(*arguments(store, run, *changes, *rare))[0] == 0
    evaluations = [
        record
        for record in map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        if record["kind"] == "evaluation"
    ]
    best = min(evaluations, key=lambda record: record["mlm_loss"])
    assert (run / "checkpoints/best").readlink().name == f"step-{best['step']:06d}"
    state = json.loads((run / "checkpoints/best/training_state.json").read_text())
    assert (state["best_step"], state["best_loss"]) == (best["step"], best["mlm_loss"])
    model = run / "checkpoints/best"
    assert bertsmith("predict", "fill-mask", "--model", model, "the old [MASK] .")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_signals(store, finished, tmp_path, number, times, bertsmith):
    """One saves and ends; a second SIGTERM changes nothing, a second Ctrl-C ends without saving."""
    run = tmp_path / "run"
    rare = ("--set", "training.checkpoint_every_seconds=1000", "--set", "training.num_steps=100000")
    command = [sys.executable, "-m", "bertsmith", *map(str, arguments(store, run, *rare))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").read_text():
            assert process.poll() is None
            time.sleep(0.01)
        for _ in range(times):
            process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    checkpoints = list((run / "checkpoints").glob("*"))
    if times == 1 or number == signal.SIGTERM:
        (line,) = err.splitlines()
        assert line.endswith(f"saved at {checkpoints[0]}; run the same command to go on")
    code, _, err = bertsmith(*arguments(store, run, *rare, "--set", "training.num_steps=1"))
    assert code == 2, "another recipe, and nothing else is wrong"
    assert "num_steps" in err
    from bertsmith.training.checkpoint import verify_checkpoint

    for checkpoint in checkpoints:
        verify_checkpoint(checkpoint)


def test_a_stopped_run_is_no_model_yet(bertsmith, store, stopped, tmp_path):
    newest = stopped / "checkpoints/step-000008"
    told = (
        f"{stopped}: is a run that was stopped and has no model yet; give its checkpoint {newest}"
    )
    data, text = tmp_path / "data", "the old [MASK] ."
    for command in (
        ("predict", "fill-mask", "--model", stopped, text),
        ("evaluate", "sst2", "--model", stopped, "--data", data),
        ("finetune", "sst2", "--model", stopped, "--data", data, "-o", tmp_path / "task"),
        arguments(store, tmp_path / "next", "--init", stopped),
    ):
        assert complaint(bertsmith(*command)) == told
    assert bertsmith("predict", "fill-mask", "--model", newest, text)[0] == 0


def test_a_budget_for_a_few_updates_only_is_told(bertsmith, store, tmp_path):
    options = ("--recipe", "tiny", *OFTEN, "--budget", "0.001s")
    code, out, err = bertsmith("pretrain", store, "-o", tmp_path / "a", *options)
    assert code == 0
    assert "a: 1 step in" in out
    assert err == (
        "bertsmith: only 1 update fitted into 0.001 s; the model is hardly trained; "
        "give a longer --budget\n"
    )
    code, _, err = bertsmith(*arguments(store, tmp_path / "b"))
    assert (code, err) == (0, "")


def test_a_file_where_checkpoints_go(bertsmith, store, stopped):
    """Told at the start, not when the first checkpoint is due."""
    place = stopped / "checkpoints"
    for make in (lambda: place.write_text("mine"), lambda: place.symlink_to("unmounted")):
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        make()
        before = (stopped / "metrics.jsonl").read_bytes()
        assert complaint(bertsmith(*arguments(store, stopped))) == (
            f"{place}: is no folder, and checkpoints need one of this name; "
            "move it away, or give another output folder"
        )
        assert (stopped / "metrics.jsonl").read_bytes() == before
