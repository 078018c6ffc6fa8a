"""Multiple choice: SWAG's CSV, CODAH's TSV, and tables with a context and its choices."""

import re
from dataclasses import dataclass
from pathlib import Path

from bertsmith.errors import DataError
from bertsmith.tasks.data.tables import Layout, Row, read_table

__all__ = ["CHOICE_EXTENSIONS", "ChoiceExample", "read_choices"]

#: Endings of the files that `read_choices` reads.
CHOICE_EXTENSIONS = (".csv", ".tsv", ".jsonl")

_CODAH = Layout(
    headerless=("category", "context", "ending0", "ending1", "ending2", "ending3", "label"),
    header_mark="label",
)
_CHOICE = re.compile(r"(?:choice|ending)_?(\d+)")


@dataclass(frozen=True)
class ChoiceExample:
    """A context, its possible continuations, the right one counted from 0, and where it stands."""

    context: str
    choices: tuple[str, ...]
    label: int | None
    where: str


def read_choices(path: Path, *, labelled: bool) -> list[ChoiceExample]:
    """Reads multiple-choice examples, all with the same number of choices.

    - SWAG's official CSV: `sent1` is the context; a choice is `sent2`, the continuation's first
      words, with one of `ending0` … `ending3`.
    - CODAH's TSV without a header: category, context, four endings, label.
    - Tables: `context`, then a column for each choice (`choice0`, `choice1`, …, or `ending0`, …),
      or, in JSON lines, a list `choices`; `label` is the right choice counted from 0.

    Args:
        path: the file.
        labelled: whether rows without a label are an error.

    Raises:
        DataError: the file is broken (see `read_table`), a column is missing, a label is not one
            of the choices, or the number of choices differs between rows.
    """
    layout = _CODAH if path.suffix == ".tsv" else None
    examples = [_from_row(row, labelled) for row in read_table(path, layout).rows]
    num_choices = len(examples[0].choices)
    for example in examples:
        if len(example.choices) != num_choices:
            raise DataError(
                f"{len(example.choices)} choices where the first row has {num_choices}",
                where=example.where,
                fix="give every row the same number",
            )
    return examples


def _from_row(row: Row, labelled: bool) -> ChoiceExample:
    context = row.text(("sent1", "context")) or ""
    choices = _choices(row)
    if len(choices) < 2:
        raise DataError(f"{len(choices)} choices", where=row.where, fix="give two at least")
    opening = row.text(("sent2",), required=False)
    if opening:
        choices = [f"{opening} {choice}" for choice in choices]
    label = row.text(("label",), required=labelled)
    return ChoiceExample(
        context, tuple(choices), _label(label, len(choices), labelled, row), row.where
    )


def _choices(row: Row) -> list[str]:
    listed = row.value(("choices",), required=False)
    if listed is not None:
        if not (isinstance(listed, list) and all(isinstance(text, str) for text in listed)):
            raise DataError(
                "column 'choices' is no list of texts", where=row.where, fix='write ["a", "b"]'
            )
        return list(listed)
    names = {int(found[1]): name for name in row.values if (found := _CHOICE.fullmatch(name))}
    return [row.text((names[number],)) or "" for number in sorted(names)]


def _label(label: str | None, num_choices: int, labelled: bool, row: Row) -> int | None:
    if not label and not labelled:
        return None
    digits = (label or "").strip()
    if not digits.isdecimal() or int(digits) >= num_choices:
        raise DataError(
            f"label {label!r} is not one of 0 to {num_choices - 1}",
            where=row.where,
            fix="count the choices from 0",
        )
    return int(digits)
