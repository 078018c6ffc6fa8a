"""A run's recipe: what it must agree with, what may change, and that it is one to start from."""

import shlex
import shutil

import yaml

from faulty_runs import arguments, complaint, content, flip_a_bit
from pretraining_runs import same, weights


def test_another_recipe(bertsmith, store, stopped):
    before = content(stopped)
    another = arguments(store, stopped, "--set", "training.learning_rate=0.5")
    assert complaint(bertsmith(*another)) == (
        f"{stopped}: this folder holds a run with training.learning_rate = 0.002, not 0.5; "
        "use the same settings to go on, or another output folder"
    )
    assert content(stopped) == before


def test_a_run_of_another_kind(bertsmith, stopped, model, tmp_path):
    before = content(stopped)
    (tmp_path / "data.tsv").write_text("label\ttext\n" + "good\ta b\nbad\tc d\n" * 8)
    data = "--model", model, "--data", tmp_path / "data.tsv", "--recipe", "small"
    _, _, err = bertsmith("finetune", "classify", *data, "-o", stopped)
    assert err.splitlines()[-1] == (
        f"bertsmith: {stopped}: this folder holds a run of pre-training, "
        "not of fine-tuning on classify; give another output folder"
    )
    assert content(stopped) == before


def test_a_run_whose_log_is_lost(bertsmith, stopped):
    log = stopped / "metrics.jsonl"
    log.unlink()
    told = f"{log}: is missing, with all that the run has logged; "
    mends_it = (
        f"cp {stopped}/checkpoints/step-000008/metrics.jsonl {log} brings back what it held then"
    )
    for command in (("doctor", "run"), ("report",)):
        assert complaint(bertsmith(*command, stopped)) == told + mends_it
    for copy in stopped.glob("checkpoints/*/metrics.jsonl"):
        copy.unlink()
    for command in (("doctor", "run"), ("report",)):
        assert complaint(bertsmith(*command, stopped)) == told + "copy it back from elsewhere"


def test_nor_is_a_finished_one_no_run(bertsmith, store, model, tmp_path):
    """It has no checkpoint where it took less time than they are apart."""
    run = tmp_path / "run"
    shutil.copytree(model, run)
    (run / "metrics.jsonl").unlink()
    assert not list(run.glob("checkpoints/*"))
    told = f"{run}/metrics.jsonl: is missing, with all that the run has logged; copy it back"
    assert complaint(bertsmith("report", run)).startswith(told)


def test_a_run_of_another_start(bertsmith, store, stopped, model):
    before = content(stopped)
    assert complaint(bertsmith(*arguments(store, stopped), "--init", model)) == (
        f"{stopped}: this folder holds a run without --init, not with --init {model}; "
        "start as it was to go on, or give another output folder"
    )
    another = arguments(store, stopped, "--set", "training.num_warmup_steps=1")
    told = "this folder holds a run with training.num_warmup_steps = null, not 1;"
    assert told in complaint(bertsmith(*another))
    assert content(stopped) == before


def test_a_recipe_that_is_damaged_or_missing(bertsmith, store, stopped):
    """Every checkpoint has a copy, and the line says so."""
    path = stopped / "recipe.yaml"
    copy = max(stopped.glob("checkpoints/step-*")) / "recipe.yaml"
    before = path.read_bytes()
    for damage, fault in ((b"training: [", "can't be read"), (b"- 1", "is no recipe")):
        path.write_bytes(damage)
        told = complaint(bertsmith(*arguments(store, stopped)))
        assert told == f"{path}: {fault}; {shlex.join(['cp', str(copy), str(path)])} mends it"
    path.write_bytes(b"training: \xb3")
    told = complaint(bertsmith("doctor", "run", stopped))
    assert told.startswith(f"{path}: can't be read; cp ")
    path.unlink()
    told = complaint(bertsmith(*arguments(store, stopped)))
    assert told.startswith(f"{path}: is missing; cp ")
    shutil.copy(copy, path)
    assert path.read_bytes() == before
    assert bertsmith(*arguments(store, stopped))[0] == 0


def test_a_checkpoint_of_another_run(bertsmith, store, stopped, tmp_path):
    other = tmp_path / "other"
    assert bertsmith(*arguments(store, other, steps=9))[0] == 0
    foreign = stopped / "checkpoints/step-000009"
    shutil.copytree(other / "checkpoints/step-000009", foreign)
    before = content(stopped)
    assert complaint(bertsmith(*arguments(store, stopped))) == (
        f"{foreign}: is a checkpoint of another run: its recipe has training.num_steps = 9, not 8; "
        "move it out of this run's folder"
    )
    assert content(stopped) == before


def test_settings_that_weights_do_not_depend_on_may_change(bertsmith, store, finished, stopped):
    flip_a_bit(stopped / "checkpoints/step-000008/model.safetensors")
    changes = (
        "--set", "training.keep_checkpoints=1", "--set", "training.log_every_steps=3",
        "--set", "training.keep_best=true", "--set", "training.max_skipped_updates=0",
    )  # fmt: skip
    assert bertsmith(*arguments(store, stopped, *changes))[0] == 0
    assert same(weights(finished), weights(stopped))
    saved = yaml.safe_load((stopped / "recipe.yaml").read_text())
    assert saved["training"]["keep_checkpoints"] == 1


def test_the_recipe_of_a_run_is_a_recipe(bertsmith, store, finished, tmp_path):
    again = tmp_path / "again"
    assert bertsmith("pretrain", store, "--recipe", finished / "recipe.yaml", "-o", again)[0] == 0
    assert same(weights(finished), weights(again))
    assert (again / "recipe.yaml").read_text() == (finished / "recipe.yaml").read_text()
    in_checkpoint = again / "checkpoints/step-000008/recipe.yaml"
    assert in_checkpoint.read_text() == (again / "recipe.yaml").read_text()


def test_the_recipe_of_a_fine_tuned_run_is_a_recipe(bertsmith, finished, tmp_path):
    rows = [("red river .", 0), ("old city .", 1)] * 8
    lines = "".join(f"{text}\t{label}\n" for text, label in rows)
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text(f"sentence\tlabel\n{lines}")
    first, again = tmp_path / "first", tmp_path / "again"
    command = ("finetune", "sst2", "--model", finished, "--data", tmp_path)
    changes = ("--set", "training.num_epochs=1", "--set", "max_seq_length=16")
    assert bertsmith(*command, "-o", first, *changes)[0] == 0
    assert bertsmith(*command, "-o", again, "--recipe", first / "recipe.yaml")[0] == 0
    assert same(weights(first), weights(again))
    _, _, err = bertsmith("evaluate", "mrpc", "--model", first, "--data", tmp_path)
    assert "was fine-tuned for sst2, not mrpc" in err, "recipe.yaml says what it was run on"
