"""Puts the commands together and turns exceptions into one line and an exit code."""

import importlib
import io
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from bertsmith._process import is_decided, let_speak, speaks
from bertsmith.cli.output import warn
from bertsmith.cli.stopping import exit_code, stop_before, stop_behind
from bertsmith.errors import BertsmithError, is_out_of_memory

__all__ = ["build_app", "main"]

# A name of two words is a command under another one, or under a word that is no command itself;
# its module is named with a "_" between them.
_COMMANDS = {
    "demo": "The whole story in minutes, from text that is on this machine.",
    "vocab": "Learn a WordPiece vocabulary from text.",
    "vocab extend": "Add a domain's words to a vocabulary.",
    "vocab inspect": "Show how a vocabulary fits a text.",
    "prepare": "Turn text into a token store.",
    "store info": "Show what a store holds.",
    "store verify": "Check every file of a store.",
    "store sample": "Show examples as the model sees them.",
    "examples": "Write pre-training examples to a Parquet file.",
    "pretrain": "Pre-train a BERT on a token store.",
    "finetune": "Fine-tune a pre-trained model on a task.",
    "evaluate": "Score a fine-tuned model on a task's data.",
    "report": "Show one run, or several side by side, on a page.",
    "predict": "Ask a model: fill-mask, classify, tag, answer, next-sentence, embed, score.",
    "doctor corpus": "What is wrong with a text, before it costs a week.",
    "doctor mend": "Write a text anew, without a fault that doctor corpus found.",
    "doctor vocab": "What is wrong with a vocabulary on a text.",
    "doctor store": "What is wrong with a token store.",
    "doctor run": "What is wrong with a training run.",
    "plan": "From text, hardware and hours to a model, its recipe and what it costs.",
}


_SECONDS_TO_SPEAK = 5.0


def build_app(arguments: list[str]) -> typer.Typer:
    """Builds the app; a command's module is imported here, what it works with only when it runs.

    Args:
        arguments: the command line without the program's name; `pretrain --help` and
            `finetune --help` list the recipe's settings, which takes a second to import.
    """
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        cls=_Commands,
        help="Builds a BERT from your own text: vocab, prepare, pretrain, finetune, predict.",
    )
    app.callback()(_version_option)
    for name, summary in _wanted(arguments).items():
        module = importlib.import_module(f"bertsmith.cli.{name.replace(' ', '_')}")
        epilog = _list_of(_commands_under(name))
        if "--help" in arguments and _is_asked(name, arguments) and hasattr(module, "epilog"):
            epilog = module.epilog()
        what = f"{summary}\n\n{module.__doc__}"
        app.command(name, cls=_Command, help=what, epilog=epilog)(module.command)
    return app


def main() -> None:
    """Runs the command line: exit code 0, or 2 for what the user can mend."""
    # Threads that wait for each other by spinning stand in each other's way as soon as another
    # process wants a core. OpenMP reads this when PyTorch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    _print_anything()
    try:
        build_app(sys.argv[1:])()
    except BertsmithError as error:
        _tell(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # no permission, a full disk, a folder in a file's place
        where = f"{error.filename}: " if error.filename else ""
        _tell(f"{where}{error.strerror or error}; check the disk's room and the permissions")
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        _tell(
            f"the memory is not enough{_wanted_memory(error)}; give fewer --workers, or a smaller "
            "batch to a model (training.micro_batch_size)"
        )
        sys.exit(2)


def _wanted_memory(error: Exception) -> str:
    """How much there should have been more, if PyTorch says so: in bytes for its own memory."""
    tried = re.search(r"tried to allocate ([\d.]+) ?(\w+)", str(error), re.IGNORECASE)
    if tried is None:
        return ""
    number, unit = float(tried[1]), tried[2]
    return (
        f" for another {number / 2**30:,.1f} GiB"
        if unit == "bytes"
        else f" for another {number:g} {unit}"
    )


def _tell(what: str) -> None:
    """Says why this process ends; where another process of the run says it, that one is first.

    `torchrun` ends all others as soon as one of them fails. Who is still there after a while has
    failed alone, before the processes knew of each other, and has the word.
    """
    warn(what)
    if not speaks():
        # Of a machine's processes the first has the word, and so ends the others.
        is_first_here = os.environ.get("LOCAL_RANK", "0") == "0"
        time.sleep(_SECONDS_TO_SPEAK * (1 if is_first_here else 2))
        if not is_decided():
            let_speak(True)
            warn(f"rank {os.environ.get('RANK')}: {what}")


def _print_anything() -> None:
    """Text and names of files hold characters that a terminal's encoding may lack."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


# Options that name a folder or a file, or else something that isn't on this machine.
_NAMES = ("init", "model", "recipe")


class _Command(TyperCommand):
    """A command; an empty name, as of a shell's unset variable, isn't the folder it runs in."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads a command line."""
        empty = _empty_words(args)
        left: list[str] = super().parse_args(ctx, args)
        for param in self.params if empty else ():
            is_option = param.param_type_name == "option"
            value = ctx.params.get(param.name)
            values = value if isinstance(value, list | tuple) else [value]
            is_empty = Path() in values or ("" in values and param.name in _NAMES)
            if is_empty and empty & set(param.opts if is_option else [""]):
                name = param.opts[-1] if is_option else (param.name or "").upper()
                ctx.fail(f"{name} is empty: give a name; perhaps a shell variable isn't set")
        return left


def _empty_words(args: list[str]) -> set[str]:
    """The options whose value is empty, and "" where an argument is.

    Example:
        >>> sorted(_empty_words(["store", "", "-o", "", "--init=", "--recipe", "tiny"]))
        ['', '--init', '-o']
    """
    pairs = [(before, word) for before, word in pairwise(["", *args]) if word == ""]
    options = {before if before.startswith("-") else "" for before, _ in pairs}
    return options | {word[:-1] for word in args if word.startswith("-") and word.endswith("=")}


class _Commands(TyperGroup):
    """The commands; `vocab extend` is a command of its own, beside `vocab`.

    So `bertsmith vocab CORPUS` needs no word between, and a corpus that is named as a command
    under it is given as ./extend.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Takes two words for a command's name where together they are one."""
        first, both = args[0], " ".join(args[:2])
        if both in self.commands:
            args = [both, *args[2:]]
        elif first not in self.commands and (under := _commands_under(first)):
            if "--help" in args:
                sys.stdout.write(f"{_list_of(under)}\n")
                raise typer.Exit
            asked = f"there is no {first} {args[1]}" if len(args) > 1 else "one word is missing"
            ctx.fail(f"{asked}: {', '.join(under)}")
        return super().resolve_command(ctx, args)

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Reads the command line's first word; without any it is asked for help."""
        with _told_in_a_line() if args else nullcontext():
            return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        with _told_in_a_line():
            return super().invoke(ctx)


# All that typer finds wrong with a command line; it has no public name.
_UsageError: Any = typer.BadParameter.__base__


@contextmanager
def _told_in_a_line() -> Iterator[None]:
    """Tells of a mistyped command line, and of a stop that a command has nothing to say about.

    Typer would draw a box around the one, and end without a word at the other.
    """
    try:
        yield
    except _UsageError as error:
        what = " ".join(error.format_message().split()).rstrip(".")
        fix = f"; see `{error.ctx.command_path} --help`" if error.ctx else ""
        _tell(f"{what}{fix}")
        raise typer.Exit(error.exit_code) from None
    except BaseException as error:
        stop = stop_behind(error) or stop_before(error)
        if stop is None:
            raise
        warn("stopped")
        raise typer.Exit(exit_code(stop)) from None


def _wanted(arguments: list[str]) -> dict[str, str]:
    """The commands that a command line can mean: one and those under it, or all of them."""
    first = arguments[0] if arguments else ""
    wanted = {name: what for name, what in _COMMANDS.items() if name.split()[0] == first}
    return wanted or _COMMANDS


def _is_asked(name: str, arguments: list[str]) -> bool:
    words = name.split()
    return arguments[: len(words)] == words


def _commands_under(name: str) -> list[str]:
    return [command for command in _COMMANDS if command.startswith(f"{name} ")]


def _list_of(commands: list[str]) -> str | None:
    if not commands:
        return None
    return "\n\n".join(
        ["See also:", *(f"bertsmith {name}: {_COMMANDS[name]}" for name in commands)]
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        from bertsmith import __version__

        sys.stdout.write(f"bertsmith {__version__}\n")
        raise typer.Exit


def _version_option(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", is_eager=True, callback=_print_version
    ),
) -> None:
    """Gives the program its own options."""
