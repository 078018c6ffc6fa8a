"""Every check of a run finds what was planted, and is silent about a sound run."""

import json
import random
import time

import pytest

from bertsmith.corpus import open_corpus
from bertsmith.doctor import examine_run
from bertsmith.doctor.run_measures import RunMeasures
from bertsmith.errors import TrainingError
from bertsmith.store import write_store
from bertsmith.training import pretrain, read_run
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from cli_runs import WORDS, run, sentence
from doctor_corpora import write_jsonl
from doctor_findings import check_finding
from doctor_runs import (
    WRITTEN,
    evaluation_line,
    finding_of,
    start_line,
    train_line,
    written,
)
from pretraining_runs import silent
from seeing_runs import make_store, recipe, records


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
    told = []
    pretrain(folder / "store", recipe("training.num_steps=4"), folder / "run", warn=told.append)
    assert ["% of the store's tokens are [UNK]" in line for line in told] == [True]
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


def test_pairs_that_may_be_swapped_are_not_called_next_sentence(tmp_path):
    folder = written(
        tmp_path / "run",
        evaluation=lambda step: evaluation_line(step, nsp_accuracy=0.5, majority_accuracy=0.5),
        changes=["examples.pair_labels=order"],
    )
    assert finding_of(folder, "nsp_at_chance").title.startswith("sentence-order accuracy is 50 %")


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


@pytest.mark.parametrize("tells_phase", [True, False])
def test_a_phase_ends_where_the_clock_has_passed_its_end(tmp_path, tells_phase):
    """The lines of its last update are over its time, and one for a skip has no time at all."""
    last = 900_000

    def of_phase(line):
        def changed(step):
            phase = {"phase": int(step > last)} if tells_phase else {}
            loss = 3.0 if step > last else None
            return line(step, loss, seconds=step / 10 + (step == last) * 5.0, **phase)

        return changed

    skipped = {"kind": "skipped", "step": 950_001, "reason": "loss nan", "loss": "nan"}
    folder = written(
        tmp_path / "run",
        train=of_phase(train_line),
        evaluation=of_phase(evaluation_line),
        more=[skipped],
        changes=["examples.max_seq_length=128", "training.budget_seconds=100000"],
    )
    assert RunMeasures(read_run(folder)).phase_ends == [last]
    assert [finding.name for finding in examine_run(folder).findings] == ["skipped_updates"]


def test_lines_are_those_that_the_trainer_writes(timid):
    log = records(timid)
    for line in (start_line(), train_line(20), evaluation_line(20)):
        real = next(record for record in log if record["kind"] == line["kind"])
        # The line at the start is that of a GPU's run.
        assert [name for name in real if name != "cpu_kernels"] == list(line)


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


def test_a_finding_says_after_which_update_its_loss_was_measured(tmp_path):
    flat = {"train": lambda s: train_line(s, 7.2), "evaluation": lambda s: evaluation_line(s, 7.2)}
    folder = written(tmp_path / "run", **flat)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    # Stopped between two evaluations.
    started = [line for line in lines if json.loads(line)["step"] < 460_000]
    (folder / "metrics.jsonl").write_text("\n".join(started) + "\n")
    assert "after 400,000 updates" in finding_of(folder, "mlm_plateau").title


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
