"""The command line: thin. Parse, resolve the recipe, call a room."""

__all__ = ["main"]


def main() -> None:
    """Runs the command that the process was called with."""
    # Not above: a worker process imports what started it, and needs no command line.
    from bertsmith.cli.app import main as run

    run()
