"""Whether the store is as it was written."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bertsmith.corpus.commands import Commands
from bertsmith.doctor.finding import Example, Finding, shorten
from bertsmith.doctor.store_measures import StoreMeasures
from bertsmith.errors import BertsmithError
from bertsmith.store.manifest import VOCABULARY_NAME

__all__ = ["check", "damage"]


def damage(
    error: BertsmithError, folder: Path, commands: Commands, num_examples: int = 3
) -> Finding:
    """What opening or verifying a store found to be not as it was written.

    Args:
        error: what was raised.
        folder: the store, which is to be made again in its place.
        commands: builds the command that mends it.
        num_examples: how many examples the finding may have.
    """
    commands = replace(commands, store=str(folder))
    if str(error.where).startswith(str(folder / VOCABULARY_NAME)):
        commands = replace(commands, vocab_path="VOCABULARY")
    return Finding(
        "damaged",
        "problem",
        f"the store is damaged: {error.where} {error.what}",
        1,
        0,
        effect="Tokens are not those of the text, and ids may be beyond the vocabulary. A run "
        "that doesn't look would learn them.",
        remedy="Copy the store again, or prepare it again.",
        command=commands.prepare(overwrite=True),
        examples=(Example(shorten(error.what), str(error.where)),)[:num_examples],
    )


def check(measures: StoreMeasures) -> Iterator[Finding]:
    """Finds that tokens were made by tables of another Unicode version than this Python's."""
    written, running = measures.store.manifest.unicode_version, unicodedata.unidata_version
    if written != running:
        yield Finding(
            "other_unicode",
            "info",
            f"the tokens were made with Unicode {written}; this Python has {running}",
            float(".".join(running.split(".")[:2])),
            float(".".join(written.split(".")[:2])),
            effect="Characters that are new in one of the two may be punctuation in one and parts "
            "of a word in the other, so that rare words get other ids when text is tokenized here.",
            remedy="Nothing has to be done for ordinary text; use the same Python for exact ids.",
        )
