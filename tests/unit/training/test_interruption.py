"""Signals that stop a run: whose handlers are theirs."""

import signal

import pytest

from bertsmith.training.agreement import Agreement
from bertsmith.training.distributed import Ranks
from bertsmith.training.interruption import BrokenOff, Interrupted, stop_on_signals


@pytest.fixture
def sigint():
    """Sets the handler that a program had before."""
    kept = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, kept)


def test_a_run_in_the_background_ignores_ctrl_c_as_it_did(sigint):
    sigint(signal.SIG_IGN)
    with stop_on_signals() as request:
        signal.raise_signal(signal.SIGINT)
        assert not request.wanted
        signal.raise_signal(signal.SIGTERM)
        assert request.wanted
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


@pytest.mark.parametrize("is_ignored", [False, True])
def test_the_end_of_the_terminal_unless_nohup_has_it_ignored(is_ignored):
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
    try:
        with stop_on_signals() as request:
            signal.raise_signal(signal.SIGHUP)
            assert request.wanted is not is_ignored
        if not is_ignored:
            agreed = Agreement(Ranks(), request, lambda: False, 0.0)
            agreed.seconds()
            assert agreed.must_stop
            assert Interrupted(3, "here", agreed.signal_number).exit_code == 129
    finally:
        signal.signal(signal.SIGHUP, kept)


def test_a_second_ctrl_c_is_for_whoever_handled_it_before(sigint):
    seen = []
    sigint(lambda *given: seen.append(given[0]))
    with stop_on_signals() as request:
        signal.raise_signal(signal.SIGINT)
        assert (request.wanted, seen) == (True, [])
        signal.raise_signal(signal.SIGINT)
        assert seen == [signal.SIGINT]


def test_a_second_ctrl_c_ends_a_program_that_has_no_handler(sigint):
    sigint(signal.SIG_DFL)
    with stop_on_signals():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_can_be_done_later_is_broken_off():
    with stop_on_signals() as request:
        with pytest.raises(BrokenOff), request.breaking_off():
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # nothing to break off
        with pytest.raises(BrokenOff), request.breaking_off():
            raise AssertionError("it begins")


@pytest.mark.parametrize(("world_size", "done"), [(1, None), (2, "done")])
def test_several_ranks_finish_what_they_began(world_size, done):
    ranks = Ranks(world_size=world_size)

    def work():
        signal.raise_signal(signal.SIGTERM)
        return "done"

    with stop_on_signals() as request:
        assert Agreement(ranks, request, lambda: False, 0.0).unless_stopped(work) == done


@pytest.mark.parametrize("is_one_of_several", [False, True])
def test_the_launchers_sigterm_silences_nobody_who_failed(is_one_of_several):
    """It may come while the failed run closes its files: then nobody would say what happened."""
    kept = signal.getsignal(signal.SIGTERM)
    heard = []
    signal.signal(signal.SIGTERM, lambda *_: heard.append("before"))
    try:
        with (
            pytest.raises(RuntimeError, match="gloo"),
            stop_on_signals(is_one_of_several=is_one_of_several),
        ):
            raise RuntimeError("gloo: connection closed")
        signal.raise_signal(signal.SIGTERM)
        assert heard == ([] if is_one_of_several else ["before"])
    finally:
        signal.signal(signal.SIGTERM, kept)
