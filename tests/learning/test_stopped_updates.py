"""A stop doesn't wait for the end of an update of many micro-batches."""

import os
import signal

import pytest

from bertsmith.training import Interrupted, pretrain
from bertsmith.training.agreement import Agreement
from bertsmith.training.schedule import ClockHorizon
from bertsmith.training.update import Updater
from pretraining_runs import losses, recipe, records, same, silent, weights

CHANGES = ("training.num_steps=6", "training.global_batch_size=24", "training.micro_batch_size=4")
PHASES = "phases=[{share: 0.5}, {share: 0.5, max_seq_length: 48, micro_batch_size: 2}]"


def stop_in(monkeypatch, update, micro_batch):
    """Stops in a micro-batch, of six, of an update, both counted from 1; counts those begun."""
    begun = []
    run = Updater._run_micro_batch

    def stopping(self, *arguments, **options):
        begun.append(1)
        if len(begun) == 6 * (update - 1) + micro_batch:
            os.kill(os.getpid(), signal.SIGTERM)
        return run(self, *arguments, **options)

    monkeypatch.setattr(Updater, "_run_micro_batch", stopping)
    return begun


@pytest.mark.parametrize("update", [1, 3, 6])
def test_nothing_is_lost_and_nothing_is_done_twice(store, tmp_path, monkeypatch, update):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    pretrain(store, recipe(*CHANGES), whole, warn=silent)
    for micro_batch in (2, 5):
        with monkeypatch.context() as patch:
            first = update if micro_batch == 2 else 1  # the second sitting begins with it
            begun = stop_in(patch, first, micro_batch)
            with pytest.raises(Interrupted) as caught:
                pretrain(store, recipe(*CHANGES), stopped, warn=silent)
        assert caught.value.step == update - 1
        assert len(begun) == 6 * (first - 1) + micro_batch
    pretrain(store, recipe(*CHANGES), stopped, warn=silent)
    assert same(weights(stopped), weights(whole))
    assert losses(stopped) == losses(whole)


def test_in_the_first_update_of_a_phase(store, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    changes = (*CHANGES, PHASES)
    pretrain(store, recipe(*changes), whole, warn=silent)
    with monkeypatch.context() as patch:
        stop_in(patch, 4, 3)
        with pytest.raises(Interrupted) as caught:
            pretrain(store, recipe(*changes), stopped, warn=silent)
    assert caught.value.step == 3
    pretrain(store, recipe(*changes), stopped, warn=silent)
    assert same(weights(stopped), weights(whole))
    assert losses(stopped) == losses(whole)


def test_the_last_micro_batch_ends_the_update(store, tmp_path, monkeypatch):
    stop_in(monkeypatch, 2, 6)
    with pytest.raises(Interrupted) as caught:
        pretrain(store, recipe(*CHANGES), tmp_path / "run", warn=silent)
    assert caught.value.step == 2


def test_so_many_micro_batches_that_not_all_ask(store, tmp_path, monkeypatch):
    asked = []
    changes = "training.num_steps=1", "training.global_batch_size=48", "training.micro_batch_size=1"
    is_stopped = "bertsmith.training.agreement.Agreement.is_stopped"
    monkeypatch.setattr(is_stopped, lambda self: bool(asked.append(1)))
    pretrain(store, recipe(*changes), tmp_path / "run", warn=silent)
    assert len(asked) == 15  # after every third but the last


def test_an_update_that_was_not_made_takes_no_time_of_a_budget(store, tmp_path, monkeypatch):
    """It began before the budget's end, and would have ended after it: the run isn't over."""
    changes = (*CHANGES[1:], "training.budget_seconds=600")
    seconds, run, update = Agreement.seconds, Updater._run_micro_batch, Updater.__call__
    late, begun = [], []
    monkeypatch.setattr(Agreement, "seconds", lambda self: seconds(self) + 1000 * len(late))

    def stopping(self, *arguments, **options):
        begun.append(1)
        if len(begun) == 2 * 6 + 1:
            late.append(1)
            os.kill(os.getpid(), signal.SIGTERM)
        return run(self, *arguments, **options)

    def last(self, *arguments):
        late.append(1)
        update(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Updater, "_run_micro_batch", stopping)
        with pytest.raises(Interrupted) as caught:
            pretrain(store, recipe(*changes), tmp_path, warn=silent)
    assert caught.value.step == 2
    late.clear()
    monkeypatch.setattr(Updater, "__call__", last)
    assert pretrain(store, recipe(*changes), tmp_path, warn=silent).state.step == 3
    assert [record["step"] for record in records(tmp_path, "evaluation")] == [3]


def test_a_run_whose_time_is_over_is_evaluated_before_it_ends(store, tmp_path, monkeypatch):
    """Older versions counted the time of an update that a stop had broken off."""
    changes = (*CHANGES[1:], "training.budget_seconds=60")
    with monkeypatch.context() as patch:
        stop_in(patch, 3, 1)
        with pytest.raises(Interrupted):
            pretrain(store, recipe(*changes), tmp_path, warn=silent)
    monkeypatch.setattr(ClockHorizon, "fraction", lambda self, step, seconds: 1.0)
    result = pretrain(store, recipe(*changes), tmp_path, warn=silent)
    assert result.state.step == 2
    assert [record["step"] for record in records(tmp_path, "evaluation")] == [2]
