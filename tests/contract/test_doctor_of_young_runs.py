"""Runs that go on: before the first evaluation, between two, and what they are told to do."""

import json

import pytest
import yaml

from bertsmith.doctor import examine_run
from doctor_runs import evaluation_line, finding_of, fine_tuned, start_line, train_line, written

STEPS = range(0, 1_000_001, 500)


def young(folder, until, *, loss, changes=(), start=None, **more):
    """A run of a million updates that has come so far; without `more`, nothing is evaluated yet."""
    evaluation = more.pop("evaluation", {})
    written(folder, changes=changes)
    lines = [start or start_line()]
    for step in (step for step in STEPS if 0 < step <= until):
        lines.append(train_line(step, loss(step), **more))
        lines += [evaluation_line(step, evaluation[step])] if step in evaluation else []
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def names(folder):
    return {finding.name for finding in examine_run(folder).findings}


def test_a_plateau_is_found_before_the_first_evaluation(tmp_path):
    folder = young(tmp_path / "run", 60_000, loss=lambda step: 7.2)
    finding = finding_of(folder, "mlm_plateau")
    assert finding.severity == "problem"
    assert "after 60,000 updates, 0.10 below the 7.30" in finding.title
    (untold,) = examine_run(folder).unchecked
    assert untold == "whether it learns pairs, because it hasn't been evaluated yet"
    hot = ["training.learning_rate=0.002"]
    folder = young(tmp_path / "hot", 60_000, loss=lambda step: 7.9, changes=hot)
    assert "over 0.0004 for this size" in finding_of(folder, "learning_rate_too_high").title
    cold = young(tmp_path / "cold", 60_000, loss=lambda step: 9.4)
    assert finding_of(cold, "learning_rate_too_low").severity == "info"
    sound = young(tmp_path / "sound", 60_000, loss=lambda step: max(4.0, 9 - step / 5000))
    assert names(sound) <= {"unfinished_schedule"}


@pytest.mark.parametrize(
    ("until", "more"),
    [(400, {}), (5_000, {"learning_rate": 5e-5}),
     (60_000, {"start": {k: v for k, v in start_line().items() if k != "unigram_loss"}})],
)  # fmt: skip
def test_what_cannot_be_told_yet_is_said(tmp_path, until, more):
    """Too few updates, a rate that still rises, or a log of an older version."""
    hot = ["training.learning_rate=0.002"] if until == 400 else []
    folder = young(tmp_path / "run", max(until, 500), loss=lambda step: 9.0, changes=hot, **more)
    if until == 400:
        log = (folder / "metrics.jsonl").read_text()
        (folder / "metrics.jsonl").write_text(log.replace('"step": 500', '"step": 400'))
    # A rate that rises isn't told to come down.
    assert names(folder) == ({"unfinished_schedule"} if until == 60_000 else set())
    (untold,) = examine_run(folder).unchecked
    assert untold == "whether it learns context and pairs, because it hasn't been evaluated yet"


def test_a_run_that_left_the_plateau_after_its_last_evaluation_is_sound(tmp_path):
    def falling(step):
        return 7.1 if step <= 4500 else 5.8

    folder = young(tmp_path / "run", 8_000, loss=falling, evaluation={4000: 7.1})
    assert "mlm_plateau" not in names(folder)
    # What was low before the evaluation was learned by heart.
    folder = young(tmp_path / "heart", 8_000, loss=lambda step: 5.8, evaluation={4000: 7.1})
    assert finding_of(folder, "mlm_plateau").severity == "info"
    folder = young(tmp_path / "stuck", 8_000, loss=lambda step: 7.1, evaluation={4000: 7.1})
    assert finding_of(folder, "mlm_plateau").severity == "info"


def test_a_run_with_enough_updates_before_it_is_told_to_go_on(tmp_path):
    flat = {"loss": lambda step: 7.2, "evaluation": {1000: 7.2}}
    folder = young(tmp_path / "run", 1000, **flat)
    found = {finding.name: finding for finding in examine_run(folder).findings}
    assert found["mlm_plateau"].command == found["unfinished_schedule"].command
    assert found["mlm_plateau"].command.endswith(f"-o {folder}")
    short = ["training.num_steps=2000"]
    folder = young(tmp_path / "short", 1000, changes=short, **flat)
    assert "training.num_steps=10000" in finding_of(folder, "mlm_plateau").command
    # Going on mends no rate, and no lack of warm-up.
    folder = young(tmp_path / "cold", 1000, changes=["training.num_warmup_steps=0"], **flat)
    assert "warmup_ratio=0.05" in finding_of(folder, "mlm_plateau").command


def test_a_model_without_its_head_may_begin_over_the_loss_of_knowing_nothing(tmp_path):
    for name, first in (("head", 11.2), ("blown", 14.0)):
        folder = young(tmp_path / name, 500, loss=lambda step, first=first: first)
        content = yaml.safe_load((folder / "recipe.yaml").read_text())
        (folder / "recipe.yaml").write_text(yaml.safe_dump(content | {"run": {"init": "bert"}}))
    assert "diverged" not in names(tmp_path / "head")
    assert finding_of(tmp_path / "blown", "diverged").severity == "problem"
    fresh = young(tmp_path / "fresh", 500, loss=lambda step: 11.2)
    assert finding_of(fresh, "diverged").severity == "problem"


@pytest.mark.parametrize(
    ("scale", "end", "is_told"), [(100.0, 1.08, False), (100.0, 30.0, True), (0.4, 5.7, True)]
)
def test_squares_of_scores_are_no_nats(tmp_path, scale, end, is_told):
    """Of scores up to 100 the noise of a log line is some squares; of 0 to 5, 2.3 is no score."""
    folder = fine_tuned(tmp_path / "run")
    losses = [scale * factor for factor in (*(25 / n for n in range(1, 20)), *[1] * 6, *[end] * 6)]
    lines = [
        {"kind": "train", "step": 20 * n, "regression_loss": loss, "seconds": 2.0 * n}
        for n, loss in enumerate(losses, 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert ("diverged" in names(folder)) == is_told


@pytest.mark.parametrize(
    ("processes", "changes", "told"),
    [(1, (), "training.micro_batch_size=64"),
     (8, (), "training.global_batch_size=512"),
     (1, ["phases=[{share: 0.9, micro_batch_size: 8}, {share: 0.1}]"], ""),
     (8, ["phases=[{share: 0.9, global_batch_size: 128}, {share: 0.1}]"], "")],
)  # fmt: skip
def test_larger_micro_batches_are_larger(tmp_path, processes, changes, told):
    """What a rank has of a batch is its share, and phases with sizes of their own keep them."""
    folder = young(
        tmp_path / "run", 60_000, loss=lambda step: 5.0, mfu=0.06,
        start=start_line(processes=processes),
        changes=["training.global_batch_size=256", "training.micro_batch_size=32", *changes],
    )  # fmt: skip
    command = finding_of(folder, "low_utilisation").command
    assert told in command
    assert bool(command) == bool(told)


def test_longer_sequences_come_in_smaller_micro_batches(tmp_path):
    short = ["phases=null", "examples.max_seq_length=128", "training.micro_batch_size=64"]
    folder = written(tmp_path / "run", changes=short)
    command = finding_of(folder, "untrained_positions").command
    assert "training.micro_batch_size=16" in command
    short[0] = "phases=[{share: 0.9}, {share: 0.1, max_seq_length: 384, micro_batch_size: 8}]"
    folder = written(tmp_path / "phased", changes=short)
    assert "training.micro_batch_size=16" in finding_of(folder, "untrained_positions").command
