"""What a finding about a run tells to run: it can be run, and it mends what was found."""

import shlex
import shutil
from dataclasses import replace
from itertools import pairwise

import pytest
import yaml

from bertsmith.doctor import examine_run
from bertsmith.doctor.run_measures import RunMeasures
from bertsmith.recipes import load_recipe
from bertsmith.tasks import FinetuneRecipe
from bertsmith.training import PretrainRecipe, read_run
from doctor_runs import (
    WRITTEN,
    evaluation_line,
    finding_of,
    fine_tuned,
    train_line,
    written,
)


def settings_of(command):
    """The recipe that a command would run; an error if it can't."""
    words = shlex.split(command)
    options = list(pairwise(words))
    changes = [value for name, value in options if name == "--set"]
    kind = PretrainRecipe if words[1] == "pretrain" else FinetuneRecipe
    return load_recipe(kind, words[1], dict(options)["--recipe"], changes)


ILL = [
    ("examples.max_seq_length=64", "phases=null", "training.num_warmup_steps=0"),
    ("training.num_warmup_steps=900000", "training.micro_batch_size=256"),
    ("examples.max_predictions_per_seq=20", "training.budget_seconds=3600"),
]


@pytest.mark.parametrize("changes", ILL)
@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_finding_tells_to_run_can_be_run(tmp_path, name, changes):
    folder = WRITTEN[name](tmp_path / "run", changes=changes)
    commands = [finding.command for finding in examine_run(folder).findings]
    assert name in [finding.name for finding in examine_run(folder).findings]
    for command in commands:
        if "--recipe" in command:
            settings_of(command)


def test_what_a_finding_tells_to_run_mends_it(tmp_path, timid):
    command = finding_of(timid, "untrained_positions").command
    assert f"--init {timid} " in command
    told = settings_of(command)
    assert (told.longest_sequence, told.training.num_steps) == (64, 100)
    # No phase reaches the model's length.
    phased = written(
        tmp_path / "phased",
        changes=[
            "examples.max_seq_length=128",
            "phases.1.max_seq_length=256",
            "training.num_warmup_steps=0",
        ],
    )
    told = settings_of(finding_of(phased, "untrained_positions").command)
    assert told.longest_sequence == 512
    told = settings_of(finding_of(phased, "no_warmup").command).training
    assert (told.warmup_ratio, told.num_warmup_steps) == (0.05, None)
    # Its rate is a thousandth of what tiny takes: ten times that would be as ill.
    hardly = settings_of(finding_of(timid, "learning_rate_too_low").command).training
    assert hardly.learning_rate == pytest.approx(2e-3)
    path = timid / "recipe.yaml"
    fast = tmp_path / "fast"
    shutil.copytree(timid, fast)
    (fast / "recipe.yaml").write_text(path.read_text().replace("2.0e-06", "0.002"))
    told = settings_of(finding_of(fast, "learning_rate_too_low").command).training
    assert (told.learning_rate, told.num_steps) == (0.002, 5000)
    # A tenth is held out already.
    told = settings_of(finding_of(timid, "small_evaluation").command).training
    assert (told.num_evaluation_examples, told.held_out_fraction) == (16, 0.1)
    # A micro-batch that is the whole batch can't grow alone.
    slow = written(
        tmp_path / "slow",
        train=lambda s: train_line(s, mfu=0.06),
        changes=["training.micro_batch_size=256"],
    )
    told = settings_of(finding_of(slow, "low_utilisation").command).training
    assert (told.global_batch_size, told.micro_batch_size) == (512, 512)


def test_a_run_of_several_processes_goes_on_with_as_many(tmp_path):
    log = read_run(written(tmp_path / "run"))
    start, *others = log.records
    measures = RunMeasures(replace(log, records=[{**start, "processes": 2}, *others]))
    for command in (measures.go_on(), measures.again("training.seed=1")):
        assert command.startswith("torchrun --standalone --nproc-per-node 2 -m bertsmith pretrain ")


@pytest.mark.parametrize("labels", ["random", "order"])
@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("nsp_at_chance", {"nsp_accuracy": 0.5, "majority_accuracy": 0.5}),
        ("uneven_pairs", {"majority_accuracy": 0.95}),
        ("mlm_plateau", {"mlm_loss": 7.2, "majority_accuracy": 0.95}),
    ],
)
def test_pairs_of_any_kind_can_be_left_out(tmp_path, name, scores, labels):
    folder = written(
        tmp_path / "run",
        evaluation=lambda step: {**evaluation_line(step), **scores},
        changes=[f"examples.pair_labels={labels}"],
    )
    assert not settings_of(finding_of(folder, name).command).examples.next_sentence


@pytest.mark.parametrize(
    ("files", "data"),
    [
        (["reviews.tsv"], "reviews.tsv"),
        (["glue/RTE/train.tsv", "glue/RTE/dev.tsv"], "glue/RTE"),
    ],
)
def test_the_data_of_a_command_are_those_of_the_run(tmp_path, files, data):
    folder = fine_tuned(tmp_path / "run")
    content = yaml.safe_load((folder / "recipe.yaml").read_text())
    content["run"]["data"] = dict.fromkeys(files, "0")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    assert f"--data {data} " in RunMeasures(read_run(folder)).again()


def test_a_run_goes_on_from_what_it_was_started_with(tmp_path):
    folder = written(tmp_path / "run")
    recipe_path = folder / "recipe.yaml"
    content = yaml.safe_load(recipe_path.read_text())
    recipe_path.write_text(yaml.safe_dump(content | {"run": {"init": "my bert"}}))
    measures = RunMeasures(read_run(folder))
    assert "--init 'my bert'" in measures.again("training.seed=1")
    assert "--init 'my bert'" in measures.go_on()
    tuned = fine_tuned(tmp_path / "tuned")
    content = yaml.safe_load((tuned / "recipe.yaml").read_text())
    content["run"]["from_scratch"] = True
    (tuned / "recipe.yaml").write_text(yaml.safe_dump(content))
    assert "--from-scratch" in RunMeasures(read_run(tuned)).go_on()
