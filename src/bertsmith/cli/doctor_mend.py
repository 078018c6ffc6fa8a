"""The new text is JSON lines. It is not cleaned: options of cleaning are for what reads it next.

Example: bertsmith doctor mend pages.jsonl --fault markup -o plain.jsonl
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from bertsmith._words import counted
from bertsmith.cli.corpora import CorpusPaths, takes_corpus_options
from bertsmith.cli.output import check_output, emit_json, say, table
from bertsmith.errors import RecipeError

if TYPE_CHECKING:
    from bertsmith.corpus import CorpusSettings

__all__ = ["command"]


@partial(takes_corpus_options, cleans=False)
def command(
    corpus: CorpusPaths,
    settings: "CorpusSettings",
    fault: Literal[
        "mojibake", "markup", "wrapped_lines", "long_sentences", "one_document"
    ] = typer.Option(..., help="What to mend, as doctor corpus names it."),
    output: Path = typer.Option(..., "-o", "--output", help="The new file, named .jsonl."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace the file that stands at the output."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.corpus import open_corpus
    from bertsmith.corpus.commands import Commands
    from bertsmith.doctor.mending import rewrite

    text = open_corpus(corpus, settings)
    # What a folder holds is read as well.
    check_output(output, inputs=[*corpus, *text.files], overwrite=overwrite)
    if output.suffix != ".jsonl":
        fix = "give a name that ends in .jsonl"
        raise RecipeError("would not be read as JSON lines", where=f"-o {output}", fix=fix)
    done = rewrite(text, output, fault)
    if as_json:
        emit_json({"path": str(output), "fault": fault, **vars(done)})
        return
    say(f"{output}: {counted(done.num_documents, 'document')}")
    left_out = [(name.replace("_", " "), f"{n:,}") for name, n in done.counts.items()]
    look = Commands(corpus, settings).look_at(str(output))
    table([("documents read", f"{done.num_read:,}"), *left_out, ("next", look)])
