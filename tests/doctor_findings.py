"""What holds for every finding."""

import shlex

from typer.main import get_command

from bertsmith.cli.app import build_app


def check_finding(finding, *, needs_command=True):
    """A number, what it does, what to do about it, and a command that there is."""
    assert any(character.isdigit() for character in finding.title) or finding.name == "damaged"
    assert len(finding.effect) > 80
    assert finding.remedy
    if needs_command:
        parse(finding.command)
    for example in finding.examples:
        assert len(example.text) <= 101
        assert example.text.isprintable()


def parse(command):
    """Parses a command line as bertsmith would, without running it."""
    program, *words = shlex.split(command)
    assert program == "bertsmith"
    group = get_command(build_app([]))
    context = group.make_context("bertsmith", list(words), resilient_parsing=True)
    name, subcommand, rest = group.resolve_command(context, words)
    subcommand.make_context(name, rest)
