"""Files of a run that are lost: what can be had again is made or taken again, and it is told."""

import hashlib
import json
import os
import shutil

import pytest

from bertsmith.training import Trainer, read_run
from faulty_runs import arguments, complaint, content, flip_a_bit
from pretraining_runs import PowerCutError, losses, records, same, weights


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


@pytest.mark.parametrize("are_there", [False, True])
def test_without_a_whole_checkpoint_it_is_refused(bertsmith, store, ended, are_there):
    (ended / "model.safetensors").unlink()
    if are_there:
        damaged = sorted((ended / "checkpoints").glob("step-*/model.safetensors"), reverse=True)
        for file in damaged:
            file.write_bytes(file.read_bytes()[:-1] + b"?")
        why = f"all are damaged ({', '.join(file.parent.name for file in damaged)})"
    else:
        shutil.rmtree(ended / "checkpoints")
        why = "none is left"
    before = content(ended)
    assert complaint(bertsmith(*arguments(store, ended))) == (
        f"{ended}: this run is finished, but model.safetensors is missing, and of the checkpoints "
        f"to make it from {why}; copy it back from elsewhere, or give another output folder"
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
    shown = bertsmith(*arguments(store, ended))[1]
    log = ended / "metrics.jsonl"
    log.unlink()
    line = complaint(bertsmith(*arguments(store, ended)))
    command = f"cp {ended}/checkpoints/step-000008/metrics.jsonl {log}"
    told = "is missing, with all that the run has logged"
    assert line == f"{log}: {told}; {command} brings back what it held then"
    shutil.copy(*command.split()[1:])
    assert bertsmith(*arguments(store, ended))[:2] == (0, shown)


def test_a_best_checkpoint_that_is_gone_is_told(bertsmith, store, tmp_path):
    run = tmp_path / "run"
    best = ("--set", "training.keep_best=true", "--set", "training.num_evaluations=1")
    assert bertsmith(*arguments(store, run, *best))[0] == 0
    (run / "checkpoints/best").unlink()
    state = run / "checkpoints/step-000008/training_state.json"
    hashes = run / "checkpoints/step-000008/hashes.json"
    changed = state.read_text().replace('"best_step": 8', '"best_step": 3')
    assert changed != state.read_text()
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
    # No update was left to come before it.
    assert (run / "checkpoints/best").resolve().name == "step-000008"
    assert [record["step"] for record in records(run, "evaluation")] == [8]


@pytest.mark.parametrize("name", ["vocab.txt", "config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("damage", ["gone", "empty"])
def test_small_files_of_a_model_come_from_the_checkpoint(
    bertsmith, store, finished, ended, name, damage
):
    """Nothing is trained for them, and no weights are touched."""
    before = content(ended)
    (ended / name).unlink() if damage == "gone" else (ended / name).write_text("")
    code, _, err = bertsmith(*arguments(store, ended))
    assert (code, err.splitlines()) == (
        0,
        [
            f"bertsmith: {ended}: this run is finished; its result is shown again",
            f"bertsmith: {ended / name}: is missing or empty; taken from step-000008",
        ],
    )
    assert content(ended) == before


def test_a_finished_run_whose_last_evaluation_is_lost_shows_no_other(bertsmith, store, ended):
    log = ended / "metrics.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    kept = [x for x in lines if not ('"evaluation"' in x and '"step": 8' in x)]
    assert len(kept) < len(lines)
    log.write_text("".join(kept))
    code, out, err = bertsmith(*arguments(store, ended))
    assert (code, out) == (2, "")
    assert err.splitlines()[1].startswith(f"bertsmith: {log}: the log lacks the last evaluation")


def test_one_that_is_made_again_is_not_finished_meanwhile(bertsmith, store, ended, monkeypatch):
    (ended / "model.safetensors").unlink()
    whole = (ended / "metrics.jsonl").read_bytes()

    def crash(self):
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_finish", crash)
        with pytest.raises(PowerCutError):
            bertsmith(*arguments(store, ended))
    assert not read_run(ended).is_finished
    assert (ended / "metrics.jsonl.old").read_bytes() == whole
    code, _, err = bertsmith(*arguments(store, ended))
    assert (code, err.count("is made again")) == (0, 1)  # said the first time
    assert read_run(ended).is_finished


def test_a_folder_whose_visible_files_were_deleted_is_a_new_one(bertsmith, store, ended):
    for path in ended.glob("[!.]*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert (ended / ".model.json").exists()
    code, _, err = bertsmith(*arguments(store, ended))
    assert (code, err) == (0, "")


def test_a_finished_run_without_a_log_keeps_its_recipe(bertsmith, store, ended):
    shutil.rmtree(ended / "checkpoints")
    (ended / "metrics.jsonl").write_text("")
    before = content(ended)
    line = complaint(bertsmith(*arguments(store, ended, steps=9)))
    assert "this folder holds a run with training.num_steps = 8, not 9" in line
    assert content(ended) == before
