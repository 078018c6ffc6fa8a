"""A store of seconds, and a model with its optimizer after some updates."""

import pytest

from checkpoint_runs import train_a_little
from seeing_runs import make_store


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("training_store"))


@pytest.fixture
def trained():
    return train_a_little()
