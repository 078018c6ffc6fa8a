"""Logs of runs whose learning rate no such model bears, and those that only look so."""

import json

import pytest
import yaml

from bertsmith.doctor import examine_run
from doctor_findings import check_finding
from doctor_runs import WRITTEN, evaluation_line, finding_of, fine_tuned, train_line, written

BLOWN = ("diverged", "learning_rate_too_high", "learning_rate_too_low", "overfitting")


@pytest.mark.parametrize(
    ("loss", "rate", "name", "offered"),
    [
        # Over ln 30,522 = 10.33 and then falling: whatever the rate is, it is too high.
        (lambda step: 900 - step / 2e3, 10.0, "diverged", "0.0001"),
        (lambda step: 900 - step / 2e3, 3e-4, "diverged", "0.0001"),
        (lambda step: 11.5 - step / 4e5, 10.0, "diverged", "0.0001"),
        # Below, the rate tells: over 4e-4 base rarely trains, and under it more may be needed.
        (lambda step: 9.4 - step / 1e6, 0.05, "learning_rate_too_high", "0.0001"),
        (lambda step: 9.4 - step / 1e6, 1e-6, "learning_rate_too_low", "0.0001"),
        (lambda step: 10.5 - step / 1e6, 1e-6, "learning_rate_too_low", "0.0001"),
    ],
)
def test_a_loss_that_only_falls_after_it_blew_up(tmp_path, loss, rate, name, offered):
    folder = written(
        tmp_path / "run",
        train=lambda step: train_line(step, loss(step)),
        # Held-out losses of such weights are noise: they may as well rise.
        evaluation=lambda step: evaluation_line(step, loss(0) + step / 5e6, nsp_accuracy=0.55),
        changes=[f"training.learning_rate={rate}"],
    )
    finding = finding_of(folder, name)
    assert {found.name for found in examine_run(folder).findings} & {*BLOWN} == {name}
    assert finding.severity == "problem"
    assert f"--set training.learning_rate={offered} " in finding.command
    if name != "learning_rate_too_low":  # no command repeats a rate that came to nothing
        for found in examine_run(folder).findings:
            assert f"learning_rate={offered} " in found.command, found.name
    assert (f"learning rate is {rate:g}, over 0.0004 for this size" in finding.title) == (
        rate > 4e-4
    )
    is_ill_alone = "nsp_at_chance" not in {found.name for found in examine_run(folder).findings}
    assert is_ill_alone == (name != "learning_rate_too_low")
    log = (folder / "metrics.jsonl").read_text()
    # Without the vocabulary's size, in a log of an older version, over that of any is over it.
    (folder / "metrics.jsonl").write_text(log.replace('"vocab_size": 30522, ', ""))
    found = {finding.name: finding.title for finding in examine_run(folder).findings}
    assert (loss(0) > 100) == ("was over 13.82 nats, far over a model" in found.get(name, ""))


def test_a_pretrained_model_that_blew_up(tmp_path):
    folder = written(tmp_path / "run", train=lambda s: train_line(s, 40 - s / 1e5),
                     evaluation=lambda s: evaluation_line(s, 40 - s / 1e5))  # fmt: skip
    content = yaml.safe_load((folder / "recipe.yaml").read_text())
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content | {"run": {"init": "bert"}}))
    assert "--init bert --recipe" in finding_of(folder, "diverged").command
    assert "learning_rate=3.3e-05" in finding_of(folder, "diverged").command


def test_lamb_takes_higher_rates(tmp_path):
    changes = ["training.learning_rate=0.005", "training.optimizer=lamb"]
    flat = {"train": lambda s: train_line(s, 9.4), "evaluation": lambda s: evaluation_line(s, 9.4)}
    assert finding_of(written(tmp_path / "a", **flat, changes=changes), "learning_rate_too_low")
    changes[0] = "training.learning_rate=0.05"
    finding = finding_of(written(tmp_path / "b", **flat, changes=changes), "learning_rate_too_high")
    assert "--set training.learning_rate=0.005 " in finding.command


def test_rates_that_are_offered_are_sound(tmp_path):
    """Whatever was found, of a rate that no such model bears a half is none either."""
    for name in ("diverged", "skipped_updates", "loss_spikes", "learning_rate_too_high"):
        folder = WRITTEN[name](tmp_path / name, changes=["training.learning_rate=100"])
        assert "learning_rate=0.0001 " in finding_of(folder, name).command
    one = written(tmp_path / "one", train=lambda s: train_line(s, 6.0 if s == 300_000 else None))
    assert finding_of(one, "loss_spikes").title.endswith("by over 0.5 nats in 1 log line")


def tuned(folder, rate, *, least=0.53, score=0.53, losses=(0.69,) * 10, step=2200, **more):
    """A finished fine-tuning run of base."""
    folder = fine_tuned(folder)
    content = yaml.safe_load((folder / "recipe.yaml").read_text())
    content["training"]["learning_rate"] = rate
    content["training"] |= more.pop("training", {})
    content["run"] |= more.pop("run", {})
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    start = {"kind": "start", "step": 0, "epoch_examples": 2490, "num_parameters": 110_000_000}
    start |= {} if least is None else {"least_score": least}
    steps = [step * (number + 1) // len(losses) for number in range(len(losses))]
    lines = [start | more]
    lines += [
        {"kind": "train", "step": at, "classification_loss": loss, "epochs": at / 780}
        for at, loss in zip(steps, losses, strict=True)
    ]
    lines += [
        {"kind": "evaluation", "step": step, "accuracy": score},
        {"kind": "end", "step": step},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


FALLING = tuple(0.7 / (number + 1) for number in range(10))
# Blown up before the first line, and back at chance since.
BACK = (40.0, 9.0, 3.0, *(0.7,) * 7)


@pytest.mark.parametrize(
    ("rate", "more", "reason", "option"),
    [
        (100, {"losses": BACK}, "a learning rate of 100, over 0.0002", "learning_rate=3e-05"),
        (1e-3, {}, "a learning rate of 0.001, over 0.0002", "learning_rate=3e-05"),
        (1.0, {"num_parameters": 4_000_000}, "over 0.005", "learning_rate=0.0003"),
        (1e-3, {"num_parameters": 4_000_000}, "chance on a small set, or a model", "seed=5"),
        (1e-7, {}, "a learning rate of 1e-07, too low", "learning_rate=3e-05"),
        (3e-5, {"training": {"freeze_layers": 12}}, "frozen", "freeze_layers=null"),
        (3e-5, {"step": 30}, "too few updates, 30", "num_epochs=1"),
        (3e-5, {}, "Likely here: chance on a small set, or a model that is small", "seed=5"),
        (3e-5, {"num_parameters": 340_000_000}, "chance: on small sets some seeds", "seed=5"),
    ],
)
def test_a_score_at_chance_names_its_likely_cause(tmp_path, rate, more, reason, option):
    finding = finding_of(tuned(tmp_path / "run", rate, **more), "not_learned")
    assert finding.severity == "problem"
    assert finding.title.startswith("accuracy 0.5300 on dev is no better than always giving")
    assert reason in finding.remedy
    assert f"--set training.{option} " in finding.command
    check_finding(finding)


def test_a_score_at_chance_of_fresh_weights_or_other_data(tmp_path):
    fresh = finding_of(tuned(tmp_path / "a", 3e-5, run={"from_scratch": True}), "not_learned")
    assert "fresh weights (--from-scratch)" in fresh.remedy
    assert "--from-scratch" not in fresh.command
    other = finding_of(tuned(tmp_path / "b", 3e-5, losses=FALLING), "not_learned")
    assert "a dev set that is unlike the training data, of whose loss only" in other.remedy
    assert other.command == ""


def test_a_score_over_chance_is_no_such_finding(tmp_path):
    for rate in (3e-5, 0.1):
        folder = tuned(tmp_path / "run", rate, score=0.7, losses=FALLING)
        assert {f.name for f in examine_run(folder).findings} <= {"small_evaluation"}


def test_a_task_without_a_most_frequent_answer(tmp_path):
    hot = tuned(tmp_path / "a", 0.1, least=None, losses=BACK)
    assert "0.1, over 0.0002 for fine-tuning" in finding_of(hot, "learning_rate_too_high").title
    for rate in (3e-5, 5e-4):
        folder = tuned(tmp_path / "b", rate, least=None, losses=FALLING)
        assert {f.name for f in examine_run(folder).findings} <= {"small_evaluation"}
