"""A store of seconds."""

import pytest

from seeing_runs import make_store


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("training_store"))
