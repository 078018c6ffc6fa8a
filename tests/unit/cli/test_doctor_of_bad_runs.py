"""Runs that learned nothing: the end says so, the doctor says why, and its commands run."""

import json
import re

import pytest

from cli_runs import FAST
from doctor_findings import command_lines

# Over which tiny models rarely train.
HIGHEST = 8e-3


def sets(*changes):
    return [part for change in changes for part in ("--set", change)]


def pretrained(bertsmith, store, run, *changes):
    options = sets("training.num_steps=40", "training.log_every_steps=20", *changes)
    return bertsmith("pretrain", store, "--recipe", "tiny", "-o", run, *FAST, *options)


def findings(bertsmith, run):
    code, out, _ = bertsmith("doctor", "run", run, "--json")
    assert code == 0
    return {finding["name"]: finding for finding in json.loads(out)["findings"]}


def rates(found):
    commands = " ".join(finding["command"] for finding in found.values())
    return [float(rate) for rate in re.findall(r"learning_rate=(\S+)", commands)]


@pytest.mark.parametrize("rate", [1.0, 3.0, 10.0, 30.0, 100.0])
def test_a_rate_far_too_high(bertsmith, store, tmp_path, monkeypatch, rate):
    """It blows up before the first line of the log: from there on the loss only falls."""
    monkeypatch.chdir(tmp_path)
    code, _, err = pretrained(bertsmith, store, "hot", f"training.learning_rate={rate}")
    assert code == 0
    (line,) = err.splitlines()
    found = findings(bertsmith, "hot")
    assert re.search(r"loss [\d,.]+ is worse than that of a model that knows no context \(3", line)
    assert line.endswith("bertsmith doctor run hot looks for the reason")
    (name,) = found.keys() & {"diverged", "learning_rate_too_high"}
    assert found[name]["severity"] == "problem"
    assert f"the learning rate is {rate:g}, over {HIGHEST:g} for this size" in found[name]["title"]
    assert not found.keys() & {"learning_rate_too_low", "overfitting", "nsp_at_chance"}
    told = [finding["command"] for finding in found.values() if "pretrain" in finding["command"]]
    assert len(told) > 2
    # None repeats the rate, and none goes on from the model that came of it.
    assert len(rates(found)) == len(told)
    assert max(rates(found)) <= HIGHEST
    assert "--init" not in " ".join(told)
    (words,) = command_lines(found[name]["command"])
    code, _, err = bertsmith(*words)
    assert code == 0, err
    assert not findings(bertsmith, words[-1]).keys() & {"diverged", "learning_rate_too_high"}


@pytest.mark.parametrize("rate", [1e12, 1e30])
@pytest.mark.parametrize("every", [1, 20])
def test_a_rate_that_gives_no_numbers(bertsmith, store, tmp_path, monkeypatch, rate, every):
    """The first updates, with the rate still near 0, may have been made, logged and saved."""
    monkeypatch.chdir(tmp_path)
    often = f"training.log_every_steps={every}", "training.checkpoint_every_seconds=1e-6"
    code, _, err = pretrained(bertsmith, store, "hot", f"training.learning_rate={rate}", *often)
    assert code == 2
    assert "another output folder" in err
    found = findings(bertsmith, "hot")
    # None says to go on, repeats the rate, or takes what came of it.
    assert "unfinished_schedule" not in found
    told = [finding["command"] for finding in found.values() if "pretrain" in finding["command"]]
    assert len(rates(found)) == len(told) > 1
    assert "--init" not in " ".join(told)
    told = found["skipped_updates"]["title"]
    assert told.endswith(f"; the learning rate is {rate:g}, over {HIGHEST:g} for this size")
    assert max(rates(found)) <= HIGHEST
    (words,) = command_lines(found["skipped_updates"]["command"])
    assert bertsmith(*words)[0] == 0


def test_what_one_report_advises_fits_together(bertsmith, store, tmp_path, monkeypatch):
    """As many updates wherever more are advised, and every other run in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    assert pretrained(bertsmith, store, "short", "training.warmup_ratio=0")[0] == 0
    told = {finding["command"] for finding in findings(bertsmith, "short").values()}
    runs = [command for command in told if " pretrain " in f" {command}"]
    assert len(set(re.findall(r"num_steps=(\d+)", " ".join(runs))) - {"100"}) <= 1
    folders = [command.split()[-1] for command in runs]
    assert len(set(folders)) == len(folders) > 2
    assert "short-warmup_ratio-0.05" in folders


def test_fine_tuning_that_is_not_at_its_end(bertsmith, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "".join(f"the {word} river .,{word}\n" for word in ("red", "old") * 18)
    for name in ("train", "dev"):
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{text}")
    options = sets("training.num_epochs=8", "training.global_batch_size=4",
                   "training.precision=fp32", "training.learning_rate=1e-9",
                   "training.log_every_steps=2")  # fmt: skip
    command = ("finetune", "classify", "--model", model, "--data", tmp_path, "-o", "run", *options)
    assert bertsmith(*command)[0] == 0
    log = tmp_path / "run" / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    kept = [line for line in lines if line["step"] <= 18 and line["kind"] != "evaluation"]
    log.write_text("".join(json.dumps(line) + "\n" for line in kept))
    (tmp_path / "run" / ".model.json").unlink()
    found = findings(bertsmith, "run")
    assert not [f for f in found.values() if f["severity"] == "problem"]
    assert "after 25% of the run" in found["unfinished_schedule"]["title"].replace(" %", "%")
    assert found["not_learned"]["severity"] == "info"
    assert "the end" not in found["not_learned"]["title"]
    assert found["not_learned"]["remedy"].startswith("Likely here: a run that isn't at its end")
    assert found["not_learned"]["command"].endswith("-o run")


def test_a_run_that_fresh_weights_need_is_told_only_when_it_is_no_trial(bertsmith, store, tmp_path):
    slow = ("training.learning_rate=1e-9", "training.num_steps=19")
    assert pretrained(bertsmith, store, tmp_path / "a", *slow)[2] == ""
    err = pretrained(bertsmith, store, tmp_path / "b", slow[0])[2]
    assert "is worse than that of a model that knows no context" in err
    assert "learning_rate_too_low" in findings(bertsmith, tmp_path / "b")
    soon = ("training.learning_rate=100", "training.num_steps=12", "training.num_warmup_steps=0")
    assert "is worse than" in pretrained(bertsmith, store, tmp_path / "c", *soon)[2]


@pytest.mark.parametrize("number_of_updates", [4, 40])
@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_positions_are_trained_from_where_the_weights_are(
    bertsmith, store, tmp_path, monkeypatch, number_of_updates, has_checkpoint
):
    """A run that was stopped has no model; one that was stopped early has no checkpoint either."""
    monkeypatch.chdir(tmp_path)
    often = ("training.checkpoint_every_seconds=1e-6", f"training.num_steps={number_of_updates}")
    assert pretrained(bertsmith, store, "stop", *(often if has_checkpoint else often[1:]))[0] == 0
    assert "--init stop " in findings(bertsmith, "stop")["untrained_positions"]["command"]
    stop = tmp_path / "stop"
    log = (stop / "metrics.jsonl").read_text().splitlines(keepends=True)
    (stop / "metrics.jsonl").write_text("".join(log[:-1]))
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (stop / name).unlink()
    command = findings(bertsmith, "stop")["untrained_positions"]["command"]
    newest = f"--init stop/checkpoints/step-{number_of_updates:06d} "
    assert (newest in command) == has_checkpoint
    assert ("training.num_steps=100 " in command) == has_checkpoint
    assert ("--init" in command) == has_checkpoint
    (words,) = command_lines(command)
    code, out, err = bertsmith(*words)
    assert code == 0, err
    assert f"{words[-1]}: {100 if has_checkpoint else number_of_updates} steps in" in out
    assert "untrained_positions" not in findings(bertsmith, words[-1])


@pytest.mark.parametrize("rate", [0.1, 1.0, 100.0])
def test_fine_tuning_at_a_rate_far_too_high(bertsmith, model, tmp_path, monkeypatch, rate):
    monkeypatch.chdir(tmp_path)
    rows = [("red", "yes"), ("red", "yes"), ("old", "no")] * 12
    text = "".join(f"the {word} river .,{label}\n" for word, label in rows)
    for name in ("train", "dev"):
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{text}")
    options = sets(f"training.learning_rate={rate}", "training.num_epochs=12",
                   "training.global_batch_size=4", "training.precision=fp32")  # fmt: skip
    command = ("finetune", "classify", "--model", model, "--data", tmp_path, "-o", "hot", *options)
    code, _, err = bertsmith(*command)
    assert code == 0
    assert "accuracy 0.6667 on dev is no better than always giving the same answer" in err
    finding = findings(bertsmith, "hot")["not_learned"]
    assert finding["severity"] == "problem"
    assert "accuracy 0.6667 on dev is no better" in finding["title"]
    assert f"Likely here: a learning rate of {rate:g}, over 0.005" in finding["remedy"]
    assert max(rates(findings(bertsmith, "hot"))) <= 0.005
    (words,) = command_lines(finding["command"])
    assert bertsmith(*words)[0] == 0


def test_lines_of_the_log_that_cannot_be_read_are_told(bertsmith, store, tmp_path):
    """But for the last one, which is cut while a run goes on."""
    run = tmp_path / "run"
    assert pretrained(bertsmith, store, run, "training.num_steps=10")[0] == 0
    log = run / "metrics.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    page = ("-o", tmp_path / "page.html")
    for damaged in (lines, [*lines, b'{"kind": "tra']):
        log.write_bytes(b"".join(damaged))
        assert "read" not in bertsmith("doctor", "run", run)[1]
        assert bertsmith("report", run, *page)[2] == ""
    log.write_bytes(b"".join([*lines[:3], b'{"step": "x"}\n', b"\0\xff\n", *lines[3:]]))
    assert "2 lines of the log, because they can't be read" in bertsmith("doctor", "run", run)[1]
    told = f"bertsmith: {log}: 2 lines can't be read and are left out\n"
    assert bertsmith("report", run, *page)[2] == told


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("the old river .", "--fill 'the old river .': has no [MASK]; write [MASK] where"),
        (" ", "--fill ' ': is empty; give text"),
        ("the " * 80 + "[MASK]", "the the ...': has "),
    ],
)
def test_a_sentence_that_cannot_be_filled_is_named(bertsmith, model, tmp_path, sentence, told):
    page = ("-o", tmp_path / "page.html")
    code, _, err = bertsmith("report", model, "--fill", "the [MASK] .", "--fill", sentence, *page)
    assert code == 2
    assert told in err
    assert "truncat" not in err
