"""Runs that end early, and what is of use of them."""

import json
import signal
import subprocess
import sys
import time

import pytest

from faulty_runs import OFTEN, arguments, complaint


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
        log = run / "metrics.jsonl"
        while not log.exists() or '"train"' not in log.read_text():  # else nothing is worth keeping
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
    # A slow machine may have shown a progress bar.
    assert (code, [x for x in err.splitlines() if x.startswith("bertsmith")]) == (0, [])
