"""Fine-tuning with the loop's other optimizers, schedules and frozen layers."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from bertsmith import BertConfig, BertForPreTraining, Tokenizer
from bertsmith.errors import InputError, ModelError, RecipeError
from bertsmith.recipes import load_recipe
from bertsmith.tasks import FinetuneRecipe, evaluate, finetune
from bertsmith.wordpiece import SPECIAL_TOKENS, Vocabulary

WORDS = ["red", "old", "the", "river", "is", "near"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tokens = [*SPECIAL_TOKENS, *WORDS]
    config = BertConfig.of_size(
        "tiny", vocab_size=len(tokens), hidden_size=32, intermediate_size=64, initializer_range=0.3
    )
    generator = torch.Generator().manual_seed(0)
    BertForPreTraining(config, generator=generator).save_pretrained(folder)
    Tokenizer(Vocabulary(tokens), lowercase=True).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows = [f"the river is {word} near\t{label}\n" for word, label in (("red", 1), ("old", 0))]
    for name in ("train", "dev"):
        (folder / f"{name}.tsv").write_text("sentence\tlabel\n" + "".join(rows * 8))
    return folder


def recipe(*changes):
    fast = ["num_epochs=12", "learning_rate=1e-2", "global_batch_size=8", "precision=fp32"]
    changes = [f"training.{change}" for change in (*fast, "keep=last", *changes)]
    return load_recipe(FinetuneRecipe, "finetune", "default", changes)


def silent(line):
    raise AssertionError(line)


@pytest.mark.parametrize(
    "changes",
    [
        [
            "freeze_layers=1",
            "optimizer=google_adam",
            "learning_rate=1e-3",
            "schedule=cosine",
            "num_warmup_steps=2",
        ],
        ["freeze_layers=0", "optimizer=lamb", "schedule=trapezoidal", "decay_curve=1-sqrt"],
    ],
)
def test_frozen_parts_stay_and_the_rest_learns(model, data, tmp_path, changes):
    # After 12 epochs some seeds haven't learned it.
    longer = recipe(*changes, "num_epochs=40")
    result = finetune("sst2", model, data, longer, tmp_path / "run", warn=silent)
    assert result.scores["accuracy"] == 1.0
    before, after = (load_file(f"{folder}/model.safetensors") for folder in (model, result.path))
    frozen = ["bert.embeddings."]
    if "freeze_layers=1" in changes:
        frozen.append("bert.encoder.layer.0.")
    shared = {name for name in before if name in after}
    same = {name for name in shared if torch.equal(before[name], after[name])}
    assert same == {name for name in shared if name.startswith(tuple(frozen))}


def test_what_cannot_be_is_told_before_a_folder_is_made(model, data, tmp_path):
    with pytest.raises(RecipeError, match="freeze_layers: 3 is over the model's 2 layers"):
        finetune("sst2", model, data, recipe("freeze_layers=3"), tmp_path / "run", warn=silent)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="fp16 is unusable on CPUs"):
            finetune("sst2", model, data, recipe("precision=fp16"), tmp_path / "run", warn=silent)
        with pytest.raises(InputError, match="fp16 is unusable on CPUs"):
            evaluate("sst2", model, data, precision="fp16", warn=silent)
    assert not (tmp_path / "run").exists()


def test_more_warm_up_than_updates_is_told_before_the_weights_are_read(model, data, tmp_path):
    damaged = tmp_path / "model"
    shutil.copytree(model, damaged)
    (damaged / "model.safetensors").write_bytes(b"")
    run = tmp_path / "run"
    for source in (model, str(damaged)):
        with pytest.raises(RecipeError, match="num_warmup_steps: 99 is over the 24 updates"):
            finetune("sst2", source, data, recipe("num_warmup_steps=99"), run, warn=silent)
        assert not run.exists()
    with pytest.raises(ModelError):
        finetune("sst2", str(damaged), data, recipe("num_warmup_steps=24"), run, warn=silent)


@pytest.mark.parametrize(("task", "num_epochs"), [("sst2", 3), ("rte", 4)])
def test_epochs_are_the_tasks(model, tmp_path, task, num_epochs):
    for name in ("train", "dev"):
        lines = ["sentence\tlabel", "the river is red\t1", "the river is old\t0"]
        if task == "rte":
            answers = ("entailment", "not_entailment")
            pairs = [f"{i}\tthe river\tis red\t{answer}" for i, answer in enumerate(answers)]
            lines = ["index\tsentence1\tsentence2\tlabel", *pairs]
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    settings = load_recipe(FinetuneRecipe, "finetune", "default", ["training.precision=fp32"])
    run = tmp_path / "run"
    result = finetune(task, model, tmp_path, settings, run, warn=silent)
    assert result.state.step == num_epochs
    written = (run / "recipe.yaml").read_text()
    assert f"num_epochs: {num_epochs}.0\n" in written
    # Another number than the run has is refused, and none is taken from one that comes to nothing.
    (run / "recipe.yaml").write_text(written.replace(f"{num_epochs}.0\n", "10.0\n"))
    with pytest.raises(RecipeError, match=r"num_epochs = 10\.0, not"):
        finetune(task, model, tmp_path, settings, run, warn=silent)
    dead = tmp_path / "dead"
    dead.mkdir()
    (dead / "recipe.yaml").write_text(written.replace(f"{num_epochs}.0\n", "null\n"))
    (dead / "metrics.jsonl").write_text('{"kind": "start", "step": 0, "seconds": 0.0}\n')
    assert finetune(task, model, tmp_path, settings, dead, warn=silent).state.step == num_epochs
    assert (dead / "recipe.yaml").read_text() == written
    # As older versions wrote it where a recipe had none, and the preset 3 for all tasks.
    for older in ("null", "3.0"):
        (run / "recipe.yaml").write_text(written.replace(f"{num_epochs}.0\n", f"{older}\n"))
        told = []
        finetune(task, model, tmp_path, settings, run, warn=told.append)
        assert told == [f"{run}: this run is finished; its result is shown again"]


def test_rows_of_dev_that_are_left_out_are_told(model, tmp_path):
    """Quora's file has broken rows."""
    names = ("id", "qid1", "qid2", "question1", "question2", "is_duplicate")
    rows = ["\t".join(names), *(f"{n}\t1\t2\tthe river\tis red\t{n % 2}" for n in range(8))]
    for name in ("train", "dev"):
        broken = ["9\tthe river"] * (name == "dev")
        (tmp_path / f"{name}.tsv").write_text("\n".join([*rows, *broken]) + "\n")
    told = []
    finetune("qqp", model, tmp_path, recipe("num_epochs=1"), tmp_path / "run", warn=told.append)
    assert len(told) == 1
    assert "dev.tsv" in told[0]
