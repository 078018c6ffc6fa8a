import pytest

from ranks_runs import make_store, train_alone


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def alone(store, tmp_path_factory):
    """What one process makes of it."""
    return train_alone(store, tmp_path_factory.mktemp("alone") / "run")
