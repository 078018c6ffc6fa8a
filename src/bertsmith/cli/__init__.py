"""The command line: thin. Parse, resolve the recipe, call a room."""

from bertsmith.cli.app import main

__all__ = ["main"]
