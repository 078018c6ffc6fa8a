"""What a user writes down counts, or is refused."""

import pytest
import yaml

from bertsmith.errors import RecipeError
from bertsmith.recipes import load_recipe, refuse_contradictions
from bertsmith.tasks import FinetuneRecipe
from bertsmith.training import PretrainRecipe


def a_file(tmp_path, **training):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"training": training}))
    return str(path)


def of_run(tmp_path, *changes, **more):
    """The `recipe.yaml` of a run: it has every setting."""
    recipe = load_recipe(PretrainRecipe, "pretrain", "tiny", changes)
    content = {**recipe.model_dump(mode="json"), "run": {"init": None}}
    content["training"] |= more
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_steps_that_are_named_replace_a_files_budget(tmp_path):
    name = of_run(tmp_path, "training.budget_seconds=120")
    before = load_recipe(PretrainRecipe, "pretrain", name).training
    assert (before.horizon.unit, before.budget_seconds) == ("s", 120)
    told = load_recipe(PretrainRecipe, "pretrain", name, ["training.num_steps=40"]).training
    assert (told.horizon.unit, told.horizon.total) == ("steps", 40)
    # Another setting of the loop leaves it.
    told = load_recipe(PretrainRecipe, "pretrain", name, ["training.seed=4"]).training
    assert told.horizon == before.horizon
    # Of two changes the later counts.
    changes = ["training.num_steps=40", "training.budget_seconds=6"]
    for order, unit in ((changes, "s"), (changes[::-1], "steps")):
        told = load_recipe(PretrainRecipe, "pretrain", name, order).training
        assert told.horizon.unit == unit


@pytest.mark.parametrize(("kind", "stage"), [(PretrainRecipe, "pretrain"),
                                             (FinetuneRecipe, "finetune")])  # fmt: skip
def test_a_share_of_warm_up_replaces_a_files_updates(tmp_path, kind, stage):
    name = a_file(tmp_path, num_warmup_steps=7)
    assert load_recipe(kind, stage, name).training.num_warmup_steps == 7
    told = load_recipe(kind, stage, name, ["training.warmup_ratio=0.25"]).training
    assert (told.num_warmup_steps, told.warmup_ratio) == (None, 0.25)


@pytest.mark.parametrize(
    ("changes", "budget", "line"),
    [
        (
            ["training.num_steps=3"],
            "5s",
            "--set training.num_steps=3: contradicts --budget 5s; give one of the two",
        ),
        (
            ["training.budget_seconds=60"],
            "5s",
            "--set training.budget_seconds=60: contradicts --budget 5s; give one of the two",
        ),
        (
            ["training={num_steps: 3, budget_seconds: 5}"],
            None,
            "--set training.num_steps=3: contradicts training.budget_seconds=5; "
            "give one of the two",
        ),
        (
            ["training.num_warmup_steps=30", "training.warmup_ratio=0.1"],
            "5s",
            "--set training.warmup_ratio=0.1: contradicts training.num_warmup_steps=30; "
            "give one of the two",
        ),
    ],
)
def test_two_words_about_the_same_are_refused(changes, budget, line):
    with pytest.raises(RecipeError) as error:
        refuse_contradictions(changes, budget)
    assert str(error.value) == line


def test_words_that_go_together():
    refuse_contradictions(["training.num_steps=3", "training.budget_seconds=null"])
    refuse_contradictions(["training.warmup_ratio=0.1", "training.seed=3"], "5s")
    refuse_contradictions(["training.num_warmup_steps=3", "training.num_steps=30"])


@pytest.mark.parametrize("change", ["training.decay_ratio=0.5", "training.decay_ratio=0.2",
                                    "training.decay_curve=1-sqrt"])  # fmt: skip
def test_settings_of_another_schedule_are_refused(tmp_path, change):
    line = f"{change} has no effect: the schedule is linear; set training.schedule=trapezoidal"
    for kind, stage, name in [
        (PretrainRecipe, "pretrain", "tiny"),
        (FinetuneRecipe, "finetune", "default"),
        (PretrainRecipe, "pretrain", of_run(tmp_path)),
    ]:
        with pytest.raises(RecipeError) as error:
            load_recipe(kind, stage, name, [change])
        assert str(error.value).startswith(line)
        told = load_recipe(kind, stage, name, [change, "training.schedule=trapezoidal"])
        assert told.training.schedule == "trapezoidal"


def test_settings_of_another_schedule_in_files(tmp_path):
    """A user's own file is his word; a run's has every setting, and older runs had any."""
    name = a_file(tmp_path, decay_ratio=0.5)
    with pytest.raises(
        RecipeError, match=r"recipe\.yaml: training\.decay_ratio=0\.5 has no effect"
    ):
        load_recipe(PretrainRecipe, "pretrain", name)
    name = a_file(tmp_path, decay_ratio=0.5, schedule="trapezoidal")
    assert load_recipe(PretrainRecipe, "pretrain", name).training.decay_ratio == 0.5
    load_recipe(PretrainRecipe, "pretrain", name, ["training.schedule=linear"])
    load_recipe(PretrainRecipe, "pretrain", a_file(tmp_path, decay_ratio=0.2))
    name = of_run(tmp_path, decay_ratio=0.5)
    assert load_recipe(PretrainRecipe, "pretrain", name).training.decay_ratio == 0.5
