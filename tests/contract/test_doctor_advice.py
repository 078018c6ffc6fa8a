"""What a report on a run advises fits the run: it repeats no other illness, and can help."""

import json
import shlex

import yaml

from doctor_runs import evaluation_line, examine_run, finding_of, train_line, written

FLAT = {"train": lambda s: train_line(s, 7.9), "evaluation": lambda s: evaluation_line(s, 7.9)}


def findings(folder):
    return {finding.name: finding for finding in examine_run(folder).findings}


def short(folder, num_epochs, **more):
    """A finished run of 800 updates that went so often through its text."""
    folder = written(folder, **more)
    log = (folder / "metrics.jsonl").read_text().splitlines()
    start = log[0]
    train = train_line(800, 7.9, epochs=num_epochs, seconds=80.0)
    evaluation = evaluation_line(800, 7.2, nsp_accuracy=0.55)
    end = {"kind": "end", "step": 800, "seconds": 80.0}
    lines = [start, *(json.dumps(line) for line in (train, evaluation, end))]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_no_command_keeps_a_rate_at_which_nothing_moves_or_leaves_out_the_warm_up(tmp_path):
    slow = written(tmp_path / "slow", **FLAT, changes=["training.learning_rate=1e-7"])
    assert "learning_rate_too_low" in findings(slow)
    commands = [found.command for found in findings(slow).values() if "pretrain" in found.command]
    assert commands
    assert all("training.learning_rate=0.0001" in command for command in commands)
    cold = written(tmp_path / "cold", **FLAT, changes=["training.num_warmup_steps=0"])
    commands = [found.command for found in findings(cold).values() if "pretrain" in found.command]
    assert len(commands) > 1
    assert all("training.warmup_ratio=0.05" in command for command in commands)


def test_more_updates_are_advised_where_there_is_text_for_them(tmp_path):
    found = findings(short(tmp_path / "much", 0.01))
    assert "training.num_steps=8000 " in found["short_run"].command
    assert "training.num_steps=8000 " in found["mlm_plateau"].command
    # Where chance is left depends on masked LM, which is at its plateau.
    assert "training.num_steps=8000 " in found["nsp_at_chance"].command
    found = findings(short(tmp_path / "little", 60.0))
    assert found["short_run"].command == "bertsmith doctor store store"
    assert "through the text 600 times: add text" in found["short_run"].remedy
    assert "little text" in found["mlm_plateau"].remedy
    assert "updates" not in found["mlm_plateau"].remedy
    assert found["nsp_at_chance"].command == "bertsmith doctor store store"


def test_a_rate_is_said_once_in_a_command_and_equal_commands_are_one(tmp_path):
    """A low rate under which the loss went over ln V all the same; a high one without warm-up."""
    over = written(
        tmp_path / "over",
        train=lambda s: train_line(s, 11.5),
        evaluation=lambda s: evaluation_line(s, 11.5),
        changes=["training.learning_rate=1e-6"],
    )
    for found in findings(over).values():
        assert found.command.count("training.learning_rate=") <= 1, found
    hot = written(
        tmp_path / "hot",
        **FLAT,
        changes=["training.learning_rate=1e-3", "training.num_warmup_steps=0"],
    )
    found = findings(hot)
    assert found["learning_rate_too_high"].command == found["no_warmup"].command


def test_pairs_are_left_out_when_masked_lm_has_learned_and_they_teach_nothing(tmp_path):
    good = written(tmp_path / "run", evaluation=lambda s: evaluation_line(s, nsp_accuracy=0.55))
    assert "examples.next_sentence=false" in finding_of(good, "nsp_at_chance").command


def test_a_rate_far_too_high_that_ended_near_what_no_context_gives(tmp_path):
    """It went over ln V, and never came down to the unigram baseline."""
    folder = written(
        tmp_path / "run",
        train=lambda s: train_line(s, 90.0 if s < 20_000 else 7.6),
        evaluation=lambda s: evaluation_line(s, 7.5),
        changes=["training.learning_rate=1"],
    )
    assert finding_of(folder, "diverged").severity == "problem"
    assert "mlm_plateau" not in findings(folder)


def test_a_run_that_too_many_skipped_updates_ended_is_not_told_to_go_on(tmp_path):
    skipped = [
        {"kind": "skipped", "step": step, "reason": "loss nan", "loss": "nan", "grad_norm": "nan"}
        for step in range(500_001, 500_012)
    ]
    folder = written(tmp_path / "run", more=skipped)
    kept = [
        line
        for line in (folder / "metrics.jsonl").read_text().splitlines()
        if '"kind": "end"' not in line
    ]
    (folder / "metrics.jsonl").write_text("\n".join(kept[:120]) + "\n")
    assert "skipped_updates" in findings(folder)
    assert "unfinished_schedule" not in findings(folder)


def test_the_noise_of_an_accuracy_is_that_of_its_own_evaluation(tmp_path):
    """Phases have other numbers of predictions; the log says first what that of the start has."""
    run = short(tmp_path / "run", 0.01)
    assert "small_evaluation" not in findings(run)
    log = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text(
        log.replace('"num_predictions": 36000', '"num_predictions": 160')
    )
    assert "from 160 masked tokens" in finding_of(run, "small_evaluation").title
    older = log.replace('"num_predictions": 36000, ', "")
    (run / "metrics.jsonl").write_text(older.replace('_predictions": 36000', '_predictions": 90'))
    assert "from 90 masked tokens" in finding_of(run, "small_evaluation").title


def test_a_share_of_few_documents_holds_some_out(tmp_path):
    """A larger share of four documents may be the one that is held out already."""
    few = short(tmp_path / "few", 0.01)
    log = (few / "metrics.jsonl").read_text()
    log = log.replace('"evaluation_examples": 2000', '"evaluation_examples": 20')
    log = log.replace('_predictions": 36000', '_predictions": 160')
    (few / "metrics.jsonl").write_text(
        log.replace('"num_documents": 6000000', '"num_documents": 10')
    )
    command = finding_of(few, "small_evaluation").command
    assert "training.held_out_fraction=0.4 " in command
    (few / "metrics.jsonl").write_text(
        log.replace('"num_documents": 6000000', '"num_documents": 4')
    )
    assert "training.held_out_fraction=0.5 " in finding_of(few, "small_evaluation").command
    recipe = (few / "recipe.yaml").read_text()
    assert "held_out_fraction: 0.005" in recipe or "held_out_fraction: 0.01" in recipe
    for share in ("0.005", "0.01"):
        recipe = recipe.replace(f"held_out_fraction: {share}\n", "held_out_fraction: 0.5\n")
    (few / "recipe.yaml").write_text(recipe)
    assert finding_of(few, "small_evaluation").command == "bertsmith doctor store store"


def started_from(folder, model, **more):
    folder = written(folder, **more)
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**recipe, "run": {"init": model}}))
    return folder


def test_a_model_that_was_started_from_and_knows_nothing_is_found(tmp_path):
    """As an encoder without its masked-LM head: `pretrain` sends its users to the doctor."""
    changes = ["training.learning_rate=0.0001"]
    found = findings(started_from(tmp_path / "run", "encoder", **FLAT, changes=changes))
    told = found["learning_rate_too_low"]
    assert told.severity == "warning"
    assert "without a masked-LM head" in told.effect
    assert "--init encoder" in told.command
    assert "training.num_steps=2000000" in told.command
    changes = ["training.learning_rate=1e-6"]
    found = findings(started_from(tmp_path / "slow", "encoder", **FLAT, changes=changes))
    assert "training.learning_rate=5e-05" in found["learning_rate_too_low"].command


def test_what_is_frozen_as_it_was_drawn_is_found_and_no_command_keeps_it(tmp_path):
    frozen = ["training.freeze_layers=1", "examples.max_seq_length=256", "phases=null"]
    frozen.append("model.position_init=sinusoidal")
    found = findings(written(tmp_path / "run", **FLAT, changes=frozen))
    assert found["frozen_noise"].title == (
        "the embeddings and the lowest layer are frozen, as they were drawn"
    )
    commands = [finding.command for finding in found.values() if "pretrain" in finding.command]
    assert len(commands) > 2
    assert all("training.freeze_layers=null" in shlex.split(command) for command in commands)
    folder = started_from(tmp_path / "init", "encoder", changes=frozen)
    found = findings(folder)
    assert "frozen_noise" not in found
    assert (
        "freeze"
        not in findings(started_from(tmp_path / "i", "b", **FLAT, changes=frozen))[
            "learning_rate_too_low"
        ].command
    )


def test_a_phase_of_a_few_lines_has_not_risen(tmp_path):
    """Its first line is of a single update; the median of five is smooth only after them."""

    def course(few, *last):
        phases = "phases=[{share: 0.9}, {share: 0.1, max_seq_length: 256}]"
        lines = [train_line(s, 3.0, phase=0) for s in range(5000, 900_000, 5000)]
        lines += [train_line(900_000 + 100 * n, loss, phase=1) for n, loss in enumerate(last, 1)]
        folder = written(tmp_path / few, changes=[phases, "examples.max_seq_length=128"])
        log = (folder / "metrics.jsonl").read_text().splitlines()
        kept = [log[0], *map(json.dumps, lines), log[-1]]
        (folder / "metrics.jsonl").write_text("\n".join(kept) + "\n")
        return findings(folder)

    assert "learning_rate_too_high" not in course("noise", 3.6, 3.9, 4.1, 4.0, 4.0, 4.0)
    assert "learning_rate_too_high" in course("rising", *[3.6] * 10, *[4.1] * 10)
