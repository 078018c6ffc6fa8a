import pytest

from bertsmith.training import pretrain
from pretraining_runs import silent
from seeing_runs import make_store, recipe


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("run_store"))


@pytest.fixture(scope="session")
def timid(store, tmp_path_factory):
    """A real run that hardly moves: no warm-up, a rate far too low that stays, few examples."""
    folder = tmp_path_factory.mktemp("timid") / "run"
    settings = recipe(
        "training.num_steps=40",
        "training.learning_rate=2e-6",
        "training.warmup_ratio=0",
        "training.schedule=constant",
        "training.num_evaluation_examples=4",
        "training.num_evaluations=4",
    )
    pretrain(store, settings, folder, warn=silent)
    return folder
