"""What can happen to a run: one line that says what and where, exit code 2, and nothing is lost."""

import os
import shutil
import subprocess
import sys

import pytest

from faulty_runs import arguments, complaint, content, flip_a_bit
from pretraining_runs import losses, same, weights


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
