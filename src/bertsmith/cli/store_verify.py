"""Reads every file of a store and compares its hash with the manifest.

Example: bertsmith store verify store
"""

from pathlib import Path

import typer

from bertsmith._words import counted
from bertsmith.cli.output import emit_json, say

__all__ = ["command"]


def command(
    store: Path = typer.Argument(..., help="A folder that bertsmith prepare made."),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.store import TokenStore

    opened = TokenStore(store)
    opened.verify()
    num_files = len(opened.manifest.shards)
    if as_json:
        emit_json({"path": str(store), "sound": True, "num_files": num_files})
        return
    hashes = (
        "the hash of its one file is"
        if num_files == 1
        else f"the hashes of all {counted(num_files, 'file')} are"
    )
    say(f"{store}: sound; {hashes} as the manifest says")
