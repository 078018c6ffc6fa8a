import pytest
from pydantic import Field

from bertsmith._settings import Settings
from bertsmith.errors import RecipeError
from bertsmith.recipes import describe_settings, load_recipe, preset_names
from bertsmith.training import PretrainRecipe


class Loop(Settings):
    num_steps: int = Field(10, ge=1, description="updates")
    learning_rate: float = Field(1e-4, gt=0, description="peak rate")


class Recipe(Settings):
    training: Loop = Loop()


@pytest.fixture
def yaml_file(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("training: {num_steps: 20}\n")
    return str(path)


def test_file_then_changes_in_order(yaml_file):
    changes = ["training.num_steps=30", "training.learning_rate=1e-3", "training.num_steps=40"]
    recipe = load_recipe(Recipe, "pretrain", yaml_file, changes)
    assert recipe.training == Loop(num_steps=40, learning_rate=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.num_step=3", "unknown key training.num_step; did you mean training.num_steps?"),
        ("trainings.num_steps=3", "unknown key trainings"),
        ("training.num_steps=0", "training.num_steps = 0: Input should be greater than"),
        ("training.num_steps=many", "training.num_steps = 'many': Input should be a valid integer"),
        ("training.num_steps", "is no setting"),
        ("=3", "is no setting"),
        ("training.num_steps.more=3", "num_steps holds no settings of its own"),
    ],
)
def test_bad_changes_are_told_in_one_line(yaml_file, change, message):
    with pytest.raises(RecipeError) as error:
        load_recipe(Recipe, "pretrain", yaml_file, [change])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_neither_preset_nor_file():
    with pytest.raises(RecipeError, match=r"huge: is neither a preset .* tiny"):
        load_recipe(PretrainRecipe, "pretrain", "huge")


@pytest.mark.parametrize("text", ["- 1\n", "training: [", "just text"])
def test_files_that_are_no_recipe(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"bad\.yaml"):
        load_recipe(PretrainRecipe, "pretrain", str(path))


@pytest.mark.parametrize("name", preset_names("pretrain"))
def test_every_shipped_preset_resolves(name):
    recipe = load_recipe(PretrainRecipe, "pretrain", name)
    assert recipe.model.size == name
    assert recipe.model.config(1000).hidden_size >= 128


def test_every_setting_says_what_it_means():
    for path, _, meaning in describe_settings(PretrainRecipe):
        assert len(meaning) > 5, path


def test_causal_needs_no_next_sentence():
    with pytest.raises(RecipeError, match=r"needs examples\.next_sentence=false"):
        load_recipe(PretrainRecipe, "pretrain", "tiny", ["model.attention=causal"])


def test_causal_has_no_masks_to_be_whole_words():
    changes = ["model.attention=causal", "examples.next_sentence=false"]
    load_recipe(PretrainRecipe, "pretrain", "tiny", changes)
    with pytest.raises(RecipeError, match=r"needs examples\.whole_word_masking=false"):
        load_recipe(
            PretrainRecipe, "pretrain", "tiny", [*changes, "examples.whole_word_masking=true"]
        )


def test_longest_sequence_fits_the_positions():
    with pytest.raises(RecipeError, match="600 is over"):
        load_recipe(PretrainRecipe, "pretrain", "tiny", ["examples.max_seq_length=600"])
