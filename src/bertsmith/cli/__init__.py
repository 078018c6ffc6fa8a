"""The command line: thin. Parse, resolve the recipe, call a room."""

import sys

from bertsmith.cli.stopping import exit_code, leave_at_once, raise_on_signals, stop_behind

__all__ = ["main"]


def main() -> None:
    """Runs the command that the process was called with."""
    raise_on_signals()
    try:
        # Not above: it takes a tenth of a second, in which Ctrl-C has to be answered too; and a
        # worker process imports what started it, and needs no command line.
        from bertsmith.cli.app import main as run

        run()
    except SystemExit as leaving:
        if isinstance(leaving.code, int):
            leave_at_once(leaving.code)
        raise
    except BaseException as error:
        if (stop := stop_behind(error)) is None:
            raise
        from bertsmith.cli.output import warn

        warn("stopped")
        sys.exit(exit_code(stop))
