"""Every command line in the docs and the README is one that the program takes."""

import inspect
import re
import shlex

import pytest

from bertsmith.cli import corpora
from bertsmith.cli.example_settings import example_settings
from bertsmith.recipes import load_recipe, preset_names
from bertsmith.tasks import FinetuneRecipe
from bertsmith.training import PretrainRecipe
from docs_pages import (
    DOCS,
    PAGES,
    app,
    command_lines,
    commands,
    inline_code,
    option_names,
    page_name,
    parse,
    read,
)

EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=page_name)
RECIPES = {"pretrain": PretrainRecipe, "finetune": FinetuneRecipe}


def check_values(name, values):
    """What parsing leaves unchecked: settings, recipes, how a corpus is read."""
    reading = inspect.signature(corpora._corpus_options).parameters
    if reading.keys() <= values.keys():
        corpora.corpus_settings({key: values[key] for key in reading})
    if "length" in values:
        example_settings(values["length"], values["changes"])
    elif "changes" in values:
        recipe = values["recipe"] or "default"
        if recipe.endswith(".yaml"):  # a file of the reader's, such as a run's recipe
            recipe = preset_names(name)[0]
        assert recipe in preset_names(name)
        load_recipe(RECIPES[name], name, recipe, values["changes"])


@EACH_PAGE
def test_command_lines_parse(page):
    for arguments in command_lines(read(page)):
        if arguments[0].startswith("-"):
            assert arguments[0] in option_names(app())
        else:
            check_values(*parse(arguments))


def test_command_lines_are_found():
    text = (
        "```\n$ bertsmith store info a\nbertsmith: an error\n  next  bertsmith vocab b -o \\\n  c\n"
        "cat d | bertsmith prepare - [--vocab v]   what it does\n"
        "bertsmith demo && bertsmith vocab e\n```\nbertsmith is not code\n"
    )
    found = [["store", "info", "a"], ["vocab", "b", "-o", "c"], ["prepare", "-", "--vocab", "v"]]
    found += [["demo"], ["vocab", "e"]]
    assert list(command_lines(text)) == found
    assert sum(len(list(command_lines(read(page)))) for page in PAGES) > 70


@pytest.mark.parametrize(
    "arguments",
    [["prepare", "a"], ["prepare", "a", "-o", "b", "--vocabulary", "c"], ["store", "show", "a"],
     ["vocab", "a", "-o", "b", "--size", "many"]],
)  # fmt: skip
def test_a_wrong_command_line_fails(arguments):
    with pytest.raises(
        Exception, match=r"[Mm]issing|[Nn]o such|[Nn]ot a valid|valid integer|there is no"
    ):
        parse(arguments)


@pytest.mark.parametrize(
    "arguments",
    [["pretrain", "a", "-o", "b", "--set", "training.lr=1"],
     ["pretrain", "a", "-o", "b", "--recipe", "huge"],
     ["store", "sample", "a", "--set", "mask=1"], ["vocab", "a", "-o", "b", "--duplicates", "all"]],
)  # fmt: skip
def test_a_wrong_setting_fails(arguments):
    with pytest.raises((ValueError, AssertionError, corpora.RecipeError)):
        check_values(*parse(arguments))


@EACH_PAGE
def test_commands_in_the_text_are_there(page):
    for code in inline_code(read(page)):
        if not code.startswith("bertsmith ") or "COMMAND" in code:
            continue
        words = shlex.split(code)[1:]
        names = [name for name in commands() if words[: name.count(" ") + 1] == name.split()]
        assert names or words[0].startswith("-"), f"{code}: no such command"
        known = option_names(commands()[max(names, key=len)] if names else app())
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= known, code


@EACH_PAGE
def test_options_in_the_text_are_there(page):
    name = page.stem.replace("-", " ")
    own = page.parent == DOCS / "commands" and page.stem != "index"
    users = [commands()[name]] if own else list(commands().values())
    known = set[str]().union(*map(option_names, users), *([] if own else [option_names(app())]))
    for code in inline_code(read(page)):
        if code.startswith("--"):
            options = re.findall(r"(?<![\w-])--[a-z][a-z-]*", code)
            assert set(options) <= known, f"{code}: {name if own else 'no command'} has it not"
