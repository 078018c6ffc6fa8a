"""What pretrain and finetune say of a finished run with --json."""

import json
import random
import shutil

from cli_runs import sentence
from faulty_runs import arguments


def skip(run, *steps):
    """Notes skipped updates in a run's log, as the loop does."""
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines()
    skipped = [json.dumps({"kind": "skipped", "step": n, "reason": "loss nan"}) for n in steps]
    path.write_text("\n".join([lines[0], *skipped, *lines[1:]]) + "\n")


def result(bertsmith, *command):
    code, out, error = bertsmith(*command, "--json")
    assert code == 0, error
    return json.loads(out)


def test_pretrain(bertsmith, store, finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run, symlinks=True)
    found = result(bertsmith, *arguments(store, run))
    scores = {f"{task}_{score}" for task in ("mlm", "nsp") for score in ("loss", "accuracy")}
    baselines = {"unigram_loss", "unigram_accuracy", "majority_accuracy"}
    assert found.keys() == {"path", "step", "seconds", "num_skipped"} | scores | baselines
    assert (found["path"], found["step"], found["num_skipped"]) == (str(run), 8, 0)
    assert found["seconds"] > 0
    skip(run, 3, 5)
    assert result(bertsmith, *arguments(store, run)) == {**found, "num_skipped": 2}


def test_finetune(bertsmith, model, tmp_path):
    rng, data, run = random.Random(1), tmp_path / "data", tmp_path / "run"
    data.mkdir()
    for name in ("train", "dev"):
        rows = [f"{sentence(rng)}\t{number % 2}\n" for number in range(24)]
        (data / f"{name}.tsv").write_text("text\tlabel\n" + "".join(rows))
    command = ["finetune", "classify", "--model", model, "--data", data, "-o", run]
    found = result(bertsmith, *command)
    assert found.keys() == {"path", "step", "seconds", "num_skipped", "scores"}
    assert (found["path"], found["num_skipped"]) == (str(run), 0)
    skip(run, 2)
    assert result(bertsmith, *command) == {**found, "num_skipped": 1}
