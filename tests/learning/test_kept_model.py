"""The model that fine-tuning keeps is the one whose scores it reports, after a crash too."""

import json

import pytest
import torch
from safetensors.torch import load_file

from bertsmith.errors import CheckpointError
from bertsmith.model import BertConfig, BertForPreTraining
from bertsmith.recipes import load_recipe
from bertsmith.tasks import FinetuneRecipe, finetune, get_task
from bertsmith.tasks.finetuning.session import FinetuneSession
from bertsmith.training import read_run
from bertsmith.training.loop import Trainer
from bertsmith.training.saver import CheckpointSaver
from bertsmith.training.update import Updater
from pretraining_runs import PowerCutError
from task_data import tiny_tokenizer, write_task_data

TASK = get_task("classify")
SETTINGS = ("num_epochs=4", "global_batch_size=4", "micro_batch_size=4", "precision=fp32")


@pytest.fixture
def tune(tmp_path, monkeypatch):
    """Fine-tunes with the given scores at the evaluations; a checkpoint comes after an update."""
    tokenizer = tiny_tokenizer()
    write_task_data(TASK, tmp_path / "data")
    config = BertConfig(
        vocab_size=len(tokenizer.vocabulary), hidden_size=32, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    BertForPreTraining(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model", max_length=64)
    changes = [f"training.{change}" for change in (*SETTINGS, "keep=best")]
    recipe = load_recipe(FinetuneRecipe, "finetune", "small", changes)
    evaluate, update = FinetuneSession.evaluate, Updater.__call__

    def run(scores, crash_at=None, checkpoint_at=4):
        waiting, updates = list(scores), []

        def score(self):
            return evaluate(self) | {TASK.main_metric: waiting.pop(0)}

        def step(self, *arguments):
            updates.append(1)
            if len(updates) == crash_at:
                raise PowerCutError
            update(self, *arguments)

        monkeypatch.setattr(FinetuneSession, "evaluate", score)
        monkeypatch.setattr(Updater, "__call__", step)
        monkeypatch.setattr(CheckpointSaver, "is_due", lambda _: len(updates) == checkpoint_at)
        source = str(tmp_path / "model")
        return finetune("classify", source, tmp_path / "data", recipe, tmp_path / "run", warn=print)

    return run


def test_a_lost_evaluation_leaves_no_model_behind(tune, tmp_path):
    with pytest.raises(PowerCutError):
        tune([0.5, 0.9], crash_at=8)
    (checkpoint,) = (tmp_path / "run" / "checkpoints").glob("step-*")
    assert checkpoint.name == "step-000004"
    lost = load_file(tmp_path / "run" / "model.safetensors")
    # On other hardware the same updates give another model, and other scores.
    result = tune([0.45, 0.46, 0.4])
    assert result.scores[TASK.main_metric] == 0.46
    kept = load_file(tmp_path / "run" / "model.safetensors")
    assert not all(torch.equal(kept[name], lost[name]) for name in kept)
    log = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    scores = {r[TASK.main_metric]: r.get("is_kept") for r in log if r["kind"] == "evaluation"}
    assert scores == {0.5: True, 0.45: True, 0.46: True, 0.4: None}


def test_nor_does_it_after_another_crash(tune):
    with pytest.raises(PowerCutError):
        tune([0.5, 0.9], crash_at=8)
    for _ in range(2):  # before anything is evaluated again
        with pytest.raises(PowerCutError):
            tune([], crash_at=1)
    assert tune([0.45, 0.46, 0.4]).scores[TASK.main_metric] == 0.46


def test_a_crash_while_the_model_is_saved(tune, tmp_path, monkeypatch):
    """Half of it may be there, or the whole: nobody can tell."""
    save, calls = Trainer._save_model, []

    def save_and_crash(self):
        save(self)
        calls.append(1)
        if len(calls) == 2:
            raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_save_model", save_and_crash)
        with pytest.raises(PowerCutError):
            tune([0.5, 0.9])
    lost = load_file(tmp_path / "run" / "model.safetensors")
    assert tune([0.45, 0.4, 0.3]).scores[TASK.main_metric] == 0.45
    kept = load_file(tmp_path / "run" / "model.safetensors")
    # Here the same updates give the same model: what tells is that it was saved again.
    assert all(torch.equal(kept[name], lost[name]) for name in kept)


def test_the_best_before_a_stop_stays_the_best(tune, tmp_path):
    with pytest.raises(PowerCutError):
        tune([0.5], crash_at=6)
    best = load_file(tmp_path / "run" / "model.safetensors")
    assert tune([0.45, 0.46, 0.4]).scores[TASK.main_metric] == 0.5
    kept = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(kept[name], best[name]) for name in kept)


def without_evaluations(run):
    log = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(x for x in log if '"evaluation"' not in x))


def test_a_lost_line_of_the_log_comes_from_the_checkpoint(tune, tmp_path):
    with pytest.raises(PowerCutError):
        tune([0.5], crash_at=6)
    without_evaluations(tmp_path / "run")
    assert tune([0.45, 0.46, 0.4]).scores[TASK.main_metric] == 0.5


def test_no_scores_are_told_of_a_model_that_was_not_kept(tune, tmp_path):
    tune([0.5, 0.9, 0.4, 0.3])
    log = (tmp_path / "run/metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run/metrics.jsonl").write_text("".join(x for x in log if "0.9" not in x))
    with pytest.raises(CheckpointError, match="lacks the evaluation of the model that was kept"):
        tune([])
    assert read_run(tmp_path / "run").scores == {}


@pytest.mark.parametrize("last", [4, 12])
def test_a_kept_model_that_is_gone_gives_way_to_the_next(tune, tmp_path, capsys, last):
    """Where the newest checkpoint is of the end nothing follows: that one is evaluated."""
    tune([0.5, 0.9, 0.4, 0.3], checkpoint_at=last)
    (tmp_path / "run/model.safetensors").unlink()
    assert tune([0.2, 0.35, 0.3]).scores[TASK.main_metric] == (0.35 if last == 4 else 0.2)
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/run: this run is finished, but model.safetensors is missing: it is made again",
        *(
            []
            if last == 4  # it was kept after that update
            else [
                f"{tmp_path}/run: model.safetensors is missing: the next evaluation keeps another "
                "model than the best so far"
            ]
        ),
    ]  # fmt: skip


def test_without_its_stamp_the_log_tells(tune, tmp_path):
    """A run of an older version, or one that was copied without hidden files."""
    with pytest.raises(PowerCutError):
        tune([0.5, 0.9], crash_at=8)
    (tmp_path / "run/.model.json").unlink()
    with pytest.raises(PowerCutError):
        tune([], crash_at=1)
    assert tune([0.45, 0.46, 0.4]).scores[TASK.main_metric] == 0.46


def test_without_stamp_and_model_the_next_is_kept(tune, tmp_path):
    with pytest.raises(PowerCutError):
        tune([0.5], crash_at=6)
    for name in (".model.json", "model.safetensors"):
        (tmp_path / "run" / name).unlink()
    assert tune([0.45, 0.46, 0.4]).scores[TASK.main_metric] == 0.46
    assert (tmp_path / "run/model.safetensors").exists()


@pytest.mark.parametrize("name", ["tokenizer_config.json", "vocab.txt"])
def test_a_small_file_is_no_reason_to_give_up_the_best(tune, tmp_path, name):
    tune([0.5, 0.9, 0.4, 0.3])
    best = load_file(tmp_path / "run/model.safetensors")
    (tmp_path / "run" / name).unlink()
    assert tune([]).scores[TASK.main_metric] == 0.9
    kept = load_file(tmp_path / "run/model.safetensors")
    assert all(torch.equal(kept[name], best[name]) for name in kept)
    assert (tmp_path / "run" / name).exists()


def test_nor_is_one_in_a_run_that_was_stopped(tune, tmp_path):
    with pytest.raises(PowerCutError):
        tune([0.5], crash_at=6)
    (tmp_path / "run/vocab.txt").unlink()
    with (tmp_path / "run/tokenizer_config.json").open("a") as file:
        file.write("\n")
    assert tune([0.45, 0.2, 0.1]).scores[TASK.main_metric] == 0.5
    assert (tmp_path / "run/vocab.txt").exists()
