"""What holds for every finding."""

import shlex

from typer.main import get_command

from bertsmith.cli.app import build_app
from cli_runs import run


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
    line = []
    for word in [*shlex.split(command), "&&"]:
        if word == "&&":
            program, *words = line
            assert program == "bertsmith"
            yield words
            line = []
        else:
            line.append(word)


def mended(command):
    """What the command of a finding has `bertsmith doctor corpus` look at, and with what options.

    `doctor mend` is run first, as a shell would; `prepare` says its corpus and its options.
    """
    words, *more = command_lines(command)
    if words[:2] == ["doctor", "mend"]:
        assert run(*words) == 0, command
        ((_, _, name, *options),) = more
        return name, options
    assert words[0] == "prepare"
    return words[1], words[words.index("-o") + 2 :]


def parse(command):
    """Parses a command line as bertsmith would, without running it."""
    for words in command_lines(command):
        _parse(words)


def _parse(words):
    group = get_command(build_app([]))
    context = group.make_context("bertsmith", list(words), resilient_parsing=True)
    name, subcommand, rest = group.resolve_command(context, words)
    subcommand.make_context(name, rest)
