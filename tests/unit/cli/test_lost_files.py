"""Files of a run that are lost: what can be had again is made or taken again, and it is told."""

import json
import os
import shutil

import pytest

from faulty_runs import arguments, complaint, content, flip_a_bit
from pretraining_runs import losses, same, weights


@pytest.fixture
def ended(finished, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(finished, path, symlinks=True)
    return path


def test_a_lost_log_comes_from_the_checkpoint(bertsmith, store, finished, stopped, monkeypatch):
    log = stopped / "metrics.jsonl"
    whole = log.read_bytes()
    log.unlink()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    code, _, err = bertsmith(*arguments(store, stopped))
    assert (code, err) == (
        0,
        f"bertsmith: {log}: is missing or empty; taken from step-000008\n",
    )
    assert log.read_bytes().startswith(whole)
    assert losses(finished) == losses(stopped)


def test_lost_lines_of_the_log_do_so_too(bertsmith, store, finished, stopped):
    log = stopped / "metrics.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text(lines[0] + lines[3][:20] + "\n" + "".join(lines[4:]))
    code, _, err = bertsmith(*arguments(store, stopped))
    assert (code, err) == (0, f"bertsmith: {log}: has lost 3 records; taken from step-000008\n")
    assert losses(finished) == losses(stopped)


def test_a_checkpoint_of_an_older_version_has_no_log(bertsmith, store, stopped):
    for folder in (stopped / "checkpoints").glob("step-*"):
        (folder / "metrics.jsonl").unlink()
        hashes = json.loads((folder / "hashes.json").read_text())
        del hashes["metrics.jsonl"]
        (folder / "hashes.json").write_text(json.dumps(hashes))
    (stopped / "metrics.jsonl").unlink()
    (stopped / "checkpoints/step-000008").rename(stopped / "step-000008")
    code, _, err = bertsmith(*arguments(store, stopped))
    assert (code, err) == (
        0,
        f"bertsmith: {stopped}/metrics.jsonl: is missing; the log begins anew with the next "
        "update\n",
    )


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda run: (run / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda run: os.truncate(run / "model.safetensors", 5000),
         "model.safetensors is cut short"),
        (lambda run: (run / "vocab.txt").unlink(), "vocab.txt is missing"),
    ],
)  # fmt: skip
def test_a_finished_run_makes_its_lost_model_again(bertsmith, store, finished, ended, damage, told):
    damage(ended)
    code, out, err = bertsmith(*arguments(store, ended))
    assert (code, err) == (
        0,
        f"bertsmith: {ended}: this run is finished, but {told}: it is made again\n",
    )
    assert same(weights(finished), weights(ended))
    assert (ended / "vocab.txt").read_bytes() == (finished / "vocab.txt").read_bytes()
    assert losses(finished) == losses(ended)
    code, again, err = bertsmith(*arguments(store, ended))
    assert err == f"bertsmith: {ended}: this run is finished; its result is shown again\n"
    # The second sitting's end came later.
    assert [line for line in again.splitlines() if "steps in" not in line] == [
        line for line in out.splitlines() if "steps in" not in line
    ]


def test_without_a_checkpoint_it_is_refused(bertsmith, store, ended):
    (ended / "model.safetensors").unlink()
    shutil.rmtree(ended / "checkpoints")
    before = content(ended)
    assert complaint(bertsmith(*arguments(store, ended))) == (
        f"{ended}: this run is finished, but model.safetensors is missing, and no checkpoint is "
        "left to make it from; copy it back from elsewhere, or give another output folder"
    )
    assert content(ended) == before


def test_a_model_that_was_changed_is_told_and_left(bertsmith, store, ended):
    flip_a_bit(ended / "model.safetensors")
    before = content(ended)
    code, _, err = bertsmith(*arguments(store, ended))
    assert code == 0
    assert err.splitlines()[1] == (
        f"bertsmith: {ended}/model.safetensors: isn't as the run wrote it: changed since, or "
        "damaged"
    )
    assert content(ended) == before


def test_a_log_that_has_lost_its_end_is_no_unfinished_run(bertsmith, store, ended):
    """Nothing may start anew over a model that is whole."""
    shutil.rmtree(ended / "checkpoints")
    log = ended / "metrics.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    before = content(ended)
    code, _, err = bertsmith(*arguments(store, ended))
    assert err == f"bertsmith: {ended}: this run is finished; its result is shown again\n"
    assert code == 0
    assert content(ended) == before


def test_a_log_that_is_gone_is_mended_by_the_command_that_is_told(bertsmith, store, ended):
    log = ended / "metrics.jsonl"
    log.unlink()
    line = complaint(bertsmith(*arguments(store, ended)))
    command = f"cp {ended}/checkpoints/step-000008/metrics.jsonl {log}"
    assert line == f"{log}: is missing, with all that the run has logged; {command} mends it"
    shutil.copy(*command.split()[1:])
    assert bertsmith(*arguments(store, ended))[0] == 0


def test_a_best_checkpoint_that_is_gone_is_told(bertsmith, store, tmp_path):
    run = tmp_path / "run"
    best = ("--set", "training.keep_best=true", "--set", "training.num_evaluations=1")
    assert bertsmith(*arguments(store, run, *best))[0] == 0
    (run / "checkpoints/best").unlink()
    state = run / "checkpoints/step-000008/training_state.json"
    hashes = run / "checkpoints/step-000008/hashes.json"
    changed = state.read_text().replace('"best_step": 8', '"best_step": 3')
    assert changed != state.read_text()
    import hashlib

    known = json.loads(hashes.read_text())
    state.write_text(changed)
    known[state.name] = hashlib.sha256(changed.encode()).hexdigest()
    hashes.write_text(json.dumps(known))
    (run / "model.safetensors").unlink()
    code, _, err = bertsmith(*arguments(store, run, *best))
    assert code == 0
    assert err.splitlines()[1] == (
        f"bertsmith: {run}/checkpoints/step-000003: the best checkpoint is gone; the next "
        "evaluation names another"
    )
