"""A store of seconds, and the command line."""

import pytest

from cli_runs import run
from seeing_runs import make_store


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("plan_store"))


@pytest.fixture
def bertsmith(capsys):
    """Runs a command; returns (exit code, standard output, standard error)."""

    def call(*arguments):
        code = run(*arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
