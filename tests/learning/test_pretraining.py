"""Pre-training starts at ln V, learns, resumes to the bit, and adds up micro-batches exactly."""

import itertools
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from bertsmith.batches import PretrainingBatches, evaluation_batches
from bertsmith.examples import ExampleSettings
from bertsmith.model import BertForPreTraining
from bertsmith.objectives import LeftToRight, MaskedLM
from bertsmith.store import TokenStore
from bertsmith.training import Interrupted, pretrain
from bertsmith.training.evaluation import baselines, count_tokens, evaluate_objective
from bertsmith.training.update import Updater
from pretraining_runs import FAST, losses, recipe, records, same, silent, weights


def first_batch(store, **settings):
    source = TokenStore(store)
    batches = PretrainingBatches(
        source,
        np.arange(source.num_documents),
        ExampleSettings(max_seq_length=32, **settings),
        global_batch_size=8,
        seed=0,
    )
    return source, batches.micro_batches(0, 8)[0]


@pytest.mark.parametrize("objective", [MaskedLM(), LeftToRight()])
def test_loss_starts_at_ln_v(store, objective):
    source, batch = first_batch(store, next_sentence=isinstance(objective, MaskedLM))
    attention = "causal" if isinstance(objective, LeftToRight) else "bidirectional"
    config = recipe().model.config(len(source.vocabulary))
    config = type(config)(**{**vars(config), "attention": attention})
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0)).eval()
    measures = objective(model, batch)
    lm = measures["ltr" if attention == "causal" else "mlm"]
    assert lm.loss.mean.item() == pytest.approx(math.log(len(source.vocabulary)), abs=0.1)
    if "nsp" in measures:
        assert measures["nsp"].loss.mean.item() == pytest.approx(math.log(2), abs=0.05)
    assert {name: m.loss.count for name, m in measures.items()} == objective.counts(batch)


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_overfits_eight_examples(store, attention):
    is_causal = attention == "causal"
    source, batch = first_batch(store, next_sentence=not is_causal)
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = recipe().model.config(len(source.vocabulary))
    config = type(config)(**{**vars(config), **no_dropout, "attention": attention})
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0))
    objective = LeftToRight() if is_causal else MaskedLM()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(250):
        measures = objective(model, batch)
        loss = sum(measure.loss.mean for measure in measures.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # A left-to-right model can't know a sentence's first words; a masked one can learn all.
    assert loss.item() < (0.6 if is_causal else 0.05)


def test_left_to_right_sees_no_mask_and_predicts_the_next_token(store):
    source, batch = first_batch(store, next_sentence=False)
    assert (batch.input_ids == source.vocabulary.mask_id).any()
    whole = batch.unmasked()
    assert not (whole.input_ids == source.vocabulary.mask_id).any()
    assert torch.equal(whole.input_ids[batch.masked_positions], batch.masked_labels)


# A loss that hardly falls, and a small deviation: some updates are skipped.
SPIKES = ["training.spike_deviations=0.5", "training.learning_rate=1e-6"]


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["training.micro_batch_size=2"],
        ["training.precision=bf16", "training.micro_batch_size=3", *SPIKES],
    ],
    ids=["fp32", "accumulated", "bf16 with skipped updates"],
)
def test_forty_steps_are_twenty_and_twenty(store, tmp_path, monkeypatch, changes):
    """To the bit: weights, optimizer, dropout, order, masks, and what a spike is."""
    whole = recipe("training.num_steps=40", "training.max_skipped_updates=40", *changes)
    told = {"whole": [], "halves": []}

    def warn(of):
        # Not what every sitting says of a processor without bf16.
        return lambda line: told[of].append(line) if "skipped" in line else None

    pretrain(store, whole, tmp_path / "whole", warn=warn("whole"))

    from bertsmith.training.update import Updater

    original, num_updates = Updater.__call__, itertools.count(1)

    def stop_after_twenty(self, *arguments):
        original(self, *arguments)
        if next(num_updates) == 20:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Updater, "__call__", stop_after_twenty)
    with pytest.raises(Interrupted) as stop:
        pretrain(store, whole, tmp_path / "halves", warn=warn("halves"))
    assert stop.value.step == 20
    monkeypatch.setattr(Updater, "__call__", original)
    torch.manual_seed(12345)
    pretrain(store, whole, tmp_path / "halves", warn=warn("halves"))
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "halves"))
    assert losses(tmp_path / "whole") == losses(tmp_path / "halves")
    assert told["whole"] == told["halves"]
    num_spikes = len(told["whole"])
    assert len(losses(tmp_path / "whole")) == 40 - num_spikes
    assert (num_spikes > 0) == (SPIKES[0] in changes)


def test_a_killed_run_goes_on_from_its_last_checkpoint(store, tmp_path):
    changes = [*FAST, "training.num_steps=60", "training.checkpoint_every_seconds=1e-6"]
    options = [part for change in changes for part in ("--set", change)]
    command = ["-m", "bertsmith", "pretrain", str(store), "--recipe", "tiny", *options, "-o"]

    def start(folder):
        return subprocess.Popen([sys.executable, *command, str(folder)])

    assert start(tmp_path / "whole").wait() == 0
    process = start(tmp_path / "killed")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        done = list((tmp_path / "killed" / "checkpoints").glob("step-*"))
        if len(done) > 1 and process.poll() is None:
            break
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    assert start(tmp_path / "killed").wait() == 0
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_micro_batches_add_up_to_the_global_batch(store, tmp_path):
    no_dropout = ["model.hidden_dropout_prob=0", "model.attention_probs_dropout_prob=0"]
    for size in (8, 2):
        changes = [*no_dropout, "training.num_steps=4", f"training.micro_batch_size={size}"]
        pretrain(store, recipe(*changes), tmp_path / str(size), warn=silent)
    whole, parts = weights(tmp_path / "8"), weights(tmp_path / "2")
    for name, expected in whole.items():
        torch.testing.assert_close(parts[name], expected, atol=2e-5, rtol=1e-4, msg=name)


def test_evaluation_sums_over_batches_and_baseline_counts_labels(store):
    source = TokenStore(store)
    documents = np.arange(source.num_documents)
    settings = ExampleSettings(max_seq_length=32)

    def batches(size):
        return evaluation_batches(
            source, documents, settings, num_examples=50, micro_batch_size=size, seed=1
        )

    model = BertForPreTraining(recipe().model.config(len(source.vocabulary))).eval()
    large = evaluate_objective(model, MaskedLM(), batches(50), "fp32")
    small = evaluate_objective(model, MaskedLM(), batches(7), "fp32")
    assert large == pytest.approx(small, rel=1e-5)
    counts = count_tokens(source, documents)
    everything = source.tokens(0, source.num_tokens)
    assert counts.tolist() == np.bincount(everything, minlength=len(counts)).tolist()
    found, labels = baselines(batches(7), counts), torch.cat([b.masked_labels for b in batches(7)])
    token = int(counts.argmax())
    assert found["unigram_accuracy"] == (labels == token).double().mean().item()
    shares = torch.tensor((counts + 1) / (counts + 1).sum())
    assert found["unigram_loss"] == pytest.approx(-shares[labels].log().mean().item())
    pairs = torch.cat([batch.next_sentence_labels for batch in batches(7)]).tolist()
    assert found["majority_accuracy"] == max(map(pairs.count, (0, 1))) / len(pairs)


def test_the_baseline_of_left_to_right_is_of_what_that_predicts(store):
    """All tokens but the first, [SEP] among them, which no text has."""
    source = TokenStore(store)
    documents = np.arange(source.num_documents)
    settings = ExampleSettings(max_seq_length=32)
    batches = evaluation_batches(
        source, documents, settings, num_examples=50, micro_batch_size=7, seed=1
    )
    counts, vocabulary = count_tokens(source, documents), source.vocabulary
    sep_id = vocabulary.sep_id
    labels = torch.cat([LeftToRight().labels(batch) for batch in batches])
    number = sum(batch.num_tokens - batch.batch_size for batch in batches)
    assert len(labels) == number == sum(LeftToRight().counts(batch)["ltr"] for batch in batches)
    num_ends = int((labels == sep_id).sum())
    assert num_ends == 2 * 50  # of both segments
    assert vocabulary.mask_id not in labels
    found = baselines(batches, counts, LeftToRight().labels, (vocabulary.cls_id, sep_id))
    expected = torch.tensor(counts).double() + 1
    expected[sep_id] += counts.sum() * num_ends / (number - num_ends)
    expected /= expected.sum()
    assert found["unigram_loss"] == pytest.approx(-expected[labels].log().mean().item())
    most = int(expected.argmax())
    assert found["unigram_accuracy"] == (labels == most).double().mean().item()
    assert baselines(batches, counts, special_ids=(sep_id,)) == baselines(batches, counts)


def test_starting_from_another_run(store, tmp_path):
    pretrain(store, recipe("training.num_steps=4"), tmp_path / "first", warn=silent)
    changes = "training.num_steps=1", "training.learning_rate=1e-9", "model.position_init=normal"
    again = recipe(*changes)
    pretrain(store, again, tmp_path / "second", init=str(tmp_path / "first"), warn=silent)
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)


def test_a_finished_run_shows_its_result_again(store, tmp_path):
    first = pretrain(store, recipe("training.num_steps=4"), tmp_path / "run", warn=silent)
    said = []
    again = pretrain(store, recipe("training.num_steps=4"), tmp_path / "run", warn=said.append)
    assert again == first
    assert "finished" in said[0]


def test_what_compilers_take_counts_for_no_budget(store, tmp_path, monkeypatch):
    whole, compiled, budget = tmp_path / "whole", tmp_path / "compiled", tmp_path / "budget"
    changes = ["training.num_steps=4"]
    pretrain(store, recipe(*changes), whole, warn=silent)
    warm_up, warmed = Updater.warm_up, []

    def slowly(self, batch):
        warm_up(self, batch)
        time.sleep(3)
        warmed.append(1)

    monkeypatch.setattr(Updater, "warm_up", slowly)
    monkeypatch.setattr("bertsmith.training.update.resolve_compile", lambda *_: True)
    pretrain(store, recipe(*changes), compiled, warn=silent)
    # It leaves no trace.
    assert same(weights(compiled), weights(whole))
    assert losses(compiled) == losses(whole)
    pretrain(store, recipe("training.budget_seconds=2"), budget, warn=silent)
    assert records(budget, "train")[0]["seconds"] < 2
    assert len(warmed) == 2
