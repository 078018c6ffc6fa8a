"""`pretrain --init`: which model settings count, which are refused, and what is said."""

import pytest
import yaml

from bertsmith.model.pretrained import read_config
from cli_runs import FAST

LOOP = (*FAST[FAST.index("examples.max_seq_length=32") - 1 :], "--set", "training.num_steps=2")
NAMES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


def go_on(bertsmith, store, model, run, *further, recipe="tiny"):
    return bertsmith(
        "pretrain", store, "--recipe", recipe, "--init", model, "-o", run, *LOOP, *further
    )


def sets(*changes):
    return [part for change in changes for part in ("--set", change)]


def test_layers_that_are_frozen_while_they_are_random(bertsmith, tmp_path, store, model):
    steps = ("--set", "training.num_steps=2")

    def pretrained(folder, layers, *further):
        options = (
            *(LOOP if further else FAST),
            *steps,
            "--set",
            f"training.freeze_layers={layers}",
            *further,
        )
        result = bertsmith("pretrain", store, "--recipe", "tiny", "-o", tmp_path / folder, *options)
        assert result[0] == 0, result
        return result[2]

    told = "stay at their random weights; give --init, or leave it out\n"
    line = f"bertsmith: training.freeze_layers=1: the embeddings and 1 layer {told}"
    assert pretrained("a", 1) == line
    assert pretrained("b", 0) == f"bertsmith: training.freeze_layers=0: the embeddings {told}"
    assert "random" not in pretrained("c", 1, "--init", model)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["model.hidden_size=64"], "the model contradicts model.hidden_size=64 (it has 32); leave"),
        (["model.size=large"], "the model contradicts model.size=large (it has L1 H32 A2); leave"),
        (
            ["model.hidden_act=relu", "model.num_hidden_layers=6"],
            "contradicts model.num_hidden_layers=6 (it has 1) and model.hidden_act=relu "
            "(it has gelu_tanh); leave",
        ),
        (["model.max_position_embeddings=128"], "model.max_position_embeddings=128 (it has 64)"),
        (["model.intermediate_size=64"], "model.intermediate_size=64 (it has 128)"),
        # With the hidden size the size means layers and heads alone.
        (["model.size=base", "model.hidden_size=32"], "contradicts model.size=base (it has L1"),
    ],
)
def test_what_contradicts_the_model_is_refused(bertsmith, store, model, tmp_path, changes, told):
    code, out, err = go_on(bertsmith, store, model, tmp_path / "run", *sets(*changes))
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"bertsmith: {model}: ")
    assert told in line
    assert not (tmp_path / "run").exists()
    # A recipe file is the user's word, too.
    path = tmp_path / "own.yaml"
    settings = dict(change.removeprefix("model.").split("=") for change in changes)
    path.write_text(yaml.safe_dump({"model": {k: yaml.safe_load(v) for k, v in settings.items()}}))
    code, _, err = go_on(bertsmith, store, model, tmp_path / "run", recipe=path)
    assert code == 2
    assert told in err


def test_what_is_true_of_the_model_may_be_written(bertsmith, store, model, tmp_path):
    config = read_config(model)
    changes = [f"model.{name}={getattr(config, name)}" for name in NAMES]
    assert go_on(bertsmith, store, model, tmp_path / "run", *sets(*changes))[0] == 0


def test_a_presets_model_is_not_this_one(bertsmith, store, model, tmp_path):
    code, _, err = go_on(bertsmith, store, model, tmp_path / "run", recipe="mini")
    assert code == 0, err
    assert err == (
        "bertsmith: the model stays as it is, without the recipe's model.size=mini, "
        "model.initializer_range=0.04\n"
    )
    found, wanted = read_config(tmp_path / "run"), read_config(model)
    assert found == wanted
    # The run's recipe says what the model is; so it goes on, and is a recipe of its own.
    said = yaml.safe_load((tmp_path / "run/recipe.yaml").read_text())["model"]
    assert {name: said[name] for name in NAMES} == {name: getattr(wanted, name) for name in NAMES}
    assert said["initializer_range"] == wanted.initializer_range
    code, _, err = go_on(bertsmith, store, model, tmp_path / "run", recipe="mini")
    assert code == 0
    assert "is finished" in err
    code, _, err = go_on(
        bertsmith, store, model, tmp_path / "again", recipe=tmp_path / "run/recipe.yaml"
    )
    assert (code, err) == (0, "")
    again = (tmp_path / "again/recipe.yaml").read_text()
    assert again == (tmp_path / "run/recipe.yaml").read_text()


def test_dropout_may_be_written_otherwise(bertsmith, store, model, tmp_path):
    changes = sets("model.hidden_dropout_prob=0.25", "model.attention_probs_dropout_prob=0.5")
    code, _, err = go_on(bertsmith, store, model, tmp_path / "run", *changes)
    assert code == 0
    assert "dropout" not in err
    found, before = read_config(tmp_path / "run"), read_config(model)
    assert (found.hidden_dropout_prob, found.attention_probs_dropout_prob) == (0.25, 0.5)
    assert (before.hidden_dropout_prob, before.attention_probs_dropout_prob) != (0.25, 0.5)


def test_positions_that_are_there_do_not_start_anew(bertsmith, store, model, tmp_path):
    change = sets("model.position_init=sinusoidal")
    code, _, err = go_on(bertsmith, store, model, tmp_path / "run", *change)
    assert code == 0
    line = f"{model}: model.position_init=sinusoidal has no effect: the model brings its positions"
    assert line in err


def test_a_run_of_an_older_version_goes_on(bertsmith, store, model, tmp_path):
    run = tmp_path / "run"
    assert go_on(bertsmith, store, model, run)[0] == 0
    content = yaml.safe_load((run / "recipe.yaml").read_text())
    content["model"] |= {"size": "tiny", "hidden_size": None, "hidden_dropout_prob": 0.0}
    del content["training"]["held_out_seed"]
    (run / "recipe.yaml").write_text(yaml.safe_dump(content))
    code, _, err = go_on(bertsmith, store, model, run)
    assert code == 0
    assert "is finished" in err


def test_the_recipe_of_an_older_run_with_a_model_can_be_run_again(
    bertsmith, store, model, tmp_path
):
    """It has a preset's model, which had no effect; `doctor run` prints such commands."""
    run, again = tmp_path / "run", tmp_path / "again"
    assert go_on(bertsmith, store, model, run)[0] == 0
    content = yaml.safe_load((run / "recipe.yaml").read_text())
    content["model"] |= {"size": "large", "hidden_size": None, "num_hidden_layers": 24}
    (run / "recipe.yaml").write_text(yaml.safe_dump(content))
    assert (
        "the model contradicts"
        in go_on(bertsmith, store, model, again, recipe=run / "recipe.yaml")[2]
    )
    del content["training"]["held_out_seed"]
    (run / "recipe.yaml").write_text(yaml.safe_dump(content))
    code, _, err = go_on(bertsmith, store, model, again, recipe=run / "recipe.yaml")
    assert (code, err) == (0, "")
    assert read_config(again) == read_config(model)


def test_a_run_that_is_repeated_without_its_model_says_so(bertsmith, store, model, tmp_path):
    first = tmp_path / "first"
    assert go_on(bertsmith, store, model, first)[0] == 0
    written = first / "recipe.yaml"
    # `pretrain` ended these two updates with a line about what the model has learned.
    for further, is_told in (((), True), (("--init", model), False)):
        run = tmp_path / f"again-{is_told}"
        code, _, err = bertsmith("pretrain", store, "--recipe", written, "-o", run, *further)
        assert code == 0, err
        line = (
            f"bertsmith: {written}: that run started from {model}, this one starts from fresh "
            f"weights; --init {model} has it start from there, too\n"
        )
        assert (line in err) == is_told
