"""Every check of a run finds what was planted, and is silent about a sound run."""

import json
import math
import random
import shlex
import shutil
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import yaml

from bertsmith.corpus import open_corpus
from bertsmith.doctor import examine_run
from bertsmith.doctor.run_measures import RunMeasures
from bertsmith.errors import TrainingError
from bertsmith.recipes import load_recipe
from bertsmith.store import write_store
from bertsmith.tasks import FinetuneRecipe
from bertsmith.training import PretrainRecipe, pretrain, read_run
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from cli_runs import WORDS, run, sentence
from doctor_corpora import write_jsonl
from doctor_findings import check_finding
from seeing_runs import make_store, recipe, records

NUM_LINES = 200


def silent(line):
    raise AssertionError(line)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("run_store"))


@pytest.fixture(scope="session")
def timid(store, tmp_path_factory):
    """A real run that hardly moves: no warm-up, a rate far too low that stays, few examples."""
    folder = tmp_path_factory.mktemp("timid") / "run"
    settings = recipe(
        "training.num_steps=40",
        "training.learning_rate=2e-6",
        "training.warmup_ratio=0",
        "training.schedule=constant",
        "training.num_evaluation_examples=4",
        "training.num_evaluations=4",
    )
    pretrain(store, settings, folder, warn=silent)
    return folder


@pytest.fixture(scope="session")
def stuck(tmp_path_factory):
    """A real run on text in which no word tells of another, so that nothing but frequencies can
    be learned; it goes through that again and again, and has no warm-up."""
    folder = tmp_path_factory.mktemp("stuck")
    settings = recipe(
        "training.num_steps=400", "training.learning_rate=5e-3", "training.warmup_ratio=0"
    )
    pretrain(make_store(folder, num_documents=6), settings, folder / "run", warn=silent)
    return folder / "run"


@pytest.fixture(scope="session")
def unfit(tmp_path_factory):
    """A real run on documents of one sentence, half of whose words the vocabulary lacks."""
    folder = tmp_path_factory.mktemp("unfit")
    rng = random.Random(1)
    path = write_jsonl(folder, [sentence(rng) for _ in range(300)])
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *WORDS[::2], "."]))
    write_store(open_corpus(path), tokenizer, folder / "store")
    pretrain(folder / "store", recipe("training.num_steps=4"), folder / "run", warn=silent)
    return folder / "run"


@pytest.fixture(scope="session")
def slow(store, tmp_path_factory):
    """A real run whose batches are made slowly."""
    from bertsmith.batches import PretrainingBatches

    folder = tmp_path_factory.mktemp("slow") / "run"
    original = PretrainingBatches.micro_batches

    def slowly(self, *arguments, **keywords):
        time.sleep(0.4)
        return original(self, *arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PretrainingBatches, "micro_batches", slowly)
        pretrain(store, recipe("training.num_steps=10"), folder, warn=silent)
    return folder


def train_line(step, loss=None, **changes):
    """A line of a run of base that goes well; its keys are compared with a real one's below."""
    loss = 1.6 + 6.5 * math.exp(-step / 40_000) if loss is None else loss
    return {
        "kind": "train",
        "step": step,
        "mlm_loss": loss,
        "mlm_accuracy": 0.6,
        "nsp_loss": 0.1,
        "nsp_accuracy": 0.97,
        "learning_rate": 1e-4 * max(1 - step / 1e6, 0),
        "epochs": step * 256 / 40_000_000,
        "tokens_per_second": 5e5,
        "mfu": 0.52,
        "waiting_share": 0.001,
        "peak_memory_bytes": 3 * 10**10,
        "seconds": step / 10,
        **changes,
    }


def evaluation_line(step, loss=None, **changes):
    return {
        "kind": "evaluation",
        "step": step,
        "mlm_loss": 1.65 + 6.5 * math.exp(-step / 40_000) if loss is None else loss,
        "mlm_accuracy": 0.6,
        "nsp_loss": 0.1,
        "nsp_accuracy": 0.97,
        "unigram_accuracy": 0.05,
        "unigram_loss": 7.3,
        "majority_accuracy": 0.55,
        "max_seq_length": 512,
        "seconds": step / 10,
        **changes,
    }


def start_line(**changes):
    return {
        "kind": "start",
        "step": 0,
        "seconds": 0.0,
        "store": "store",
        "num_documents": 6_000_000,
        "num_tokens": 4_000_000_000,
        "unknown_rate": 0.0003,
        "epoch_examples": 40_000_000,
        "evaluation_examples": 2000,
        "evaluation_predictions": 36_000,
        "device": "NVIDIA H100",
        "threads": 16,
        "precision": "bf16",
        "matmul_flops_per_second": 7e14,
        "num_parameters": 110_000_000,
        "bertsmith_version": "0.1.0",
        "torch_version": "2.13.0",
        "python_version": "3.12.0",
        "system": "Linux x86_64",
        **changes,
    }


def written(folder, *, train=train_line, evaluation=evaluation_line, more=(), changes=()):
    """A run of base as it would be logged, with some lines of another kind."""
    folder.mkdir(exist_ok=True)
    settings = load_recipe(
        PretrainRecipe, "pretrain", "base", ["examples.max_seq_length=512", *changes]
    )
    content = {**settings.model_dump(mode="json"), "run": {"init": None}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    steps = [1_000_000 * n // NUM_LINES for n in range(1, NUM_LINES + 1)]
    lines = [start_line(), *(train(step) for step in steps)]
    lines += [evaluation(step) for step in steps[19::20]]
    lines += [*more, {"kind": "end", "step": 1_000_000, "seconds": 100_000.0}]
    lines.sort(key=lambda line: line["step"])
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def fine_tuned(folder):
    """A fine-tuning run that has learned nothing."""
    folder.mkdir(exist_ok=True)
    content = {
        "run": {
            "task": "rte",
            "model": {"source": "bert-large"},
            "data": {"glue/RTE/train.tsv": "0"},
        },
        "training": {"seed": 4, "learning_rate": 3e-5, "micro_batch_size": 32},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    lines = [
        {"kind": "train", "step": step, "classification_loss": 0.694, "seconds": step / 10}
        for step in range(20, 240, 20)
    ]
    lines.append({"kind": "evaluation", "step": 220, "accuracy": 0.53, "seconds": 22.0})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def jumping(step):
    return train_line(step, 6.0) if step in (300_000, 500_000, 700_000) else train_line(step)


WRITTEN: dict[str, Callable] = {
    "diverged": lambda folder: written(
        folder, train=lambda s: train_line(s, 7.4 if s > 600_000 else None)
    ),
    "skipped_updates": lambda folder: written(
        folder,
        more=[
            {
                "kind": "skipped",
                "step": step,
                "reason": "loss nan",
                "loss": "nan",
                "grad_norm": "nan",
            }
            for step in range(400_000, 400_012)
        ],
    ),
    "loss_spikes": lambda folder: written(folder, train=jumping),
    "learning_rate_too_high": lambda folder: written(
        folder, train=lambda s: train_line(s, 3.0 if s < 100_000 else 3.5)
    ),
    "overfitting": lambda folder: written(
        folder, evaluation=lambda s: evaluation_line(s, 2.5 + s / 1e6)
    ),
    "low_utilisation": lambda folder: written(folder, train=lambda s: train_line(s, mfu=0.06)),
    "not_learned": fine_tuned,
}
REAL = {
    "learning_rate_too_low": "timid",
    "no_warmup": "stuck",
    "unfinished_schedule": "timid",
    "small_evaluation": "timid",
    "short_run": "timid",
    "untrained_positions": "timid",
    "mlm_plateau": "stuck",
    "nsp_at_chance": "stuck",
    "many_epochs": "stuck",
    "uneven_pairs": "unfit",
    "unknown_tokens": "unfit",
    "waiting_for_data": "slow",
}


def finding_of(folder, name):
    found = {finding.name: finding for finding in examine_run(folder).findings}
    assert name in found, list(found)
    return found[name]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_planted_illness_is_found(tmp_path, name):
    finding = finding_of(WRITTEN[name](tmp_path / "run"), name)
    assert finding.severity in ("warning", "problem")
    check_finding(finding)


@pytest.mark.parametrize("name", REAL)
def test_a_real_run_that_is_ill_is_found_out(name, request):
    finding = finding_of(request.getfixturevalue(REAL[name]), name)
    assert finding.severity in ("warning", "problem")
    check_finding(finding)


def test_a_sound_run_is_sound(tmp_path):
    found = examine_run(written(tmp_path / "run"))
    assert found.findings == ()
    assert found.unchecked == ()


@pytest.mark.parametrize("budget", [None, 100_000])
def test_a_phase_is_measured_against_itself(tmp_path, budget):
    """Losses at another length are others: a phase that begins higher is no illness."""

    def longer(line):
        return lambda step: line(step, 3.0 if step > 900_000 else None)

    folder = written(
        tmp_path / "run",
        train=longer(train_line),
        evaluation=longer(evaluation_line),
        changes=["examples.max_seq_length=128", f"training.budget_seconds={budget or 'null'}"],
    )
    assert examine_run(folder).findings == ()
    # A rise from before the change stays one, if the run never comes back.
    early = written(
        tmp_path / "early",
        train=lambda s: train_line(s, 7.4 if s > 600_000 else None),
        changes=["examples.max_seq_length=128"],
    )
    assert finding_of(early, "diverged").title.endswith("to 7.40 at step 900,000")
    back = written(
        tmp_path / "back",
        train=lambda s: train_line(s, 7.4 if 600_000 < s <= 900_000 else 1.8 - s / 1e7),
        changes=["examples.max_seq_length=128"],
    )
    assert "diverged" not in {finding.name for finding in examine_run(back).findings}
    # Within a phase it is one.
    one = written(
        tmp_path / "one",
        train=longer(train_line),
        evaluation=longer(evaluation_line),
        changes=["phases=null"],
    )
    found = {finding.name for finding in examine_run(one).findings}
    assert {"diverged", "loss_spikes"} <= found


def test_lines_are_those_that_the_trainer_writes(timid):
    log = records(timid)
    for line in (start_line(), train_line(20), evaluation_line(20)):
        real = next(record for record in log if record["kind"] == line["kind"])
        assert list(real) == list(line)


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
def test_what_a_finding_tells_to_run_can_be_run(tmp_path, name, changes, monkeypatch):
    if name != "not_learned":
        monkeypatch.setitem(globals(), "written", partial(written, changes=changes))
    folder = WRITTEN[name](tmp_path / "run")
    commands = [finding.command for finding in examine_run(folder).findings]
    assert name in [finding.name for finding in examine_run(folder).findings]
    for command in commands:
        if "--recipe" in command:
            settings_of(command)


def test_what_a_finding_tells_to_run_mends_it(tmp_path, timid):
    command = finding_of(timid, "untrained_positions").command
    assert f"--init {timid} " in command
    told = settings_of(command)
    assert (told.longest_sequence, told.training.num_steps) == (64, 40 // 9)
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
    # Its rate is what tiny takes at most: ten times that would be the next illness.
    hardly = settings_of(finding_of(timid, "learning_rate_too_low").command).training
    assert hardly.learning_rate == pytest.approx(2e-5)
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


def test_a_schedule_that_ends_is_finished_however_few_updates_there_are(store, tmp_path):
    pretrain(store, recipe("training.num_steps=4"), tmp_path / "run", warn=silent)
    assert records(tmp_path / "run")[-2]["kind"] == "evaluation"
    rates = read_run(tmp_path / "run").series("train", "learning_rate")[1]
    assert rates[-1] > 0.2 * max(rates)
    assert "unfinished_schedule" not in {f.name for f in examine_run(tmp_path / "run").findings}


def test_the_plateau_names_its_likely_cause(stuck, tmp_path):
    flat = {"train": lambda s: train_line(s, 7.2), "evaluation": lambda s: evaluation_line(s, 7.2)}
    hot = written(tmp_path / "hot", **flat, changes=["training.learning_rate=0.002"])
    finding = finding_of(hot, "mlm_plateau")
    assert finding.severity == "problem"
    assert "a learning rate of 0.002, over 0.0004 for this size" in finding.remedy
    assert "--set training.learning_rate=0.0001" in finding.command
    cold = written(tmp_path / "cold", **flat, changes=["training.warmup_ratio=0"])
    assert "no warm-up" in finding_of(cold, "mlm_plateau").remedy
    assert "little text" in finding_of(stuck, "mlm_plateau").remedy


def test_a_plateau_at_the_beginning_is_no_cause_for_alarm(tmp_path):
    folder = written(tmp_path / "run")
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    early = [lines[0], json.dumps(train_line(1000, 7.2)), json.dumps(evaluation_line(1000, 7.2))]
    (folder / "metrics.jsonl").write_text("\n".join(early) + "\n")
    assert finding_of(folder, "mlm_plateau").severity == "info"
    finding = finding_of(folder, "unfinished_schedule")
    assert finding.severity == "info"
    assert finding.command.endswith(f"-o {folder}")


def test_the_first_line_of_a_sitting_does_not_count_for_speed(tmp_path):
    folder = written(tmp_path / "run", train=lambda s: train_line(s, waiting_share=0.0))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    again = []
    for line in lines:
        if line["kind"] == "train":
            again += [start_line(step=line["step"]), line | {"waiting_share": 0.9}, line]
        else:
            again.append(line)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in again))
    assert examine_run(folder).findings == ()


def test_a_run_of_an_older_version(tmp_path):
    folder = written(tmp_path / "run")
    old = [
        {key: line[key] for key in line if key not in ("mfu", "waiting_share", "unigram_loss")}
        for line in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        if line["kind"] != "start"
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    found = examine_run(folder)
    assert found.findings == ()
    assert len(found.unchecked) == 1


def test_what_is_no_run(tmp_path):
    with pytest.raises(TrainingError, match="does not exist; give what pretrain or finetune wrote"):
        examine_run(tmp_path / "nowhere")
    with pytest.raises(TrainingError, match="is no run's folder"):
        examine_run(tmp_path)
    folder = written(tmp_path / "run")
    (folder / "metrics.jsonl").write_text("")
    with pytest.raises(TrainingError, match="has not begun"):
        examine_run(folder)


def test_command(timid, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert run("doctor", "run", timid, "--html", page, "--strict") == 3
    out = capsys.readouterr().out
    assert "updates" in out
    assert "PROBLEM" in out
    assert "learning_rate_too_low" in page.read_text()
    assert run("doctor", "run", timid, "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "run"
    assert run("doctor", "run", tmp_path / "nowhere") == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("num_pairs", "is_told"), [(24, False), (4000, True)])
def test_a_handful_of_uneven_pairs_is_chance(tmp_path, num_pairs, is_told):
    folder = written(
        tmp_path / "run",
        train=lambda step: train_line(step, 7.2),
        evaluation=lambda step: evaluation_line(step, 7.2, majority_accuracy=0.72),
    )
    log = (folder / "metrics.jsonl").read_text()
    log = log.replace('"evaluation_examples": 2000', f'"evaluation_examples": {num_pairs}')
    (folder / "metrics.jsonl").write_text(log)
    found = {finding.name: finding for finding in examine_run(folder).findings}
    assert ("uneven_pairs" in found) == is_told
    assert ("documents of one sentence" in found["mlm_plateau"].remedy) == is_told
