"""What the finished models of runs put into blanks."""

from collections.abc import Iterator, Sequence
from typing import Any

from bertsmith.errors import BertsmithError, InputError
from bertsmith.inference import pipeline
from bertsmith.reports.page import Samples, Text
from bertsmith.training import RunLog

__all__ = ["DEFAULT_SENTENCES", "filled_blanks", "why_no_blanks"]

#: English; shown where the model's vocabulary has all their words.
DEFAULT_SENTENCES = (
    "the city is the capital of [MASK] .",
    "she opened the [MASK] and went in .",
    "in 1918 the war came to an [MASK] .",
    "he was born in [MASK] and died in 1902 .",
)
# Characters of a sentence that an error names.
_SHOWN = 40


def why_no_blanks(run: RunLog) -> str | None:
    """Why a run has no model that fills blanks, in words that go after its name; None if it has.

    Args:
        run: of pre-training or fine-tuning.
    """
    if not run.is_pretraining:
        return "is fine-tuned and fills no blanks"
    has_model = (run.path / "model.safetensors").is_file()
    return None if has_model else "is not finished and has no model yet that fills blanks"


def filled_blanks(
    run: RunLog, label: str, sentences: Sequence[str], *, single: bool
) -> Iterator[Text | Samples]:
    """What a run's model puts into blanks, as parts of a page; nothing where it has no model.

    Args:
        run: whose model fills them.
        label: what the run is called.
        sentences: with a `[MASK]` or several each; by default some English ones.
        single: whether it is the page's only run, so that nobody need be told whose they are.

    Raises:
        BertsmithError: the model can't fill the sentences that were given.
    """
    if why_no_blanks(run) is not None:
        return
    try:
        fill_mask = pipeline("fill-mask", str(run.path))
        chosen = sentences or [s for s in DEFAULT_SENTENCES if _is_known(s, fill_mask)]
        items = [item for sentence in chosen for item in _items(sentence, fill_mask)]
    except BertsmithError as error:
        if sentences:
            raise
        yield Text(f"{label}: no samples ({error})")
        return
    if items:
        if not single:
            yield Text(f"{label}:")
        yield Samples(items)


def _items(sentence: str, fill_mask: Any) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """The sentence with its guesses, once for each of its masks."""
    try:
        found = fill_mask(sentence)
    except InputError as error:
        shown = sentence if len(sentence) <= _SHOWN else f"{sentence[:_SHOWN]}..."
        fix = (error.fix or "give another").removesuffix(", or set truncate")
        raise InputError(error.what, where=f"--fill {shown!r}", fix=fix) from error
    rows = [found] if isinstance(found[0], dict) else found  # a single mask's are not in a list
    for number, guesses in enumerate(rows, 1):
        which = f" ([MASK] {number} of {len(rows)})" if len(rows) > 1 else ""
        yield sentence + which, [(guess["token_str"], guess["score"]) for guess in guesses]


def _is_known(sentence: str, fill_mask: Any) -> bool:
    return "[UNK]" not in fill_mask.runner.tokenizer.tokenize(sentence)
