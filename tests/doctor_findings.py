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


def command_lines(command):
    """The words after `bertsmith` of a finding's command, or of each of two."""
    for line in command.split(" && "):
        program, *words = shlex.split(line)
        assert program == "bertsmith"
        yield words


def parse(command):
    """Parses a command line as bertsmith would, without running it."""
    for words in command_lines(command):
        _parse(words)


def _parse(words):
    group = get_command(build_app([]))
    context = group.make_context("bertsmith", list(words), resilient_parsing=True)
    name, subcommand, rest = group.resolve_command(context, words)
    subcommand.make_context(name, rest)
