import re
from types import NoneType
from typing import get_args

import pytest
from pydantic import Field

from bertsmith._settings import Settings
from bertsmith.errors import RecipeError
from bertsmith.recipes import describe_settings, load_recipe, preset_names
from bertsmith.tasks import FinetuneRecipe
from bertsmith.training import PretrainRecipe


class Loop(Settings):
    num_steps: int = Field(10, ge=1, description="updates")
    learning_rate: float = Field(1e-4, gt=0, description="peak rate")
    trackers: list[str] = Field(["tensorboard"], description="where numbers go")


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
        ("training.lr=1", "did you mean training.learning_rate?"),
        ("lr=1", "did you mean training.learning_rate?"),
        ("training.steps=3", "did you mean training.num_steps?"),
        ("training.epochs=3", "did you mean training.num_steps?"),
        (
            "training.zzz=1",
            "unknown key training.zzz; known in training are num_steps, learning_rate",
        ),
        ("trainings.num_steps=3", "unknown key trainings"),
        ("training.num_steps=0", "training.num_steps = 0: Input should be greater than"),
        ("training.num_steps=many", "training.num_steps = 'many': Input should be a valid integer"),
        ("training.num_steps=", "training.num_steps = null: Input should be a valid integer"),
        ("training.trackers=tensorboard", "should be a valid list; write [tensorboard]"),
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


def number_settings(kind, prefix=""):
    """The settings that are numbers, and nothing else but null."""
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from number_settings(field.annotation, f"{prefix}{name}.")
        elif (set(get_args(field.annotation)) or {field.annotation}) <= {int, float, NoneType}:
            yield f"{prefix}{name}"


@pytest.mark.parametrize(
    ("kind", "stage", "preset", "least"),
    [(PretrainRecipe, "pretrain", "tiny", 35), (FinetuneRecipe, "finetune", "default", 16)],
)
def test_truth_values_are_no_numbers(kind, stage, preset, least):
    paths = list(number_settings(kind))
    assert len(paths) >= least
    for path in paths:
        for text, value in (("yes", True), ("off", False)):
            with pytest.raises(RecipeError) as error:
                load_recipe(kind, stage, preset, [f"{path}={text}"])
            told = f"{path} = {value}: Input should be a number, and this is {value}"
            assert str(error.value).lower().endswith(told.lower())
    with pytest.raises(RecipeError, match=r"phases\.0\.share = true: .* a number"):
        load_recipe(PretrainRecipe, "pretrain", "tiny", ["phases=[{share: true}]"])


def test_truth_values_where_they_belong():
    changes = ["training.compile=no", "training.keep_best=yes", "examples.next_sentence=off"]
    recipe = load_recipe(PretrainRecipe, "pretrain", "tiny", changes)
    assert recipe.training.compile is False
    assert recipe.training.keep_best is True
    assert recipe.examples.next_sentence is False


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "training:\n  seed: 1\n  learning_rate: 1\n  seed: 2\n",
            ":4: seed stands twice, first in line 2; leave one out",
        ),
        ("training: {seed: 1}\ntraining: {num_steps: 3}\n", ":2: training stands twice"),
        ("phases:\n- {share: 1, 'share': 1}\n", ":2: share stands twice; leave one out"),
    ],
)
def test_a_key_that_stands_twice(tmp_path, text, told):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as error:
        load_recipe(PretrainRecipe, "pretrain", str(path))
    assert str(error.value).startswith(f"{path}{told}")


def test_a_key_that_stands_twice_in_a_change():
    change = "training={seed: 1, seed: 2}"
    with pytest.raises(RecipeError) as error:
        load_recipe(PretrainRecipe, "pretrain", "tiny", [change])
    assert str(error.value) == f"--set {change}: seed stands twice; leave one out"


def test_what_a_group_has_otherwise_than_the_one_it_takes_over_stands_once(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "phases:\n- &short {share: 0.4, max_seq_length: 64}\n"
        "- &long {<<: *short, share: 0.5}\n- {<<: *long, share: 0.1}\n"
    )
    phases = load_recipe(PretrainRecipe, "pretrain", str(path)).phases
    assert [(phase.share, phase.max_seq_length) for phase in phases] == [
        (0.4, 64),
        (0.5, 64),
        (0.1, 64),
    ]


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


PHASES = "phases=[{share: 0.9}, {share: 0.1, max_seq_length: 512, micro_batch_size: 4}]"


@pytest.mark.parametrize("name", ["base", "large"])
def test_the_large_presets_have_the_papers_phases(name):
    recipe = load_recipe(PretrainRecipe, "pretrain", name)
    phases = recipe.resolved_phases
    assert [phase.start for phase in phases] == [0.0, 0.9]
    examples = [phase.examples for phase in phases]
    assert [(e.max_seq_length, e.max_predictions) for e in examples] == [(128, 20), (512, 80)]
    assert {phase.global_batch_size for phase in phases} == {256}
    assert recipe.longest_sequence == 512


@pytest.mark.parametrize("value", ["null", "[]"])
def test_without_phases_the_whole_run_is_one(value):
    recipe = load_recipe(PretrainRecipe, "pretrain", "base", [f"phases={value}"])
    (phase,) = recipe.resolved_phases
    assert (phase.start, phase.examples) == (0.0, recipe.examples)
    assert (phase.global_batch_size, phase.micro_batch_size) == (256, 32)


def test_one_phase_of_several_is_changed():
    changes = ["phases.1.max_seq_length=256", "phases.1.max_predictions_per_seq=null"]
    recipe = load_recipe(PretrainRecipe, "pretrain", "base", changes)
    assert recipe.resolved_phases[1].examples.max_predictions == 39
    assert recipe.resolved_phases[0].examples.max_seq_length == 128


def test_a_phase_of_another_length_does_not_inherit_the_number_of_predictions():
    changes = [PHASES, "examples.max_predictions_per_seq=20"]
    phases = load_recipe(PretrainRecipe, "pretrain", "tiny", changes).resolved_phases
    assert [phase.examples.max_predictions for phase in phases] == [20, 77]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["phases=[{share: 0.9}]"], "phases: their shares add up to 0.9, not 1"),
        (["phases=[{share: 0}]"], "phases.0.share = 0: Input should be greater than 0"),
        (["phases=[{}]"], "phases.0.share"),
        ([PHASES, "phases.1.lr=3"], "unknown key phases.1.lr"),
        (
            [PHASES, "phases.1.foo=3"],
            "--set: unknown key phases.1.foo; known in phases.1 are share, max_seq_length, "
            "max_predictions_per_seq, global_batch_size, micro_batch_size",
        ),
        ([PHASES, "phases.1.shares=1"], "did you mean phases.1.share?"),
        (["xyz.foo=3"], "unknown key xyz; known are model, examples, training, phases"),
        (
            ["training.compile=foo"],
            "--set: training.compile = 'foo': Input should be a valid boolean or 'auto'",
        ),
        ([PHASES, "phases.2.share=3"], "there is no 2 in this list; known are 0 to 1"),
        ([PHASES, "phases.last.share=3"], "there is no last in this list"),
        (["phases=[]", "phases.0=3"], "there is no 0 in this list; known are none"),
        ([PHASES, "phases.1.max_seq_length=1024"], "max_seq_length 1024 is over"),
        (
            ["phases=[{share: 1, max_seq_length: 64}]", "examples.max_seq_length=32"],
            "examples.max_seq_length=32 has no effect: every phase sets its own",
        ),
        (
            ["phases=[{share: 1, global_batch_size: 64}]", "training.global_batch_size=16"],
            "training.global_batch_size=16 has no effect: every phase sets its own; "
            "change it there (phases.0.global_batch_size) or set phases=null",
        ),
    ],
)
def test_bad_phases_are_told_in_one_line(changes, message):
    with pytest.raises(RecipeError) as error:
        load_recipe(PretrainRecipe, "pretrain", "tiny", changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_resolved_recipe_resolves_to_itself():
    recipe = load_recipe(PretrainRecipe, "pretrain", "large")
    assert PretrainRecipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("recipe", "change", "told"),
    [
        ("tiny", "phases.0.share=1", "--set phases.0.share=1: the recipe has no phases of which"),
        # What else has a number in its path is an unknown key, as it is without one.
        ("tiny", "training.betas.0=1", "unknown key training.betas"),
        ("base", "phases=null phases.0.share=1", "the recipe has no phases of which"),
        ("tiny", "training=3", "--set: training = 3: should be a group of settings; known in tr"),
        ("tiny", "phases=3", "--set: phases = 3: should be a list of groups of settings; known in"),
        ("tiny", "phases=[3]", "--set: phases.0 = 3: should be a group of settings; known in ph"),
        ("tiny", "phases={share: 1}", "--set: phases = {share: 1}: should be a list of groups"),
        # What only doesn't go together with the rest of the recipe.
        ("tiny", "examples.max_seq_length=600", "--set: max_seq_length 600 is over model.max_pos"),
        ("base", "phases.0.share=1", "--set: phases: their shares add up to 1.1, not 1"),
        (
            "tiny",
            "phases=[{share: 0.5}, {share: 0.5, max_seq_length: 5000}]",
            "--set: max_seq_length 5000 is over model.max_position_embeddings",
        ),
        ("tiny", "foo.bar=5", "--set: unknown key foo; known are "),
        ("tiny", "modle.size=tiny", "--set: unknown key modle; did you mean model?"),
    ],
)
def test_what_is_no_group_or_does_not_go_together(recipe, change, told):
    with pytest.raises(RecipeError) as caught:
        load_recipe(PretrainRecipe, "pretrain", recipe, re.split(r" (?=phases)", change))
    assert told in str(caught.value)


def test_a_fault_between_settings_of_the_file_names_the_file(tmp_path):
    path = tmp_path / "long.yaml"
    path.write_text("examples:\n  max_seq_length: 600\n")
    with pytest.raises(RecipeError, match=r"long\.yaml: max_seq_length 600 is over"):
        load_recipe(PretrainRecipe, "pretrain", str(path), ["training.seed=2"])


def test_a_group_leaves_what_it_does_not_name():
    changes = ["training={learning_rate: 0.5, num_steps: 7}", "training={}"]
    recipe = load_recipe(PretrainRecipe, "pretrain", "tiny", changes)
    before = load_recipe(PretrainRecipe, "pretrain", "tiny")
    assert (recipe.training.learning_rate, recipe.training.num_steps) == (0.5, 7)
    assert recipe.training.budget_seconds is None, "steps count instead, as without a group"
    assert recipe.training.global_batch_size == before.training.global_batch_size
