"""Puts the commands together and turns exceptions into one line and an exit code."""

import importlib
import os
import sys

import typer

from bertsmith.errors import BertsmithError

__all__ = ["build_app", "main"]

_COMMANDS = {
    "demo": "The whole story in minutes, from text that is on this machine.",
    "vocab": "Learn a WordPiece vocabulary from text.",
    "prepare": "Turn text into a token store.",
    "pretrain": "Pre-train a BERT on a token store.",
    "finetune": "Fine-tune a pre-trained model on a task.",
    "evaluate": "Score a fine-tuned model on a task's data.",
    "predict": "Ask a model: fill-mask, classify, tag, answer, next-sentence, embed, score.",
}


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
        help="Builds a BERT from your own text: vocab, prepare, pretrain, finetune, predict.",
    )
    app.callback()(_version_option)
    for name, summary in _COMMANDS.items():
        module = importlib.import_module(f"bertsmith.cli.{name}")
        epilog = None
        if "--help" in arguments and arguments[:1] == [name] and hasattr(module, "epilog"):
            epilog = module.epilog()
        app.command(name, help=f"{summary}\n\n{module.__doc__}", epilog=epilog)(module.command)
    return app


def main() -> None:
    """Runs the command line: exit code 0, 2 for what the user can mend, 130 after Ctrl-C."""
    # Threads that wait for each other by spinning stand in each other's way as soon as another
    # process wants a core. OpenMP reads this when PyTorch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        build_app(sys.argv[1:])()
    except BertsmithError as error:
        sys.stderr.write(f"bertsmith: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:  # no permission, a full disk, a folder in a file's place
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"bertsmith: {where}{error.strerror or error}\n")
        sys.exit(2)


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
