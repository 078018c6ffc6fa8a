"""The pages of the docs, and what stands in them."""

import importlib.util
import re
import shlex
from functools import cache
from pathlib import Path

import typer.main

from bertsmith.cli.app import build_app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def page_name(path):
    return str(path.relative_to(ROOT))


def read(path):
    return path.read_text(encoding="utf-8")


def blocks(text):
    """(what stands after ```, content) of each block of code."""
    return _BLOCK.findall(text)


def inline_code(text):
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))


def command_lines(text):
    """The arguments of every `bertsmith` in the blocks, as the shell would hand them over."""
    for _, content in blocks(text):
        for line in re.sub(r"\s*\\\n\s*", " ", content).splitlines():
            # In a list of commands what follows two spaces is said about the command.
            # The program names commands too, after "next" or in what mends a finding.
            called = re.search(
                r"(?:^(?:\$ )?|^\s+(?:next\s+|then\s+)?|\| )(bertsmith (?!:).*?)(?:  .*| &)?$", line
            )
            if called:
                optional = re.sub(r"\[(--?[^\]]*)\]", r"\1", called[1])
                for command in optional.split(" && "):
                    yield shlex.split(command, comments=True)[1:]


@cache
def app():
    return typer.main.get_command(build_app([]))


def commands():
    return app().commands


def option_names(command):
    names = {"--help"}.union(*((*p.opts, *p.secondary_opts) for p in command.params))
    return {name for name in names if name.startswith("-")}


def parse(arguments):
    """Parses a command line as the program does, and runs nothing.

    Returns:
        The command's name, and the values of its parameters.
    """
    program = app().make_context("bertsmith", [], resilient_parsing=True)
    name, command, rest = app().resolve_command(program, list(arguments))
    return name, command.make_context(name, list(rest), parent=program).params


@cache
def hooks():
    """The module that fills the placeholders."""
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
