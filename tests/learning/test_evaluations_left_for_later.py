"""A stop doesn't wait for an evaluation, which is made up for in the next sitting."""

import os
import signal

import pytest

from bertsmith.training import Interrupted, pretrain
from bertsmith.training import pretraining as sittings
from bertsmith.training.loop import Trainer
from bertsmith.training.update import Updater
from pretraining_runs import PowerCutError, recipe, records, same, silent, weights

CHANGES = ("training.num_steps=12", "training.num_evaluations=3", "training.keep_best=true")


def evaluations(run):
    found = records(run, "evaluation")
    return [(record["step"], record["mlm_loss"], record["nsp_loss"]) for record in found]


def stop():
    os.kill(os.getpid(), signal.SIGTERM)


def stop_in_evaluation(monkeypatch, number):
    """Stops in the middle of an evaluation, counted from 1; of it nothing is to be seen."""
    evaluate, count = sittings.evaluate_objective, [0]

    def stopping(*arguments):
        count[0] += 1
        scores = evaluate(*arguments)
        if count[0] == number:
            stop()
        return scores

    monkeypatch.setattr(sittings, "evaluate_objective", stopping)


def stop_in_update(monkeypatch, number):
    """Stops in an update after which the model was to be evaluated."""
    update, count = Updater.__call__, [0]

    def stopping(self, *arguments):
        count[0] += 1
        update(self, *arguments)
        if count[0] == 4 * number:
            stop()

    monkeypatch.setattr(Updater, "__call__", stopping)


@pytest.mark.parametrize("number", [1, 3], ids=["the first", "the last"])
@pytest.mark.parametrize("stopping", [stop_in_evaluation, stop_in_update])
def test_nothing_is_lost(store, tmp_path, monkeypatch, stopping, number):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    pretrain(store, recipe(*CHANGES), whole, warn=silent)
    assert [step for step, *_ in evaluations(whole)] == [4, 8, 12]
    with monkeypatch.context() as patch:
        stopping(patch, number)
        with pytest.raises(Interrupted) as caught:
            pretrain(store, recipe(*CHANGES), stopped, warn=silent)
    assert (caught.value.step, caught.value.exit_code) == (4 * number, 143)
    assert evaluations(stopped) == evaluations(whole)[: number - 1]
    assert not (stopped / "model.safetensors").exists()

    pretrain(store, recipe(*CHANGES), stopped, warn=silent)
    assert evaluations(stopped) == evaluations(whole)
    assert same(weights(stopped), weights(whole))
    best = "checkpoints/best"
    assert (stopped / best).readlink() == (whole / best).readlink()


def test_killed_when_it_was_made_up_for(store, tmp_path, monkeypatch):
    """Its checkpoint says that it is due: it is made once more, and in the log once."""

    def cut_power(self, *_, **__):
        raise PowerCutError

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_in_evaluation(patch, 1)
        with pytest.raises(Interrupted):
            pretrain(store, recipe(*CHANGES), run, warn=silent)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_checkpoint", cut_power)
        with pytest.raises(PowerCutError):
            pretrain(store, recipe(*CHANGES), run, warn=silent)
    assert [step for step, *_ in evaluations(run)] == [4]
    pretrain(store, recipe(*CHANGES), run, warn=silent)
    assert [step for step, *_ in evaluations(run)] == [4, 8, 12]


def test_stopped_again_where_it_is_made_up_for(store, tmp_path, monkeypatch):
    run = tmp_path / "run"
    for _ in range(2):
        with monkeypatch.context() as patch:
            stop_in_evaluation(patch, 1)
            with pytest.raises(Interrupted) as caught:
                pretrain(store, recipe(*CHANGES), run, warn=silent)
        assert caught.value.step == 4
        assert evaluations(run) == []
    pretrain(store, recipe(*CHANGES), run, warn=silent)
    assert [step for step, *_ in evaluations(run)] == [4, 8, 12]


@pytest.mark.parametrize("warms_up", [False, True])
def test_at_the_end_of_a_phase_it_is_of_that_phase(store, tmp_path, monkeypatch, warms_up):
    """Compilers get a batch of the next one before the first update."""
    phases = "phases=[{share: 0.5}, {share: 0.5, max_seq_length: 48}]"
    changes = (*CHANGES, phases, "training.num_evaluations=2")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    pretrain(store, recipe(*changes), whole, warn=silent)
    assert [r["max_seq_length"] for r in records(whole, "evaluation")] == [32, 48]
    if warms_up:
        monkeypatch.setattr("bertsmith.training.update.resolve_compile", lambda *_: True)
    with monkeypatch.context() as patch:
        stop_in_evaluation(patch, 1)
        with pytest.raises(Interrupted):
            pretrain(store, recipe(*changes), stopped, warn=silent)
    pretrain(store, recipe(*changes), stopped, warn=silent)
    assert evaluations(stopped) == evaluations(whole)
    assert [r["max_seq_length"] for r in records(stopped, "evaluation")] == [32, 48]
    assert same(weights(stopped), weights(whole))
    assert [record["step"] for record in records(stopped, "start")] == [0, 6]
